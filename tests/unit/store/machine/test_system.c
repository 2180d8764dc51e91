/* The system keyspace in the state machine: its changes are in the hash, a refused one leaves nothing, and they are
 * read wherever they are. */
#include "store/machine/flush.h"
#include "store/machine/system.h"
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
	machine_begin(m);
	machine_apply(m, &req);
	assert_null(machine_publish(m));
	return req.err.code;
}

static void test_changes_are_in_the_hash_and_refused_ones_are_not(void **state)
{
	struct machine m;
	uint64_t hashes[5];
	suite_folder_make();
	open_machine(&m);
	hashes[0] = m.meta.hash;
	assert_int_equal(change(&m, 1, "k", "1"), 0);
	hashes[1] = m.meta.hash;
	assert_int_equal(change(&m, STORE_SYSTEM_ANY, "k", "2"), 0);
	hashes[2] = m.meta.hash;
	assert_int_equal(change(&m, STORE_SYSTEM_ANY, "k", NULL), 0);
	hashes[3] = m.meta.hash;
	assert_int_equal(change(&m, 1, "k", "3"), ERR_CONFLICT);
	assert_int_equal(m.meta.hash, hashes[3]);
	assert_int_equal(m.meta.system_version, 4);
	assert_int_equal(m.meta.revision, 1);
	for (int i = 1; i < 4; i++)
		assert_int_not_equal(hashes[i], hashes[i - 1]);
	machine_close(&m);
	suite_folder_remove();
}

static void test_settings_survive_in_the_database(void **state)
{
	struct machine m;
	struct err err = ERR_INIT;
	suite_folder_make();
	open_machine(&m);
	assert_int_equal(change(&m, 1, "a/1", "x"), 0);
	assert_int_equal(change(&m, 2, "a/2", "y"), 0);
	assert_int_equal(change(&m, 3, "b", "z"), 0);
	for (int i = 0; i < 3; i++) { /* all in memory; then one beside the database's; then in it */
		struct store_request req = {.system.prefix = SLICE("a/")};
		struct store_view v;
		assert_int_equal(store_view_open(&v, &m.table, &m.db, &err), 0);
		system_read(&v, &req);
		store_view_close(&v);
		assert_int_equal(req.err.code, 0);
		assert_int_equal(req.system.n_entries, i == 0 ? 2 : 1);
		struct store_system_entry *last = &req.system.entries[req.system.n_entries - 1];
		assert_true(slice_eq(last->key, SLICE("a/2")) && slice_eq(last->value, SLICE("y")));
		store_request_release(&req);
		mem_table_freeze(&m.table);
		assert_true(machine_flush(&m, &err) >= 0);
		if (i == 0)
			assert_int_equal(change(&m, STORE_SYSTEM_ANY, "a/1", NULL), 0);
	}
	machine_close(&m);
	open_machine(&m);
	assert_int_equal(m.meta.system_version, 5);
	machine_close(&m);
	suite_folder_remove();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_changes_are_in_the_hash_and_refused_ones_are_not),
	        cmocka_unit_test(test_settings_survive_in_the_database),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
