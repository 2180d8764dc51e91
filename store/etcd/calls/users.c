/* Auth: users. Each handler looks at what was read of the system keyspace, says what is wrong, or submits the change;
 * when the keyspace has changed meanwhile it is run again. Rules and order of checks as in etcd (server/auth/store.go).
 */
#include "store/etcd/calls/users.h"

#include "store/etcd/calls/auth_edit_int.h"
#include "store/etcd/calls/password_int.h"
#include "store/etcd/serve/answer.h"
#include "store/etcd/serve/system.h"
#include "store/proto/unpack.h"

#include <stdlib.h>

static const struct etcd_auth_state *state_of(const struct etcd_call *c)
{
	return c->service->system.auth;
}

static bool is_root_while_on(const struct etcd_call *c, const char *name)
{
	return state_of(c)->is_enabled && strcmp(name, "root") == 0;
}

static bool has_no_password(const Etcdpb__User *u)
{
	return u->options && u->options->no_password;
}

static void hashed(struct etcd_call *c, struct slice hash)
{
	struct slice *keep = ARENA_NEW(&c->arena, struct slice);
	*keep = hash;
	c->state = keep;
	if (etcd_system_is_fresh(c->service))
		c->method->handler(c, c->message);
	else
		etcd_call_enter(c);
}

void etcd_user_add(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	Etcdpb__AuthUserAddRequest *r = etcd_unpack(c, &etcdpb__auth_user_add_request__descriptor, message);
	Etcdpb__User u = ETCDPB__USER__INIT;
	const struct slice *hash = c->state;
	if (!r)
		return;
	if (!r->name[0]) {
		etcd_reply_auth_err(c, ETCD_AUTH_USER_EMPTY);
		return;
	}
	if (etcd_auth_user(state_of(c), slice_of(r->name))) {
		etcd_reply_auth_err(c, ETCD_AUTH_USER_EXISTS);
		return;
	}
	bool needs_password = !r->options || !r->options->no_password;
	if (needs_password && !hash) {
		etcd_password_hash(c, slice_of(r->password), hashed);
		return;
	}
	struct etcd_edit e = etcd_edit_begin(c, 1);
	u.name = etcd_bytes(slice_of(r->name));
	if (needs_password)
		u.password = etcd_bytes(*hash);
	u.options = r->options;
	u.password_revision = e.revision;
	etcd_edit_user(&e, &u);
	etcd_edit_submit(&e);
}

void etcd_user_change_password(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	Etcdpb__AuthUserChangePasswordRequest *r =
	        etcd_unpack(c, &etcdpb__auth_user_change_password_request__descriptor, message);
	const struct slice *hash = c->state;
	if (!r)
		return;
	const struct etcd_user *old = etcd_auth_user(state_of(c), slice_of(r->name));
	if (!old) {
		etcd_reply_auth_err(c, ETCD_AUTH_USER_NOT_FOUND);
		return;
	}
	bool needs_hash = r->password[0] && !has_no_password(old->message);
	if (needs_hash && !hash) {
		etcd_password_hash(c, slice_of(r->password), hashed);
		return;
	}
	struct etcd_edit e = etcd_edit_begin(c, 1);
	Etcdpb__User u = *old->message;
	u.password = etcd_bytes(needs_hash ? *hash : SLICE("")); /* an empty one fits nothing */
	u.password_revision = e.revision;
	etcd_edit_user(&e, &u);
	etcd_edit_submit(&e);
}

void etcd_user_delete(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	Etcdpb__AuthNameRequest *r = etcd_unpack(c, &etcdpb__auth_name_request__descriptor, message);
	if (!r)
		return;
	if (is_root_while_on(c, r->name)) {
		etcd_reply_auth_err(c, ETCD_AUTH_BAD_MANAGEMENT);
		return;
	}
	if (!etcd_auth_user(state_of(c), slice_of(r->name))) {
		etcd_reply_auth_err(c, ETCD_AUTH_USER_NOT_FOUND);
		return;
	}
	struct etcd_edit e = etcd_edit_begin(c, 1);
	etcd_edit_drop(&e, "auth/user/", slice_of(r->name));
	etcd_edit_submit(&e);
}

