/* Tables of what waits and runs: as wide as their widest cells. */
#include "api/server/fairness/dump.h"

#include "base/check.h"
#include "tests/unit/unit.h"

static void columns_are_as_wide_as_their_cells(void **state)
{
	struct dump_table t = {.column = 0};
	struct strbuf out = STRBUF_INIT;
	dump_cell(&t, "Name");
	dump_cell(&t, "ActiveQueues");
	dump_cell(&t, "%s", "Last");
	dump_row(&t);
	dump_cell(&t, "catch-all");
	dump_cell(&t, "%d", 0);
	dump_cell(&t, "a\nb");
	dump_row(&t);
	dump_write(&t, &out);
	assert_string_equal(
	        strbuf_cstr(&out), "Name,      ActiveQueues, Last    \ncatch-all, 0,            a?b     \n");
	strbuf_release(&out);
}

static void a_dump_of_nothing_is_its_head(void **state)
{
	struct strbuf out = STRBUF_INIT;
	assert_true(fairness_dump(NULL, SLICE("dump_priority_levels"), false, &out));
	assert_non_null(
	        strstr(strbuf_cstr(&out), "PriorityLevelName, ActiveQueues, IsIdle, IsQuiescing, WaitingRequests, "));
	strbuf_reset(&out);
	assert_true(fairness_dump(NULL, SLICE("dump_requests"), true, &out));
	assert_non_null(strstr(strbuf_cstr(&out), "StartTime, UserName, Verb,   APIPath, "));
	assert_false(fairness_dump(NULL, SLICE("dump_odd"), false, &out));
	strbuf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(columns_are_as_wide_as_their_cells),
	        cmocka_unit_test(a_dump_of_nothing_is_its_head),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
