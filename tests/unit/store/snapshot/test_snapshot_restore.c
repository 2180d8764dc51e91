/* Restoring: what goes and what stays, the same identity for all who restore one file, and what is refused. */
#include "store/snapshot/snapshot_int.h"

#include "raft/raft_node.h"
#include "store/machine/read/range.h"
#include "store/snapshot/snapshot_reader.h"
#include "tests/unit/unit.h"
#include "tests/unit/store/version_rows.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[64];
static struct arena arena;
static const struct raft_host_server all[] = {{1, "http://a:2380", RAFT_HOST_VOTER},
        {2, "http://b:2380", RAFT_HOST_VOTER}, {3, "http://c:2380", RAFT_HOST_VOTER}};

static const char *in(const char *name)
{
	return arena_printf(&arena, "%s/%s", folder, name);
}

/* A database as a member of a cluster has it, and a snapshot of it: "one.snap". */
static int setup(void **state)
{
	static const char sql[] = "INSERT INTO cur VALUES (X'61', 2 << 20, 2, 1, 0);"
	                          "INSERT INTO sys VALUES (X'6d656d6265722f31', X'7b7d'), (X'616c61726d2f31', X'31'),"
	                          "(X'617574682f75736572', X'78'), (X'617574682f736563726574', X'73');"
	                          "UPDATE meta SET revision = 2, keys = 1, applied_index = 99, applied_term = 7";
	struct err err = ERR_INIT;
	struct db db;
	struct snapshot_reader *reader;
	unsigned char sum[32];
	snprintf(folder, sizeof folder, "/tmp/k3x-restore-XXXXXX");
	assert_non_null(mkdtemp(folder));
	arena = ARENA_INIT;
	assert_int_equal(db_open(&db, in("old.db"), DB_WRITER, &err), 0);
	put_version(&db, &(struct version_row){
	                         .id = ROW_ID(2), .created = 2, .version = 1, .key = SLICE("a"), .value = SLICE("1")});
	assert_int_equal(sqlite3_exec(db.handle, sql, NULL, NULL, NULL), SQLITE_OK);
	struct snapshot_reader_options o = {.path = in("old.db"), .note = "{\"cluster_id\":\"00000000000000aa\"}"};
	assert_int_equal(snapshot_reader_open(&o, &reader, &err), 0);
	assert_int_equal(snapshot_reader_save(reader, in("one.snap"), &err), 0);
	snapshot_reader_sha256(reader, sum);
	snapshot_reader_close(reader);
	db_close(&db);
	int fd = open(in("one.snap"), O_WRONLY | O_APPEND);
	assert_true(write(fd, sum, sizeof sum) == sizeof sum);
	close(fd);
	return 0;
}

static int teardown(void **state)
{
	int rc = system(arena_printf(&arena, "rm -rf %s", folder));
	arena_release(&arena);
	return rc;
}

static int restore(const char *to, uint64_t member, struct store_restore_options o, uint64_t *id, struct err *err)
{
	struct store_file_info info;
	*err = ERR_INIT;
	o.snapshot = o.snapshot ? o.snapshot : in("one.snap");
	o.data_dir = in(to);
	o.member_id = member;
	o.servers = member ? all : NULL;
	o.n_servers = member ? 3 : 0;
	return store_restore(&o, &info, id, &arena, err);
}

static void add(void *arg, bool is_head, const char *const *texts, int n)
{
	char *out = arg;
	for (int i = 0; !is_head && i < n; i++)
		snprintf(out + strlen(out), 256 - strlen(out), "%s ", texts[i] ? texts[i] : "-");
}

static const char *query(const char *dir, const char *sql)
{
	struct err err = ERR_INIT;
	char *out = arena_zalloc(&arena, 256);
	assert_int_equal(store_sql(in(dir), sql, add, out, &err), 0);
	return out;
}

static void none(void *arg, bool is_damage, const char *text)
{
	fail_msg("%s", text);
}

static void members_alarms_and_the_place_in_the_log_go_users_stay(void **state)
{
	struct err err;
	uint64_t id;
	assert_int_equal(restore("m", 0, (struct store_restore_options){.bump_revision = 10}, &id, &err), 0);
	assert_string_equal(query("m", "SELECT CAST(key AS TEXT) FROM sys"), "auth/user ");
	assert_string_equal(
	        query("m", "SELECT revision, applied_index, applied_term, system_version FROM meta"), "12 0 0 2 ");
	assert_int_not_equal(access(in("m/raft"), F_OK), 0);
	assert_int_not_equal(access(in("m/member"), F_OK), 0);
}