void etcd_user_get(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	Etcdpb__AuthNameRequest *r = etcd_unpack(c, &etcdpb__auth_name_request__descriptor, message);
	Etcdpb__AuthRolesResponse m = ETCDPB__AUTH_ROLES_RESPONSE__INIT;
	if (!r)
		return;
	/* Everybody may look at himself. */
	enum etcd_auth_error error = etcd_auth_check_admin(state_of(c), &c->who);
	if (error && !slice_is(c->who.name, r->name)) {
		etcd_reply_auth_err(c, error);
		return;
	}
	const struct etcd_user *u = etcd_auth_user(state_of(c), slice_of(r->name));
	if (!u) {
		etcd_reply_auth_err(c, ETCD_AUTH_USER_NOT_FOUND);
		return;
	}
	m.header = etcd_header(c->service, &c->arena, store_revision(c->service->store));
	m.roles = u->message->roles;
	m.n_roles = u->message->n_roles;
	etcd_reply(c, &m.base);
}

void etcd_user_list(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	const struct etcd_auth_state *auth = state_of(c);
	Etcdpb__AuthUserListResponse m = ETCDPB__AUTH_USER_LIST_RESPONSE__INIT;
	m.header = etcd_header(c->service, &c->arena, store_revision(c->service->store));
	m.users = ARENA_ARRAY(&c->arena, char *, auth->n_users + 1);
	for (size_t i = 0; i < auth->n_users; i++)
		m.users[m.n_users++] = arena_memdup(&c->arena, auth->users[i].name.ptr, auth->users[i].name.len);
	etcd_reply(c, &m.base);
}

static int compare_names(const void *x, const void *y)
{
	return strcmp(*(char *const *)x, *(char *const *)y);
}

void etcd_user_grant_role(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	Etcdpb__AuthUserGrantRoleRequest *r =
	        etcd_unpack(c, &etcdpb__auth_user_grant_role_request__descriptor, message);
	if (!r)
		return;
	const struct etcd_user *old = etcd_auth_user(state_of(c), slice_of(r->user));
	if (!old) {
		etcd_reply_auth_err(c, ETCD_AUTH_USER_NOT_FOUND);
		return;
	}
	if (strcmp(r->role, "root") != 0 && !etcd_auth_role(state_of(c), slice_of(r->role))) {
		etcd_reply_auth_err(c, ETCD_AUTH_ROLE_NOT_FOUND);
		return;
	}
	if (etcd_user_has_role(old, slice_of(r->role))) {
		etcd_edit_none(c);
		return;
	}
	struct etcd_edit e = etcd_edit_begin(c, 1);
	Etcdpb__User u = *old->message;
	u.roles = ARENA_ARRAY(&c->arena, char *, old->message->n_roles + 1);
	for (size_t i = 0; i < old->message->n_roles; i++)
		u.roles[i] = old->message->roles[i];
	u.roles[u.n_roles++] = r->role;
	qsort(u.roles, u.n_roles, sizeof *u.roles, compare_names);
	etcd_edit_user(&e, &u);
	etcd_edit_submit(&e);
}

void etcd_user_revoke_role(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	Etcdpb__AuthUserRevokeRoleRequest *r =
	        etcd_unpack(c, &etcdpb__auth_user_revoke_role_request__descriptor, message);
	if (!r)
		return;
	if (is_root_while_on(c, r->name) && strcmp(r->role, "root") == 0) {
		etcd_reply_auth_err(c, ETCD_AUTH_BAD_MANAGEMENT);
		return;
	}
	const struct etcd_user *old = etcd_auth_user(state_of(c), slice_of(r->name));
	if (!old) {
		etcd_reply_auth_err(c, ETCD_AUTH_USER_NOT_FOUND);
		return;
	}
	if (!etcd_user_has_role(old, slice_of(r->role))) {
		etcd_reply_auth_err(c, ETCD_AUTH_ROLE_NOT_GRANTED);
		return;
	}
	struct etcd_edit e = etcd_edit_begin(c, 1);
	etcd_edit_user_without(&e, old, r->role);
	etcd_edit_submit(&e);
}

void etcd_edit_user_without(struct etcd_edit *e, const struct etcd_user *old, const char *role)
{
	Etcdpb__User u = *old->message;
	u.roles = ARENA_ARRAY(&e->call->arena, char *, old->message->n_roles + 1);
	u.n_roles = 0;
	for (size_t i = 0; i < old->message->n_roles; i++)
		if (strcmp(old->message->roles[i], role) != 0)
			u.roles[u.n_roles++] = old->message->roles[i];
	etcd_edit_user(e, &u);
}
