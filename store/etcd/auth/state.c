/* What the system keyspace says about authentication, and what a user may therefore do. See auth.h.
 *
 *     auth/enabled   there: authentication is on
 *     auth/revision  decimal
 *     auth/secret    32 random bytes that sign simple tokens; new whenever authentication is turned on
 *     auth/user/N    User      auth/role/N    Role
 *
 * A user's permissions are those of all its roles, merged once per change into sorted intervals that do not touch, one
 * set for reading and one for writing: a request is covered when one interval holds it whole (as the union of
 * permissions must, server/auth/range_perm_cache.go). Who has the role root may everything. */
#include "store/etcd/auth/auth.h"

#include "base/check.h"
#include "base/wire/grpc.h"
#include "store/proto/unpack.h"

#include <stdlib.h>

static const struct {
	int grpc;
	const char *text;
} errors[] = {
        [ETCD_AUTH_OK] = {GRPC_OK, ""},
        [ETCD_AUTH_ROOT_USER_MISSING] = {GRPC_FAILED_PRECONDITION, "etcdserver: root user does not exist"},
        [ETCD_AUTH_ROOT_ROLE_MISSING] = {GRPC_FAILED_PRECONDITION, "etcdserver: root user does not have root role"},
        [ETCD_AUTH_USER_EXISTS] = {GRPC_FAILED_PRECONDITION, "etcdserver: user name already exists"},
        [ETCD_AUTH_USER_EMPTY] = {GRPC_INVALID_ARGUMENT, "etcdserver: user name is empty"},
        [ETCD_AUTH_USER_NOT_FOUND] = {GRPC_FAILED_PRECONDITION, "etcdserver: user name not found"},
        [ETCD_AUTH_ROLE_EXISTS] = {GRPC_FAILED_PRECONDITION, "etcdserver: role name already exists"},
        [ETCD_AUTH_ROLE_NOT_FOUND] = {GRPC_FAILED_PRECONDITION, "etcdserver: role name not found"},
        [ETCD_AUTH_ROLE_EMPTY] = {GRPC_INVALID_ARGUMENT, "etcdserver: role name is empty"},
        [ETCD_AUTH_FAILED] = {GRPC_INVALID_ARGUMENT, "etcdserver: authentication failed, invalid user ID or password"},
        [ETCD_AUTH_NO_PASSWORD_USER] = {GRPC_UNKNOWN,
                "auth: authentication failed, password was given for no password user"},
        [ETCD_AUTH_PERMISSION_NOT_GIVEN] = {GRPC_INVALID_ARGUMENT, "etcdserver: permission not given"},
        [ETCD_AUTH_DENIED] = {GRPC_PERMISSION_DENIED, "etcdserver: permission denied"},
        [ETCD_AUTH_ROLE_NOT_GRANTED] = {GRPC_FAILED_PRECONDITION, "etcdserver: role is not granted to the user"},
        [ETCD_AUTH_PERMISSION_NOT_GRANTED] = {GRPC_FAILED_PRECONDITION,
                "etcdserver: permission is not granted to the role"},
        [ETCD_AUTH_NOT_ENABLED] = {GRPC_FAILED_PRECONDITION, "etcdserver: authentication is not enabled"},
        [ETCD_AUTH_BAD_TOKEN] = {GRPC_UNAUTHENTICATED, "etcdserver: invalid auth token"},
        [ETCD_AUTH_BAD_MANAGEMENT] = {GRPC_INVALID_ARGUMENT, "etcdserver: invalid auth management"},
        [ETCD_AUTH_OLD_REVISION] = {GRPC_INVALID_ARGUMENT, "etcdserver: revision of auth store is old"},
        [ETCD_AUTH_LONG_PASSWORD] = {GRPC_UNKNOWN, "bcrypt: password length exceeds 72 bytes"},
        [ETCD_AUTH_VERIFY_ONLY] = {GRPC_UNKNOWN, "auth: token signing attempted with verify-only key"},
};

const char *etcd_auth_error_text(enum etcd_auth_error error, int *grpc_status)
{
	CHECK((size_t)error < COUNT_OF(errors) && errors[error].text); /* each has its words */
	*grpc_status = errors[error].grpc;
	return errors[error].text;
}

/* ---- intervals ---- */

static struct store_interval interval_of(struct arena *a, const struct store_key_range *keys)
{
	if (keys->end.len == 1 && keys->end.ptr[0] == 0)
		return (struct store_interval){keys->key, {"", 0}};
	if (keys->end.len)
		return (struct store_interval){keys->key, keys->end};
	char *next =
	        arena_memdup(a, keys->key.ptr, keys->key.len); /* with a zero byte after it: the next key there is */
	return (struct store_interval){keys->key, {next, keys->key.len + 1}};
}

