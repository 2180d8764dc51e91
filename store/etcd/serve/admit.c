/* Who sends a request and whether it may: tokens and certificates on one side, what c->request touches on the other.
 *
 * As in etcd 3.5 (server/etcdserver/apply_auth.go), with two doors closed that it leaves open: transactions inside
 * transactions are looked into, and a put inside a transaction that asks for the previous pair needs the right to read.
 * Compacting, granting leases and alarms need no right at all, as there. */
#include "store/etcd/serve/admit.h"

#include "base/check.h"
#include "base/pki.h"
#include "base/rt/pool.h"
#include "store/etcd/auth/auth.h"
#include "store/etcd/serve/call.h"
#include "store/etcd/serve/service.h"

#include <time.h>

static struct slice token_of(struct http_exchange *x, bool is_json)
{
	struct slice token = is_json ? SLICE_NULL : http_header(x, "token");
	return token.ptr ? token : http_header(x, "authorization");
}

enum etcd_auth_error etcd_identify(
        struct etcd_service *s, struct http_exchange *x, bool is_json, struct etcd_identity *who)
{
	const struct etcd_auth_state *auth = s->system.auth;
	const struct http_peer *peer = http_request(x)->peer;
	*who = (struct etcd_identity){0};
	if (!auth->is_enabled)
		return ETCD_AUTH_OK;
	struct slice token = token_of(x, is_json);
	if (token.ptr)
		return etcd_tokens_check(s->tokens, auth, token, time(NULL), http_arena(x), who);
	if (s->options.client_cert_auth && !is_json && peer->verified)
		*who = (struct etcd_identity){.is_known = true, .name = peer->common_name, .revision = auth->revision};
	return ETCD_AUTH_OK;
}

static bool is_root(const struct etcd_call *c)
{
	const struct etcd_user *u = etcd_auth_user(c->service->system.auth, c->who.name);
	return u && u->is_root;
}

static struct slice kept(struct arena *a, struct slice s)
{
	return (struct slice){arena_memdup(a, s.ptr, s.len), s.len};
}

/* What the caller may write, for as long as the call lives: users and roles may be read anew meanwhile. */
static const struct store_intervals *writable(struct etcd_call *c)
{
	const struct etcd_user *u = etcd_auth_user(c->service->system.auth, c->who.name);
	struct store_intervals *set = ARENA_NEW(&c->arena, struct store_intervals);
	if (!u || c->lease_keys_error != ETCD_AUTH_DENIED)
		return set;
	set->list = ARENA_ARRAY(&c->arena, struct store_interval, u->write.n + 1);
	for (; set->n < u->write.n; set->n++)
		set->list[set->n] = (struct store_interval){
		        kept(&c->arena, u->write.list[set->n].begin), kept(&c->arena, u->write.list[set->n].end)};
	return set;
}

/* Why keys are out of reach: who is nobody, or known from before a change, may write none. */
static enum etcd_auth_error keys_error(const struct etcd_call *c)
{
	if (!c->who.is_known || c->who.revision == 0)
		return ETCD_AUTH_USER_EMPTY;
	return c->who.revision < c->service->system.auth->revision ? ETCD_AUTH_OLD_REVISION : ETCD_AUTH_DENIED;
}

enum etcd_auth_error etcd_auth_check_call(struct etcd_call *c)
{
	const struct etcd_auth_state *auth = c->service->system.auth;
	struct store_request *req = &c->request;
	enum etcd_auth_error error = ETCD_AUTH_OK;
	req->lease_keys_within = NULL;
	if (!auth->is_enabled)
		return ETCD_AUTH_OK;
	if (req->type == STORE_REQUEST_OP)
		error = etcd_auth_check_op(auth, &c->who, &req->op);
	if (error || is_root(c))
		return error;
	/* Who puts a key under a lease, or ends it, must be allowed to write all keys of the lease. */
	if ((req->type == STORE_REQUEST_OP && req->op.type == STORE_OP_PUT && req->op.put.lease) ||
	        req->type == STORE_REQUEST_LEASE_REVOKE) {
		c->lease_keys_error = keys_error(c);
		req->lease_keys_within = writable(c);
	}
	return ETCD_AUTH_OK;
}

