/* Users, roles and whether authentication is on: from etcd's buckets into the system keyspace, and back.
 *
 *     bucket auth       "authEnabled": one byte            auth/enabled   there when it is on
 *                       "authRevision": 8 bytes            auth/revision  decimal, from 2 on
 *     bucket authRoles  name: authpb.Role                  auth/role/N    Role, the same fields
 *     bucket authUsers  name: authpb.User                  auth/user/N    User, the same and password_revision
 *
 * Both keep bcrypt hashes, so users log in with the passwords they had. A hash of another kind does not go to etcd, and
 * one so costly that we do not check it is kept but fits nothing here: such users are named for the caller to say so.
 * The secret that signs tokens is no part of either: who restores makes a new one (auth.c).
 *
 * What comes from etcd may be any bytes: names must be those of their keys, permissions of a known kind, and nothing
 * larger than a request could have made it; else ERR_CORRUPT and nothing is taken. */
#include "store/snapshot/snapshot_int.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/pki/pki.h"
#include "store/snapshot/bbolt_int.h"
#include "store/proto/rpc.pb-c.h"
#include "store/proto/unpack.h"

#include <inttypes.h>
#include <stdio.h>

enum { NAME_BYTES_MAX = 32768 }; /* of a key in bbolt */

static void note_without_password(struct store_users *u, struct slice name)
{
	size_t used = strlen(u->without_password);
	CHECK(used < sizeof u->without_password);
	u->n_without_password++;
	if (used + name.len + 8 > sizeof u->without_password) {
		if (used && u->without_password[used - 1] != '.')
			snprintf(u->without_password + used, sizeof u->without_password - used, " ...");
		return;
	}
	char *at = u->without_password + used;
	at += snprintf(at, 3, "%s", used ? ", " : "");
	for (size_t i = 0; i < name.len; i++)
		*at++ = (unsigned char)name.ptr[i] < ' ' || name.ptr[i] == 127 ? '?' : name.ptr[i];
	*at = 0;
}

static struct slice packed(struct arena *a, const ProtobufCMessage *m)
{
	size_t n = protobuf_c_message_get_packed_size(m);
	uint8_t *bytes = arena_alloc(a, n + 1);
	protobuf_c_message_pack(m, bytes);
	return (struct slice){(const char *)bytes, n};
}

static bool is_name(struct slice name)
{
	return name.len && name.len <= NAME_BYTES_MAX && !memchr(name.ptr, 0, name.len);
}

/* ---- from etcd ---- */

struct taking {
	struct db *db;
	struct store_users *users;
	struct arena arena; /* of the record at hand */
};

static int set(struct taking *t, const char *kind, struct slice name, struct slice value, struct err *err)
{
	char *key = arena_alloc(&t->arena, strlen(kind) + name.len + 1);
	size_t len = strlen(kind);
	memcpy(key, kind, len);
	if (name.len)
		memcpy(key + len, name.ptr, name.len);
	sqlite3_stmt *s = db_stmt(t->db, DB_SYS_SET);
	db_bind_slice(s, 1, (struct slice){key, len + name.len});
	db_bind_slice(s, 2, value);
	return db_run(t->db, s, err, "write a setting");
}

static uint64_t big_endian(struct slice s)
{
	uint64_t n = 0;
	for (size_t i = 0; i < s.len; i++)
		n = n << 8 | (unsigned char)s.ptr[i];
	return n;
}

static int take_switch(void *arg, struct slice key, struct slice value, struct err *err)
{
	struct taking *t = arg;
	uint64_t n = value.len <= 8 ? big_endian(value) : 0;
	if (slice_is(key, "authEnabled")) {
		if (value.len != 1 || n > 1)
			return err_set(err, ERR_CORRUPT, "etcd's \"authEnabled\" does not read");
		return n ? set(t, "auth/enabled", SLICE_NULL, SLICE("1"), err) : 0;
	}
	if (!slice_is(key, "authRevision"))
		return 0;
	if (value.len != 8 || n > INT64_MAX)
		return err_set(err, ERR_CORRUPT, "etcd's \"authRevision\" does not read");
	return n > 1 ? set(t, "auth/revision", SLICE_NULL, slice_of(arena_printf(&t->arena, "%" PRIu64, n)), err) : 0;
}

