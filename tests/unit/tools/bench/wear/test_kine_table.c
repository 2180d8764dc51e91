/* Tests of the bare table: each put is a row with the value before it. */
#include "tests/unit/unit.h"
#include "tools/bench/wear/wear_int.h"

#include "base/mem/arena.h"

#include <unistd.h>

static struct slice text(const char *s)
{
	return slice_of(s);
}

/* What the sqlite3 library of the store reads there would need its header here: the file's bytes are enough. */
static bool file_has(const char *path, const char *bytes)
{
	FILE *f = fopen(path, "re");
	static char all[1 << 20];
	size_t n = f ? fread(all, 1, sizeof all, f) : 0;
	if (f)
		fclose(f);
	return memmem(all, n, bytes, strlen(bytes)) != NULL;
}

static void test_a_row_holds_the_value_and_the_one_before(void **state)
{
	char dir[] = "/tmp/k3x-test-XXXXXX", path[64];
	struct wear_table *t = NULL;
	struct err err = ERR_INIT;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(wear_table_open(dir, &t, &err), 0);
	assert_int_equal(wear_table_put(t, text("key"), text("first-value"), &err), 0);
	assert_int_equal(wear_table_put(t, text("key"), text("second-value"), &err), 0);
	assert_int_equal(wear_table_put(t, text("other"), text("third-value"), &err), 0);
	wear_table_close(t);
	snprintf(path, sizeof path, "%s/state.db", dir);
	assert_true(file_has(path, "second-valuefirst-value")); /* value, old_value */
	assert_true(file_has(path, "third-value"));
	assert_false(file_has(path, "third-valuesecond-value"));
	unlink(path);
	assert_int_equal(rmdir(dir), 0); /* closing left no log behind */
}

static void test_a_missing_folder_is_an_error(void **state)
{
	struct wear_table *t = NULL;
	struct err err = ERR_INIT;
	assert_int_equal(wear_table_open("/nowhere/at/all", &t, &err), ERR_IO);
	assert_null(t);
	assert_non_null(strstr(err.msg, "the table: open"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_a_row_holds_the_value_and_the_one_before),
	        cmocka_unit_test(test_a_missing_folder_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