enum etcd_auth_error etcd_auth_check_reading(const struct etcd_call *c, const struct slice *keys, size_t n)
{
	enum etcd_auth_error error = ETCD_AUTH_OK;
	if (c->service->system.auth->is_enabled && !c->who.is_known)
		return ETCD_AUTH_USER_EMPTY;
	for (size_t i = 0; i < n && !error; i++) {
		struct store_key_range one = {.key = keys[i]};
		error = etcd_auth_check_range(c->service->system.auth, &c->who, &one, false);
	}
	return error;
}

/* ---- passwords: tens of milliseconds each, so never on the loop ---- */

struct password_work {
	struct pool_work work;
	struct etcd_call *call;
	struct slice password, hash;
	bool is_check, fits;
	struct strbuf made;
	struct err err;
	void (*hashed)(struct etcd_call *c, struct slice hash);
	void (*checked)(struct etcd_call *c, bool fits);
};

enum { PASSWORD_THREADS = 1, PASSWORDS_WAITING_MAX = 256, COST = 10, COST_MIN = 4, COST_MAX = 14 };

static unsigned cost_of(const struct etcd_service *s)
{
	unsigned cost = s->options.bcrypt_cost ? s->options.bcrypt_cost : COST;
	return cost < COST_MIN ? COST_MIN : cost > COST_MAX ? COST_MAX : cost;
}

static void work(struct pool_work *w)
{
	struct password_work *p = CONTAINER_OF(w, struct password_work, work);
	if (p->is_check)
		p->fits = pki_password_check(p->password, p->hash);
	else
		pki_password_hash(p->password, cost_of(p->call->service), &p->made, &p->err);
}

static void worked(struct pool_work *w)
{
	struct password_work *p = CONTAINER_OF(w, struct password_work, work);
	struct etcd_call *c = p->call;
	struct slice hash = {arena_memdup(&c->arena, p->made.data, p->made.len), p->made.len};
	struct err err = p->err;
	strbuf_release(&p->made);
	if (!etcd_call_is_back(c, err.code ? &err : NULL))
		return;
	if (p->is_check)
		p->checked(c, p->fits);
	else
		p->hashed(c, hash);
}

static void start_work(struct etcd_call *c, struct password_work *p)
{
	struct etcd_service *s = c->service;
	if (!s->pool)
		s->pool = pool_new("store-password", PASSWORD_THREADS, PASSWORDS_WAITING_MAX);
	p->call = c;
	p->password.ptr = arena_memdup(&c->arena, p->password.ptr, p->password.len);
	c->is_out = true;
	if (pool_submit(s->pool, &p->work, s->loop, work, worked))
		return;
	c->is_out = false;
	etcd_reply_err(c, GRPC_RESOURCE_EXHAUSTED, "etcdserver: too many requests");
}

void etcd_password_hash(
        struct etcd_call *c, struct slice password, void (*then)(struct etcd_call *c, struct slice hash))
{
	if (password.len > PKI_PASSWORD_BYTES_MAX) {
		etcd_reply_auth_err(c, ETCD_AUTH_LONG_PASSWORD);
		return;
	}
	struct password_work *p = ARENA_NEW(&c->arena, struct password_work);
	p->password = password;
	p->hashed = then;
	start_work(c, p);
}

void etcd_password_check(
        struct etcd_call *c, struct slice password, struct slice hash, void (*then)(struct etcd_call *c, bool fits))
{
	struct password_work *p = ARENA_NEW(&c->arena, struct password_work);
	p->password = password;
	p->hash = (struct slice){arena_memdup(&c->arena, hash.ptr, hash.len), hash.len};
	p->is_check = true;
	p->checked = then;
	start_work(c, p);
}
