/* Makes states of users and roles for tests. */
#ifndef K3X_TESTS_AUTH_STATE_H
#define K3X_TESTS_AUTH_STATE_H

#include "store/etcd/auth/auth.h"

#include "store/proto/unpack.h"
#include "tests/unit/unit.h"

struct auth_maker {
	struct arena arena;
	struct store_system_entry list[32];
	size_t n;
};

static inline void auth_add(struct auth_maker *m, const char *key, struct slice value)
{
	m->list[m->n++] = (struct store_system_entry){.key = slice_of(arena_strdup(&m->arena, key)), .value = value};
}

static inline void auth_add_message(struct auth_maker *m, const char *key, const ProtobufCMessage *message)
{
	size_t n = protobuf_c_message_get_packed_size(message);
	uint8_t *bytes = arena_alloc(&m->arena, n + 1);
	protobuf_c_message_pack(message, bytes);
	auth_add(m, key, (struct slice){(const char *)bytes, n});
}

static inline void auth_add_role(struct auth_maker *m, const char *name, Etcdpb__Permission **perms, size_t n)
{
	Etcdpb__Role r = ETCDPB__ROLE__INIT;
	r.name = etcd_bytes(slice_of(name));
	r.keypermission = perms;
	r.n_keypermission = n;
	auth_add_message(m, arena_printf(&m->arena, "auth/role/%s", name), &r.base);
}

static inline void auth_add_user(struct auth_maker *m, const char *name, uint64_t password_revision, const char *role)
{
	Etcdpb__User u = ETCDPB__USER__INIT;
	char *roles[] = {(char *)role};
	u.name = etcd_bytes(slice_of(name));
	u.roles = roles;
	u.n_roles = role ? 1 : 0;
	u.password_revision = password_revision;
	auth_add_message(m, arena_printf(&m->arena, "auth/user/%s", name), &u.base);
}

static inline struct etcd_auth_state *auth_make(struct auth_maker *m)
{
	struct etcd_auth_state *s = etcd_auth_state_new(m->list, m->n);
	arena_release(&m->arena);
	return s;
}

#endif