/* The record as a message that is named as its key; NULL: it is none. */
static void *unpack(struct taking *t, const ProtobufCMessageDescriptor *type, struct slice key, struct slice value)
{
	return is_name(key) && value.len <= STORE_REQUEST_BYTES_MAX ? etcd_message_unpack(&t->arena, type, value)
	                                                            : NULL;
}

static int take_role(void *arg, struct slice key, struct slice value, struct err *err)
{
	struct taking *t = arg;
	Etcdpb__Role *r = unpack(t, &etcdpb__role__descriptor, key, value);
	bool is_sound = r && slice_eq(etcd_slice(r->name), key);
	for (size_t i = 0; is_sound && i < r->n_keypermission; i++)
		is_sound = (unsigned)r->keypermission[i]->permtype <= ETCDPB__PERMISSION__TYPE__READWRITE;
	int rc = is_sound ? set(t, "auth/role/", key, packed(&t->arena, &r->base), err)
	                  : err_set(err, ERR_CORRUPT, "a role of etcd does not read (its key has %zu bytes)", key.len);
	arena_release(&t->arena);
	return rc;
}

static int take_user(void *arg, struct slice key, struct slice value, struct err *err)
{
	struct taking *t = arg;
	Etcdpb__User *u = unpack(t, &etcdpb__user__descriptor, key, value);
	int rc;
	if (u && slice_eq(etcd_slice(u->name), key)) {
		unsigned cost = pki_password_bcrypt_cost(etcd_slice(u->password));
		if (u->password.len && (!cost || cost > PKI_PASSWORD_COST_MAX))
			note_without_password(t->users, key);
		u->password_revision = 0; /* ours: etcd has no such field */
		rc = set(t, "auth/user/", key, packed(&t->arena, &u->base), err);
	} else {
		rc = err_set(err, ERR_CORRUPT, "a user of etcd does not read (its key has %zu bytes)", key.len);
	}
	arena_release(&t->arena);
	return rc;
}

int snapshot_users_from_etcd(struct db *db, const struct bbolt *b, struct store_users *users, struct err *err)
{
	static const struct {
		const char *bucket;
		int (*take)(void *arg, struct slice key, struct slice value, struct err *err);
	} buckets[] = {{"auth", take_switch}, {"authRoles", take_role}, {"authUsers", take_user}};
	struct taking t = {.db = db, .users = users};
	int rc = 0;
	for (size_t i = 0; i < COUNT_OF(buckets) && rc >= 0; i++) {
		struct bbolt_bucket bucket = {0};
		rc = bbolt_bucket(b, slice_of(buckets[i].bucket), &bucket, err);
		if (rc == 1)
			rc = bbolt_each(b, &bucket, buckets[i].take, &t, err);
	}
	arena_release(&t.arena);
	return rc < 0 ? rc : snapshot_users_count(db, users, err);
}

/* ---- to etcd ---- */

struct giving {
	struct db *db;
	struct bbolt_writer *w;
	struct store_users *users;
	struct arena arena; /* of the record at hand */
};

static int give_role(struct giving *g, struct slice name, struct slice value, struct err *err)
{
	Etcdpb__Role *r = etcd_message_unpack(&g->arena, &etcdpb__role__descriptor, value);
	if (!r)
		return err_set(err, ERR_CORRUPT, "the role \"%.*s\" does not read", SLICE_FMT(name));
	return bbolt_writer_put(g->w, name, packed(&g->arena, &r->base), err);
}