/* Compares ends, of which the empty one is the largest. */
static int compare_ends(struct slice x, struct slice y)
{
	if (!x.len || !y.len)
		return !x.len - !y.len;
	return slice_cmp(x, y);
}

static int compare_begins(const void *x, const void *y)
{
	return slice_cmp(((const struct store_interval *)x)->begin, ((const struct store_interval *)y)->begin);
}

static void merge(struct store_intervals *set)
{
	size_t n = 0;
	if (set->n)
		qsort(set->list, set->n, sizeof *set->list, compare_begins);
	for (size_t i = 0; i < set->n; i++) {
		struct store_interval *last = n ? &set->list[n - 1] : NULL;
		if (last && (!last->end.len || slice_cmp(set->list[i].begin, last->end) <= 0)) {
			if (compare_ends(set->list[i].end, last->end) > 0)
				last->end = set->list[i].end;
		} else {
			set->list[n++] = set->list[i];
		}
	}
	set->n = n;
}

bool etcd_intervals_cover(const struct store_intervals *set, const struct store_key_range *keys)
{
	struct arena a = ARENA_INIT;
	struct store_interval want = interval_of(&a, keys);
	size_t low = 0, high = set->n;
	while (low < high) { /* the last one that begins at or before */
		size_t middle = (low + high) / 2;
		if (slice_cmp(set->list[middle].begin, want.begin) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	bool is_empty = want.end.len && slice_cmp(want.begin, want.end) >= 0;
	const struct store_interval *have = low ? &set->list[low - 1] : NULL;
	bool covers = have && !is_empty && compare_ends(want.end, have->end) <= 0;
	arena_release(&a);
	return covers;
}

/* ---- users and roles ---- */

bool etcd_user_has_role(const struct etcd_user *u, struct slice role)
{
	for (size_t i = 0; i < u->message->n_roles; i++)
		if (slice_is(role, u->message->roles[i]))
			return true;
	return false;
}

/* Both lists come in order of names. */
const struct etcd_user *etcd_auth_user(const struct etcd_auth_state *s, struct slice name)
{
	size_t low = 0, high = s->n_users;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = slice_cmp(s->users[middle].name, name);
		if (order == 0)
			return &s->users[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const Etcdpb__Role *etcd_auth_role(const struct etcd_auth_state *s, struct slice name)
{
	for (size_t i = 0; i < s->n_roles; i++)
		if (slice_eq(etcd_slice(s->roles[i]->name), name))
			return s->roles[i];
	return NULL;
}

static size_t count_permissions(const struct etcd_auth_state *s, const struct etcd_user *u)
{
	size_t n = 0;
	for (size_t i = 0; i < u->message->n_roles; i++) {
		const Etcdpb__Role *r = etcd_auth_role(s, slice_of(u->message->roles[i]));
		n += r ? r->n_keypermission : 0;
	}
	return n;
}

static void gather_permissions(struct etcd_auth_state *s, struct etcd_user *u)
{
	size_t n = count_permissions(s, u);
	u->is_root = etcd_user_has_role(u, SLICE("root"));
	u->read.list = ARENA_ARRAY(&s->arena, struct store_interval, n + 1);
	u->write.list = ARENA_ARRAY(&s->arena, struct store_interval, n + 1);
	for (size_t i = 0; i < u->message->n_roles; i++) {
		const Etcdpb__Role *r = etcd_auth_role(s, slice_of(u->message->roles[i]));
		for (size_t k = 0; r && k < r->n_keypermission; k++) {
			const Etcdpb__Permission *p = r->keypermission[k];
			struct store_key_range keys = {etcd_slice(p->key), etcd_slice(p->range_end)};
			struct store_interval x = interval_of(&s->arena, &keys);
			bool is_both = p->permtype == ETCDPB__PERMISSION__TYPE__READWRITE;
			if (is_both || p->permtype == ETCDPB__PERMISSION__TYPE__READ)
				u->read.list[u->read.n++] = x;
			if (is_both || p->permtype == ETCDPB__PERMISSION__TYPE__WRITE)
				u->write.list[u->write.n++] = x;
		}
	}
	CHECK(u->read.n <= n && u->write.n <= n);
	merge(&u->read);
	merge(&u->write);
}

static void take_entry(struct etcd_auth_state *s, const struct store_system_entry *x)
{
	uint64_t n;
	if (slice_is(x->key, "auth/enabled")) {
		s->is_enabled = true;
	} else if (slice_is(x->key, "auth/revision")) {
		if (slice_to_u64(x->value, &n))
			s->revision = n;
	} else if (slice_is(x->key, "auth/secret")) {
		s->secret = (struct slice){arena_memdup(&s->arena, x->value.ptr, x->value.len), x->value.len};
	} else if (slice_starts(x->key, "auth/user/")) {
		struct etcd_user *u = &s->users[s->n_users];
		u->message = etcd_message_unpack(&s->arena, &etcdpb__user__descriptor, x->value);
		if (!u->message)
			return;
		u->name = etcd_slice(u->message->name);
		s->n_users++;
	} else if (slice_starts(x->key, "auth/role/")) {
		s->roles[s->n_roles] = etcd_message_unpack(&s->arena, &etcdpb__role__descriptor, x->value);
		s->n_roles += s->roles[s->n_roles] != NULL;
	}
}

struct etcd_auth_state *etcd_auth_state_new(const struct store_system_entry *entries, size_t n)
{
	struct etcd_auth_state *s = xcalloc(1, sizeof *s);
	s->revision = 1;
	s->users = ARENA_ARRAY(&s->arena, struct etcd_user, n + 1);
	s->roles = ARENA_ARRAY(&s->arena, Etcdpb__Role *, n + 1);
	for (size_t i = 0; i < n; i++)
		take_entry(s, &entries[i]);
	CHECK(s->n_users + s->n_roles <= n);
	for (size_t i = 1; i < s->n_users; i++)
		DCHECK(slice_cmp(s->users[i - 1].name, s->users[i].name) < 0); /* they are looked up by halves */
	for (size_t i = 0; i < s->n_users; i++)
		gather_permissions(s, &s->users[i]);
	return s;
}

void etcd_auth_state_free(struct etcd_auth_state *s)
{
	if (!s)
		return;
	arena_release(&s->arena);
	free(s);
}

/* ---- checks ---- */

enum etcd_auth_error etcd_auth_check_admin(const struct etcd_auth_state *s, const struct etcd_identity *who)
{
	if (!s->is_enabled)
		return ETCD_AUTH_OK;
	if (!who->is_known || !who->name.len)
		return ETCD_AUTH_USER_EMPTY;
	const struct etcd_user *u = etcd_auth_user(s, who->name);
	if (!u)
		return ETCD_AUTH_USER_NOT_FOUND;
	return u->is_root ? ETCD_AUTH_OK : ETCD_AUTH_DENIED;
}

enum etcd_auth_error etcd_auth_check_range(const struct etcd_auth_state *s, const struct etcd_identity *who,
        const struct store_key_range *keys, bool is_write)
{
	if (!s->is_enabled)
		return ETCD_AUTH_OK;
	if (!who->is_known || who->revision == 0)
		return ETCD_AUTH_USER_EMPTY;
	if (who->revision < s->revision)
		return ETCD_AUTH_OLD_REVISION;
	const struct etcd_user *u = etcd_auth_user(s, who->name);
	if (!u)
		return ETCD_AUTH_DENIED;
	return u->is_root || etcd_intervals_cover(is_write ? &u->write : &u->read, keys) ? ETCD_AUTH_OK
	                                                                                 : ETCD_AUTH_DENIED;
}

static enum etcd_auth_error check_branch(
        const struct etcd_auth_state *s, const struct etcd_identity *who, const struct store_op *ops, size_t n)
{
	enum etcd_auth_error error = ETCD_AUTH_OK;
	for (size_t i = 0; i < n && !error; i++)
		error = etcd_auth_check_op(s, who, &ops[i]);
	return error;
}

static enum etcd_auth_error check_txn(
        const struct etcd_auth_state *s, const struct etcd_identity *who, const struct store_txn *x)
{
	enum etcd_auth_error error = ETCD_AUTH_OK;
	for (size_t i = 0; i < x->n_compares && !error; i++)
		error = etcd_auth_check_range(s, who, &x->compares[i].keys, false);
	if (!error)
		error = check_branch(s, who, x->success, x->n_success);
	return error ? error : check_branch(s, who, x->failure, x->n_failure);
}

enum etcd_auth_error etcd_auth_check_op(
        const struct etcd_auth_state *s, const struct etcd_identity *who, const struct store_op *op)
{
	struct store_key_range key = {.key = op->type == STORE_OP_PUT ? op->put.key : SLICE_NULL};
	enum etcd_auth_error error;
	switch (op->type) {
	case STORE_OP_RANGE:
		return etcd_auth_check_range(s, who, &op->range.keys, false);
	case STORE_OP_PUT:
		error = etcd_auth_check_range(s, who, &key, true);
		return !error && op->put.prev_kv ? etcd_auth_check_range(s, who, &key, false) : error;
	case STORE_OP_DELETE:
		error = etcd_auth_check_range(s, who, &op->del.keys, true);
		return !error && op->del.prev_kv ? etcd_auth_check_range(s, who, &op->del.keys, false) : error;
	case STORE_OP_TXN:
		return check_txn(s, who, &op->txn);
	}
	return ETCD_AUTH_DENIED;
}
