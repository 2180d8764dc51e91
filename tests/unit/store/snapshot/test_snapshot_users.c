/* Users and roles on their way from etcd and back: what comes over, who is left without a password, what is refused. */
#include "store/snapshot/bbolt_int.h"
#include "store/etcd/serve/quota.h"

#include "store/proto/unpack.h"
#include "store/snapshot/snapshot_int.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <unistd.h>

#define BCRYPT_10 "$2a$10$A/9Hj8jIsIRNW9a2uWrmFOtqkyj2oHci88dUNL9iIJmakAMmydOwi"
#define BCRYPT_20 "$2a$20$A/9Hj8jIsIRNW9a2uWrmFOtqkyj2oHci88dUNL9iIJmakAMmydOwi"
#define SCRYPT "scrypt$8$8$1$AAAA$AAAA"

static struct arena arena;
static const char *file;

static int setup(void **state)
{
	arena = ARENA_INIT;
	file = arena_printf(&arena, "/tmp/k3x-users-%ld.db", (long)getpid());
	unlink(file);
	return 0;
}

static int teardown(void **state)
{
	unlink(file);
	arena_release(&arena);
	return 0;
}

static struct slice packed(const ProtobufCMessage *m)
{
	uint8_t *bytes = arena_alloc(&arena, protobuf_c_message_get_packed_size(m) + 1);
	return (struct slice){(const char *)bytes, protobuf_c_message_pack(m, bytes)};
}

static struct slice user(const char *name, const char *hash, const char *role, uint64_t password_revision)
{
	Etcdpb__User u = ETCDPB__USER__INIT;
	char *roles[] = {(char *)role};
	u.name = etcd_bytes(slice_of(name));
	u.password = etcd_bytes(slice_of(hash));
	u.roles = roles;
	u.n_roles = 1;
	u.password_revision = password_revision;
	return packed(&u.base);
}

static struct slice role(const char *name, int type)
{
	Etcdpb__Role r = ETCDPB__ROLE__INIT;
	Etcdpb__Permission p = ETCDPB__PERMISSION__INIT, *list[] = {&p};
	p.permtype = (Etcdpb__Permission__Type)type;
	p.key = etcd_bytes(SLICE("a"));
	p.range_end = etcd_bytes(SLICE("\0"));
	r.name = etcd_bytes(slice_of(name));
	r.keypermission = list;
	r.n_keypermission = 1;
	return packed(&r.base);
}

/* ---- files of etcd ---- */

struct record {
	const char *bucket;
	struct slice key, value;
};

/* Takes over a file with these records, which come bucket by bucket, into an open database. */
static int take(const struct record *list, size_t n, struct db *db, struct store_users *users, struct err *err)
{
	struct bbolt_writer *w;
	struct bbolt b;
	unlink(file);
	*users = (struct store_users){0};
	*err = ERR_INIT;
	assert_int_equal(bbolt_writer_open(file, &w, err), 0);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || strcmp(list[i - 1].bucket, list[i].bucket) != 0)
			assert_int_equal(bbolt_writer_bucket(w, list[i].bucket, err), 0);
		assert_int_equal(bbolt_writer_put(w, list[i].key, list[i].value, err), 0);
	}
	assert_int_equal(bbolt_writer_finish(w, err), 0);
	bbolt_writer_free(w);
	assert_int_equal(db_open(db, ":memory:", DB_WRITER, err), 0);
	assert_int_equal(bbolt_open(file, -1, &b, err), 0);
	int rc = snapshot_users_from_etcd(db, &b, users, err);
	bbolt_close(&b);
	return rc;
}

static struct slice setting(struct db *db, const char *key)
{
	struct err err = ERR_INIT;
	struct slice found = SLICE_NULL;
	sqlite3_stmt *s = db_stmt(db, DB_SYS_FROM);
	db_bind_slice(s, 1, slice_of(key));
	if (db_step(db, s, &err, "read") == 1 && slice_is(db_column_slice(s, 0), key)) {
		found = db_column_slice(s, 1);
		found.ptr = arena_memdup(&arena, found.ptr, found.len);
	}
	db_done(s);
	return found;
}

