/* jepsen/check_counter: reads lie between what was surely and what was possibly added, and never go back. */
#include "tests/unit/jepsen/histories.h"

static void add(int process, int64_t step)
{
	R(process, INVOKE, ADD, o.key = "n", o.value = step);
	R(process, OK, ADD);
}

static void read_it(int process, int64_t value)
{
	R(process, INVOKE, READ, o.key = "n");
	R(process, OK, READ, o.value = value);
}

static void reads_within_the_bounds_are_valid(void **state)
{
	begin("counter");
	read_it(0, HISTORY_NIL);
	add(0, 2);
	R(1, INVOKE, ADD, o.key = "n", o.value = 3);
	read_it(0, 5);
	R(1, INFO, ADD);
	read_it(0, 5);
	expect_valid("counter");
}

static void an_acknowledged_increment_must_be_seen(void **state)
{
	begin("counter");
	add(0, 2);
	add(0, 2);
	read_it(1, 2);
	expect_invalid("counter", "lost increment");
}

static void more_than_was_asked_for_comes_from_nowhere(void **state)
{
	begin("counter");
	add(0, 2);
	R(1, INVOKE, ADD, o.key = "n", o.value = 3);
	R(1, FAIL, ADD);
	read_it(0, 5);
	expect_invalid("counter", "increment from nowhere");
}

static void a_counter_never_goes_back(void **state)
{
	begin("counter");
	R(1, INVOKE, ADD, o.key = "n", o.value = 3);
	R(1, INFO, ADD);
	read_it(0, 3);
	read_it(0, 0);
	expect_invalid("counter", "counter went back");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(reads_within_the_bounds_are_valid),
	        cmocka_unit_test(an_acknowledged_increment_must_be_seen),
	        cmocka_unit_test(more_than_was_asked_for_comes_from_nowhere),
	        cmocka_unit_test(a_counter_never_goes_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