static void members_restored_from_one_file_fit_together(void **state)
{
	static const struct store_restore_options plain;
	struct err err;
	uint64_t ids[3], other;
	for (uint64_t m = 1; m <= 3; m++) {
		const char *dir = arena_printf(&arena, "m%d", (int)m);
		struct raft_host_checked c;
		struct disk *disk;
		assert_int_equal(restore(dir, m, plain, &ids[m - 1], &err), 0);
		assert_string_equal(query(dir, "SELECT applied_index, applied_term FROM meta"), "2 1 ");
		assert_int_equal(disk_posix_new(in(arena_printf(&arena, "%s/raft", dir)), &disk, &err), 0);
		assert_int_equal(raft_host_check(disk, none, NULL, &arena, &c, &err), 0);
		assert_int_equal(c.snapshot_index, RAFT_STATE_INDEX);
		assert_int_equal(c.n_servers, 3);
		disk->v->free(disk);
	}
	assert_true(ids[0] == ids[1] && ids[1] == ids[2] && ids[0] != 0xaa);
	assert_int_equal(restore("t", 1, (struct store_restore_options){.token = "x"}, &other, &err), 0);
	assert_true(other != ids[0]);
	assert_int_equal(restore("k", 1, (struct store_restore_options){.keep_cluster_id = true}, &other, &err), 0);
	assert_true(other == 0xaa);
}

static void data_is_replaced_only_when_asked_and_kept(void **state)
{
	struct err err;
	uint64_t id;
	assert_int_equal(restore("m", 1, (struct store_restore_options){.replace = false}, &id, &err), 0);
	assert_int_equal(restore("m", 1, (struct store_restore_options){.replace = false}, &id, &err), ERR_EXISTS);
	/* It was restored from this snapshot, so it may be again. */
	assert_int_equal(restore("m", 1, (struct store_restore_options){.replace = true}, &id, &err), 0);
	assert_int_equal(access(in("m/state.db.before-restore"), F_OK), 0);
	assert_int_equal(access(in("m/raft.before-restore/snapshot"), F_OK), 0);
	assert_int_equal(restore("m", 1, (struct store_restore_options){.replace = true}, &id, &err), 0);
}

static void what_is_not_this_clusters_or_has_no_hash_is_refused(void **state)
{
	struct err err;
	uint64_t id;
	struct store_restore_options o = {.cluster_id = "00000000000000bb"};
	assert_int_equal(restore("m", 0, o, &id, &err), ERR_CONFLICT);
	o.cluster_id = "00000000000000aa";
	assert_int_equal(restore("m", 0, o, &id, &err), 0);
	o = (struct store_restore_options){.snapshot = in("old.db")};
	assert_int_equal(restore("n", 0, o, &id, &err), ERR_INVAL);
	assert_int_not_equal(access(in("n"), F_OK), 0);
	o.skip_hash_check = true;
	assert_int_equal(restore("n", 0, o, &id, &err), 0);
	assert_string_equal(query("n", "SELECT keys FROM meta"), "1 ");
}

static void a_directory_in_use_is_left_alone(void **state)
{
	struct err err;
	uint64_t id;
	int lock;
	assert_int_equal(restore("m", 0, (struct store_restore_options){.replace = false}, &id, &err), 0);
	assert_int_equal(store_lock(in("m"), &lock, &err), 0);
	assert_int_equal(restore("m", 0, (struct store_restore_options){.replace = true}, &id, &err), ERR_LOCKED);
	close(lock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(members_alarms_and_the_place_in_the_log_go_users_stay, setup, teardown),
	        cmocka_unit_test_setup_teardown(members_restored_from_one_file_fit_together, setup, teardown),
	        cmocka_unit_test_setup_teardown(data_is_replaced_only_when_asked_and_kept, setup, teardown),
	        cmocka_unit_test_setup_teardown(what_is_not_this_clusters_or_has_no_hash_is_refused, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_directory_in_use_is_left_alone, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