static void they_come_over_in_our_form(void **state)
{
	const struct record records[] = {{"auth", SLICE("authEnabled"), SLICE("\1")},
	        {"auth", SLICE("authRevision"), SLICE("\0\0\0\0\0\0\1\2")}, {"authRoles", SLICE("r"), role("r", 2)},
	        {"authUsers", SLICE("alice"), user("alice", BCRYPT_10, "r", 0)},
	        {"authUsers", SLICE("b\nb"), user("b\nb", BCRYPT_20, "r", 0)},
	        {"authUsers", SLICE("nobody"), user("nobody", "", "r", 77)}};
	struct store_users users;
	struct err err;
	struct db db;
	assert_int_equal(take(records, COUNT_OF(records), &db, &users, &err), 0);
	assert_true(slice_is(setting(&db, "auth/enabled"), "1"));
	assert_true(slice_is(setting(&db, "auth/revision"), "258"));
	assert_true(slice_eq(setting(&db, "auth/role/r"), records[2].value));
	assert_true(slice_eq(setting(&db, "auth/user/alice"), records[3].value));
	assert_true(slice_eq(setting(&db, "auth/user/nobody"), user("nobody", "", "r", 0)));
	assert_true(users.is_auth_enabled && users.users == 3 && users.roles == 1 && users.auth_revision == 258);
	assert_int_equal(users.n_without_password, 1); /* its hash is too costly to be checked */
	assert_string_equal(users.without_password, "b?b");
	db_close(&db);
}

static void an_untouched_etcd_leaves_nothing(void **state)
{
	const struct record records[] = {{"auth", SLICE("authEnabled"), SLICE("\0")},
	        {"auth", SLICE("authRevision"), SLICE("\0\0\0\0\0\0\0\1")}};
	struct store_users users;
	struct err err;
	struct db db;
	assert_int_equal(take(records, COUNT_OF(records), &db, &users, &err), 0);
	assert_null(setting(&db, "auth/enabled").ptr);
	assert_null(setting(&db, "auth/revision").ptr);
	assert_true(!users.is_auth_enabled && users.users == 0 && users.auth_revision == 1);
	db_close(&db);
}

static void what_does_not_read_is_refused(void **state)
{
	const struct record records[] = {{"auth", SLICE("authEnabled"), SLICE("\2")},
	        {"auth", SLICE("authEnabled"), SLICE("\1\1")}, {"auth", SLICE("authRevision"), SLICE("\1")},
	        {"auth", SLICE("authRevision"), SLICE("\377\0\0\0\0\0\0\0")},
	        {"authRoles", SLICE("r"), SLICE("\xff\xff")}, {"authRoles", SLICE("r"), role("other", 2)},
	        {"authRoles", SLICE("r"), role("r", 3)}, {"authUsers", SLICE("u"), SLICE("\x0a\x7f")},
	        {"authUsers", SLICE("u"), user("v", "", "r", 0)}, {"authUsers", SLICE(""), user("", "", "r", 0)},
	        {"authUsers", SLICE("a\0b"),
	                SLICE("\x0a\x03"
	                      "a\0b")}};
	struct store_users users;
	struct err err;
	struct db db;
	for (size_t i = 0; i < COUNT_OF(records); i++) {
		assert_int_equal(take(&records[i], 1, &db, &users, &err), ERR_CORRUPT);
		assert_non_null(strstr(err.msg, "does not read"));
		db_close(&db);
	}
}

/* ---- back ---- */

static void set(struct db *db, const char *key, struct slice value)
{
	struct err err = ERR_INIT;
	sqlite3_stmt *s = db_stmt(db, DB_SYS_SET);
	db_bind_slice(s, 1, slice_of(key));
	db_bind_slice(s, 2, value);
	assert_int_equal(db_run(db, s, &err, "write"), 0);
}

static int give(struct db *db, struct store_users *users, struct err *err)
{
	struct bbolt_writer *w;
	unlink(file);
	*users = (struct store_users){0};
	assert_int_equal(bbolt_writer_open(file, &w, err), 0);
	int rc = snapshot_users_to_etcd(db, w, users, err);
	if (rc == 0)
		rc = bbolt_writer_finish(w, err);
	bbolt_writer_free(w);
	return rc;
}

static int add(void *arg, struct slice key, struct slice value, struct err *err)
{
	strbuf_addf(arg, "%.*s=%zu ", SLICE_FMT(key), value.len);
	return 0;
}

