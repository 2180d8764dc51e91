/* The sqlite engine through the suite of all engines, and what only it has: files, lock, restart. */
#include "store/engine.h"

static struct engine *suite_open(void);
#include "tests/unit/store/engine_suite.c"

static struct engine *suite_open(void)
{
	struct engine *e = NULL;
	struct err err = ERR_INIT;
	struct sqlite_engine_options o = {.path = suite_path()};
	if (sqlite_engine_open(&o, &e, &err) != 0)
		fail_msg("%s", err.msg);
	return e;
}

static void test_put_get_delete_survive_a_restart(void **state)
{
	suite_folder_make();
	struct engine *e = suite_open();
	assert_int_equal(store_revision(e), 1);
	assert_int_equal(suite_put(e, "a", "1"), 2);
	assert_int_equal(suite_put(e, "b", "2"), 3);
	assert_int_equal(suite_put(e, "a", "3"), 4);
	assert_int_equal(suite_delete(e, "b"), 5);
	store_close(e);
	e = suite_open();
	assert_int_equal(store_revision(e), 5);
	assert_string_equal(suite_get(e, "a"), "3");
	assert_null(suite_get(e, "b"));
	assert_string_equal(suite_get_at(e, "a", 3), "1");
	assert_string_equal(suite_get_at(e, "b", 4), "2");
	store_close(e);
	suite_folder_remove();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SUITE_TESTS,
		cmocka_unit_test(test_put_get_delete_survive_a_restart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
