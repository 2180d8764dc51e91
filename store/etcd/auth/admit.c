/* What a request of the store touches, and whether its sender may.
 *
 * As in etcd 3.5 (server/etcdserver/apply_auth.go), with two doors closed that it leaves open: transactions inside
 * transactions are looked into, and a put inside a transaction that asks for the previous pair needs the right to read.
 * Compacting, granting leases and alarms need no right at all, as there. */
#include "store/etcd/auth/admit.h"

#include "base/check.h"

static bool is_root(const struct etcd_auth_state *auth, const struct etcd_identity *who)
{
	const struct etcd_user *u = etcd_auth_user(auth, who->name);
	return u && u->is_root;
}

static struct slice kept(struct arena *a, struct slice s)
{
	return (struct slice){arena_memdup(a, s.ptr, s.len), s.len};
}

/* What somebody may write, for as long as the arena lives: users and roles may be read anew meanwhile. */
static const struct store_intervals *writable(
        const struct etcd_auth_state *auth, const struct etcd_identity *who, struct arena *a)
{
	const struct etcd_user *u = etcd_auth_user(auth, who->name);
	struct store_intervals *set = ARENA_NEW(a, struct store_intervals);
	if (!u)
		return set;
	set->list = ARENA_ARRAY(a, struct store_interval, u->write.n + 1);
	for (; set->n < u->write.n; set->n++)
		set->list[set->n] = (struct store_interval){
		        kept(a, u->write.list[set->n].begin), kept(a, u->write.list[set->n].end)};
	return set;
}

/* Why keys are out of reach: who is nobody, or known from before a change, may write none. */
static enum etcd_auth_error keys_error(const struct etcd_auth_state *auth, const struct etcd_identity *who)
{
	if (!who->is_known || who->revision == 0)
		return ETCD_AUTH_USER_EMPTY;
	return who->revision < auth->revision ? ETCD_AUTH_OLD_REVISION : ETCD_AUTH_DENIED;
}

enum etcd_auth_error etcd_admit(const struct etcd_auth_state *auth, const struct etcd_identity *who, struct arena *a,
        struct store_request *req, enum etcd_auth_error *ret_lease_keys_error)
{
	enum etcd_auth_error error = ETCD_AUTH_OK;
	req->lease_keys_within = NULL;
	if (!auth->is_enabled)
		return ETCD_AUTH_OK;
	if (req->type == STORE_REQUEST_OP)
		error = etcd_auth_check_op(auth, who, &req->op);
	if (error || is_root(auth, who))
		return error;
	/* Who puts a key under a lease, or ends it, must be allowed to write all keys of the lease. */
	if ((req->type == STORE_REQUEST_OP && req->op.type == STORE_OP_PUT && req->op.put.lease) ||
	        req->type == STORE_REQUEST_LEASE_REVOKE) {
		static const struct store_intervals none;
		*ret_lease_keys_error = keys_error(auth, who);
		req->lease_keys_within = *ret_lease_keys_error == ETCD_AUTH_DENIED ? writable(auth, who, a) : &none;
	}
	return ETCD_AUTH_OK;
}

enum etcd_auth_error etcd_admit_reading(
        const struct etcd_auth_state *auth, const struct etcd_identity *who, const struct slice *keys, size_t n)
{
	enum etcd_auth_error error = ETCD_AUTH_OK;
	if (auth->is_enabled && !who->is_known)
		return ETCD_AUTH_USER_EMPTY;
	for (size_t i = 0; i < n && !error; i++) {
		struct store_key_range one = {.key = keys[i]};
		error = etcd_auth_check_range(auth, who, &one, false);
	}
	return error;
}