static const char *bucket(const char *name)
{
	struct strbuf text = STRBUF_INIT;
	struct err err = ERR_INIT;
	struct bbolt_bucket found;
	struct bbolt b;
	assert_int_equal(bbolt_open(file, -1, &b, &err), 0);
	assert_int_equal(bbolt_bucket(&b, slice_of(name), &found, &err), 1);
	assert_int_equal(bbolt_each(&b, &found, add, &text, &err), 0);
	bbolt_close(&b);
	const char *kept = arena_strdup(&arena, strbuf_cstr(&text));
	strbuf_release(&text);
	return kept;
}

static void they_go_back_but_for_hashes_etcd_does_not_know(void **state)
{
	struct store_users users, again;
	struct err err = ERR_INIT;
	struct db db, other;
	struct bbolt b;
	assert_int_equal(db_open(&db, ":memory:", DB_WRITER, &err), 0);
	assert_int_not_equal(access(":memory:", F_OK), 0); /* it is in memory alone */
	set(&db, "auth/enabled", SLICE("1"));
	set(&db, "auth/revision", SLICE("9"));
	set(&db, "auth/role/r", role("r", 1));
	set(&db, "auth/secret", SLICE("must not leave"));
	set(&db, "auth/user/alice", user("alice", BCRYPT_10, "r", 8));
	set(&db, "auth/user/bob", user("bob", SCRYPT, "r", 9));
	set(&db, "auth/user/carol", user("carol", SCRYPT, "r", 9));
	set(&db, "member/1", SLICE("{}"));
	assert_int_equal(give(&db, &users, &err), 0);
	assert_string_equal(bucket("auth"), "authEnabled=1 authRevision=8 ");
	assert_string_equal(bucket("authRoles"), "r=13 ");
	assert_string_equal(bucket("authUsers"), "alice=72 bob=8 carol=10 ");
	assert_int_equal(users.n_without_password, 2);
	assert_string_equal(users.without_password, "bob, carol");
	assert_int_equal(db_open(&other, ":memory:", DB_WRITER, &err), 0);
	assert_int_equal(bbolt_open(file, -1, &b, &err), 0);
	assert_int_equal(snapshot_users_from_etcd(&other, &b, &again, &err), 0);
	assert_true(slice_eq(setting(&other, "auth/user/alice"), user("alice", BCRYPT_10, "r", 0)));
	assert_true(slice_eq(setting(&other, "auth/role/r"), role("r", 1)));
	assert_true(slice_is(setting(&other, "auth/revision"), "9"));
	assert_null(setting(&other, "auth/secret").ptr);
	bbolt_close(&b);
	db_close(&other);
	db_close(&db);
}

static void many_names_are_cut(void **state)
{
	struct store_users users;
	struct err err = ERR_INIT;
	struct db db;
	assert_int_equal(db_open(&db, ":memory:", DB_WRITER, &err), 0);
	for (int i = 100; i < 200; i++) {
		const char *name = arena_printf(&arena, "user-%d", i);
		set(&db, arena_printf(&arena, "auth/user/%s", name), user(name, SCRYPT, "r", 1));
	}
	assert_int_equal(give(&db, &users, &err), 0);
	assert_int_equal(users.n_without_password, 100);
	assert_true(strlen(users.without_password) < sizeof users.without_password);
	assert_non_null(strstr(users.without_password, "user-100, user-101"));
	assert_string_equal(users.without_password + strlen(users.without_password) - 4, " ...");
	db_close(&db);
}

static void names_that_etcd_cannot_keep_are_refused(void **state)
{
	struct store_users users;
	struct err err = ERR_INIT;
	struct db db;
	assert_int_equal(db_open(&db, ":memory:", DB_WRITER, &err), 0);
	set(&db, arena_printf(&arena, "auth/role/%040000d", 1), role("r", 1));
	assert_int_equal(give(&db, &users, &err), ERR_INVAL);
	db_close(&db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(they_come_over_in_our_form, setup, teardown),
	        cmocka_unit_test_setup_teardown(an_untouched_etcd_leaves_nothing, setup, teardown),
	        cmocka_unit_test_setup_teardown(what_does_not_read_is_refused, setup, teardown),
	        cmocka_unit_test_setup_teardown(they_go_back_but_for_hashes_etcd_does_not_know, setup, teardown),
	        cmocka_unit_test_setup_teardown(many_names_are_cut, setup, teardown),
	        cmocka_unit_test_setup_teardown(names_that_etcd_cannot_keep_are_refused, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