static int give_user(struct giving *g, struct slice name, struct slice value, struct err *err)
{
	Etcdpb__User *u = etcd_message_unpack(&g->arena, &etcdpb__user__descriptor, value);
	if (!u)
		return err_set(err, ERR_CORRUPT, "the user \"%.*s\" does not read", SLICE_FMT(name));
	if (u->password.len && !pki_password_bcrypt_cost(etcd_slice(u->password))) {
		note_without_password(g->users, name);
		u->password.len = 0;
	}
	u->password_revision = 0;
	return bbolt_writer_put(g->w, name, packed(&g->arena, &u->base), err);
}

/* Those whose keys begin with `kind`, as a bucket. */
static int give_records(struct giving *g, const char *bucket, const char *kind,
        int (*give)(struct giving *g, struct slice name, struct slice value, struct err *err), struct err *err)
{
	sqlite3_stmt *s = db_stmt(g->db, DB_SYS_FROM);
	int rc;
	if (bbolt_writer_bucket(g->w, bucket, err) != 0)
		return err->code;
	db_bind_slice(s, 1, slice_of(kind));
	while ((rc = db_step(g->db, s, err, "read the settings")) == 1) {
		struct slice key = db_column_slice(s, 0);
		if (!slice_starts(key, kind)) {
			rc = 0;
			break;
		}
		struct slice name = {key.ptr + strlen(kind), key.len - strlen(kind)};
		rc = is_name(name) ? give(g, name, db_column_slice(s, 1), err)
		                   : err_set(err, ERR_INVAL, "%s: a name of %zu bytes: etcd keeps up to %d", bucket,
		                             name.len, NAME_BYTES_MAX);
		arena_release(&g->arena);
		if (rc != 0)
			break;
	}
	db_done(s);
	return rc;
}

static int give_switches(struct giving *g, struct err *err)
{
	char revision[8];
	uint64_t n = g->users->auth_revision;
	if (bbolt_writer_bucket(g->w, "auth", err) != 0)
		return err->code;
	for (int i = 7; i >= 0; i--, n >>= 8)
		revision[i] = (char)(n & 0xff);
	if (bbolt_writer_put(g->w, SLICE("authEnabled"), g->users->is_auth_enabled ? SLICE("\1") : SLICE("\0"), err) !=
	        0)
		return err->code;
	return bbolt_writer_put(g->w, SLICE("authRevision"), (struct slice){revision, 8}, err);
}

int snapshot_users_to_etcd(struct db *db, struct bbolt_writer *w, struct store_users *users, struct err *err)
{
	struct giving g = {.db = db, .w = w, .users = users};
	if (snapshot_users_count(db, users, err) != 0 || give_switches(&g, err) != 0 ||
	        give_records(&g, "authRoles", "auth/role/", give_role, err) != 0)
		return err->code;
	return give_records(&g, "authUsers", "auth/user/", give_user, err);
}

/* ---- both ---- */

static void count(struct store_users *u, struct slice key, struct slice value)
{
	u->users += slice_starts(key, "auth/user/");
	u->roles += slice_starts(key, "auth/role/");
	u->is_auth_enabled |= slice_is(key, "auth/enabled");
	if (slice_is(key, "auth/revision"))
		slice_to_u64(value, &u->auth_revision);
}

int snapshot_users_count(struct db *db, struct store_users *u, struct err *err)
{
	sqlite3_stmt *s = db_stmt(db, DB_SYS_FROM);
	int rc;
	u->users = u->roles = 0;
	u->is_auth_enabled = false;
	u->auth_revision = 1;
	db_bind_slice(s, 1, SLICE("auth/"));
	while ((rc = db_step(db, s, err, "read the settings")) == 1 && slice_starts(db_column_slice(s, 0), "auth/"))
		count(u, db_column_slice(s, 0), db_column_slice(s, 1));
	db_done(s);
	return rc < 0 ? rc : 0;
}
