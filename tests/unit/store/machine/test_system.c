/* The system keyspace in the state machine: its changes are in the hash, a refused one leaves nothing, and files of
 * format 1, which had none, get it when they are opened and can be looked at without. */
#include "store/machine/machine.h"
#include "store/machine/page_file.h"
#include "store/snapshot/snapshot.h"
#include "tests/unit/store/engine/engine_suite.h"

static void open_machine(struct machine *m)
{
	struct err err = ERR_INIT;
	if (machine_open(m, suite_path(), &err) != 0)
		fail_msg("%s", err.msg);
}

static int change(struct machine *m, int64_t expect, const char *key, const char *value)
{
	struct store_system_entry x = {.key = slice_of(key), .value = slice_of(value), .is_delete = !value};
	struct store_request req = {
	        .type = STORE_REQUEST_SYSTEM, .system = {.expect_version = expect, .changes = &x, .n_changes = 1}};
	struct event_block *block = NULL;
	assert_int_equal(machine_begin(m, NULL), 0);
	assert_int_equal(machine_apply(m, &req, NULL), 0);
	assert_int_equal(machine_commit(m, &block, NULL), 0);
	assert_null(block);
	return req.err.code;
}

static void test_changes_are_in_the_hash_and_refused_ones_are_not(void **state)
{
	struct machine m;
	uint64_t hashes[5];
	suite_folder_make();
	open_machine(&m);
	hashes[0] = m.committed.hash;
	assert_int_equal(change(&m, 1, "k", "1"), 0);
	hashes[1] = m.committed.hash;
	assert_int_equal(change(&m, STORE_SYSTEM_ANY, "k", "2"), 0);
	hashes[2] = m.committed.hash;
	assert_int_equal(change(&m, STORE_SYSTEM_ANY, "k", NULL), 0);
	hashes[3] = m.committed.hash;
	assert_int_equal(change(&m, 1, "k", "3"), ERR_CONFLICT);
	assert_int_equal(m.committed.hash, hashes[3]);
	assert_int_equal(m.committed.system_version, 4);
	assert_int_equal(m.committed.revision, 1);
	for (int i = 1; i < 4; i++)
		assert_int_not_equal(hashes[i], hashes[i - 1]);
	machine_close(&m);
	suite_folder_remove();
}

static void sql(const char *text)
{
	sqlite3 *h = NULL;
	assert_int_equal(sqlite3_open_v2(suite_path(), &h, SQLITE_OPEN_READWRITE, PAGE_FILE_VFS), SQLITE_OK);
	if (sqlite3_exec(h, text, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s", sqlite3_errmsg(h));
	sqlite3_close(h);
}

static void test_files_of_format_1_are_read_and_brought_up(void **state)
{
	struct machine m;
	struct store_file_info info;
	struct store_to_etcd out;
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	suite_folder_make();
	open_machine(&m);
	machine_close(&m);
	sql("ALTER TABLE meta DROP COLUMN system_version; DROP TABLE sys; UPDATE meta SET revision = 7;"
	    "PRAGMA user_version = 1");
	if (store_file_inspect(suite_path(), true, &info, &a, &err) != 0)
		fail_msg("%s", err.msg);
	assert_int_equal(info.revision, 7);
	assert_int_equal(info.users.users, 0);
	const char *to = arena_printf(&a, "%s.etcd", suite_path());
	assert_int_equal(store_snapshot_to_etcd(suite_path(), to, &out, &a, &err), 0);
	open_machine(&m);
	assert_int_equal(m.committed.revision, 7);
	assert_int_equal(m.committed.system_version, 1);
	assert_int_equal(change(&m, 1, "k", "1"), 0);
	machine_close(&m);
	open_machine(&m);
	assert_int_equal(m.committed.system_version, 2);
	machine_close(&m);
	assert_int_equal(store_file_inspect(suite_path(), true, &info, &a, &err), 0);
	arena_release(&a);
	suite_folder_remove();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_changes_are_in_the_hash_and_refused_ones_are_not),
	        cmocka_unit_test(test_files_of_format_1_are_read_and_brought_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
