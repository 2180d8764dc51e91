/* Auth: roles and their permissions. As users.c. */
#include "store/etcd/calls/roles.h"

#include "store/etcd/calls/auth_edit_int.h"
#include "store/etcd/serve/answer.h"
#include "store/proto/unpack.h"

#include <stdlib.h>

static const struct etcd_auth_state *state_of(const struct etcd_call *c)
{
	return c->service->system.auth;
}

void etcd_role_add(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	Etcdpb__AuthNameRequest *r = etcd_unpack(c, &etcdpb__auth_name_request__descriptor, message);
	Etcdpb__Role role = ETCDPB__ROLE__INIT;
	if (!r)
		return;
	if (!r->name[0] || etcd_auth_role(state_of(c), slice_of(r->name))) {
		etcd_reply_auth_err(c, r->name[0] ? ETCD_AUTH_ROLE_EXISTS : ETCD_AUTH_ROLE_EMPTY);
		return;
	}
	struct etcd_edit e = etcd_edit_begin(c, 1);
	role.name = etcd_bytes(slice_of(r->name));
	etcd_edit_role(&e, &role);
	etcd_edit_submit(&e);
}

void etcd_role_get(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	Etcdpb__AuthRoleRequest *r = etcd_unpack(c, &etcdpb__auth_role_request__descriptor, message);
	Etcdpb__AuthRoleGetResponse m = ETCDPB__AUTH_ROLE_GET_RESPONSE__INIT;
	if (!r)
		return;
	/* Everybody may look at the roles he has. */
	enum etcd_auth_error error = etcd_auth_check_admin(state_of(c), &c->who);
	const struct etcd_user *self = error ? etcd_auth_user(state_of(c), c->who.name) : NULL;
	if (error && !(self && etcd_user_has_role(self, slice_of(r->role)))) {
		etcd_reply_auth_err(c, error);
		return;
	}
	const Etcdpb__Role *role = etcd_auth_role(state_of(c), slice_of(r->role));
	if (!role) {
		etcd_reply_auth_err(c, ETCD_AUTH_ROLE_NOT_FOUND);
		return;
	}
	m.header = etcd_header(c->service, &c->arena, store_revision(c->service->store));
	m.perm = role->keypermission;
	m.n_perm = role->n_keypermission;
	etcd_reply(c, &m.base);
}

void etcd_role_list(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	const struct etcd_auth_state *auth = state_of(c);
	Etcdpb__AuthRolesResponse m = ETCDPB__AUTH_ROLES_RESPONSE__INIT;
	m.header = etcd_header(c->service, &c->arena, store_revision(c->service->store));
	m.roles = ARENA_ARRAY(&c->arena, char *, auth->n_roles + 1);
	for (size_t i = 0; i < auth->n_roles; i++) {
		struct slice name = etcd_slice(auth->roles[i]->name);
		m.roles[m.n_roles++] = arena_memdup(&c->arena, name.ptr, name.len);
	}
	etcd_reply(c, &m.base);
}

void etcd_role_delete(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	const struct etcd_auth_state *auth = state_of(c);
	Etcdpb__AuthRoleRequest *r = etcd_unpack(c, &etcdpb__auth_role_request__descriptor, message);
	if (!r)
		return;
	if (auth->is_enabled && strcmp(r->role, "root") == 0) {
		etcd_reply_auth_err(c, ETCD_AUTH_BAD_MANAGEMENT);
		return;
	}
	if (!etcd_auth_role(auth, slice_of(r->role))) {
		etcd_reply_auth_err(c, ETCD_AUTH_ROLE_NOT_FOUND);
		return;
	}
	struct etcd_edit e = etcd_edit_begin(c, auth->n_users + 1);
	etcd_edit_drop(&e, "auth/role/", slice_of(r->role));
	for (size_t i = 0; i < auth->n_users; i++)
		if (etcd_user_has_role(&auth->users[i], slice_of(r->role)))
			etcd_edit_user_without(&e, &auth->users[i], r->role);
	etcd_edit_submit(&e);
}

/* A key, or a range that is not empty ("\0" as its end: all from the key on). */
static bool is_range(const Etcdpb__Permission *p)
{
	struct slice key = etcd_slice(p->key), end = etcd_slice(p->range_end);
	if (!key.len)
		return false;
	return !end.len || slice_cmp(key, end) < 0 || (end.len == 1 && end.ptr[0] == 0);
}

static bool is_same_range(const Etcdpb__Permission *p, struct slice key, struct slice end)
{
	return slice_eq(etcd_slice(p->key), key) && slice_eq(etcd_slice(p->range_end), end);
}

static int compare_keys(const void *x, const void *y)
{
	return slice_cmp(
	        etcd_slice((*(Etcdpb__Permission *const *)x)->key), etcd_slice((*(Etcdpb__Permission *const *)y)->key));
}

/* The permissions but for the one of this range, with room for one more. */
static Etcdpb__Role copy_without(struct arena *a, const Etcdpb__Role *old, struct slice key, struct slice end)
{
	Etcdpb__Role role = *old;
	role.keypermission = ARENA_ARRAY(a, Etcdpb__Permission *, old->n_keypermission + 1);
	role.n_keypermission = 0;
	for (size_t i = 0; i < old->n_keypermission; i++)
		if (!is_same_range(old->keypermission[i], key, end))
			role.keypermission[role.n_keypermission++] = old->keypermission[i];
	return role;
}

void etcd_role_grant_permission(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	Etcdpb__AuthRoleGrantPermissionRequest *r =
	        etcd_unpack(c, &etcdpb__auth_role_grant_permission_request__descriptor, message);
	if (!r)
		return;
	if (!r->perm || !is_range(r->perm)) {
		etcd_reply_auth_err(c, r->perm ? ETCD_AUTH_BAD_MANAGEMENT : ETCD_AUTH_PERMISSION_NOT_GIVEN);
		return;
	}
	const Etcdpb__Role *old = etcd_auth_role(state_of(c), slice_of(r->name));
	if (!old) {
		etcd_reply_auth_err(c, ETCD_AUTH_ROLE_NOT_FOUND);
		return;
	}
	struct etcd_edit e = etcd_edit_begin(c, 1);
	Etcdpb__Role role = copy_without(&c->arena, old, etcd_slice(r->perm->key), etcd_slice(r->perm->range_end));
	role.keypermission[role.n_keypermission++] = r->perm;
	qsort(role.keypermission, role.n_keypermission, sizeof *role.keypermission, compare_keys);
	etcd_edit_role(&e, &role);
	etcd_edit_submit(&e);
}

void etcd_role_revoke_permission(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	Etcdpb__AuthRoleRevokePermissionRequest *r =
	        etcd_unpack(c, &etcdpb__auth_role_revoke_permission_request__descriptor, message);
	if (!r)
		return;
	const Etcdpb__Role *old = etcd_auth_role(state_of(c), slice_of(r->role));
	if (!old) {
		etcd_reply_auth_err(c, ETCD_AUTH_ROLE_NOT_FOUND);
		return;
	}
	Etcdpb__Role role = copy_without(&c->arena, old, etcd_slice(r->key), etcd_slice(r->range_end));
	if (role.n_keypermission == old->n_keypermission) {
		etcd_reply_auth_err(c, ETCD_AUTH_PERMISSION_NOT_GRANTED);
		return;
	}
	struct etcd_edit e = etcd_edit_begin(c, 1);
	etcd_edit_role(&e, &role);
	etcd_edit_submit(&e);
}
