/* jepsen/check_set: each way to lose, keep or invent an element. */
#include "tests/unit/jepsen/histories.h"

static void add(int process, int64_t value)
{
	R(process, INVOKE, ADD, o.key = "s", o.value = value);
	R(process, OK, ADD);
}

static void all_that_was_acknowledged_is_read(void **state)
{
	begin("set");
	add(0, 1);
	R(1, INVOKE, ADD, o.key = "s", o.value = 2);
	R(1, INFO, ADD);
	R(0, INVOKE, READ, o.key = "s");
	R(0, OK, READ, VALUES(1));
	R(0, INVOKE, READ, o.key = "s", o.flags = HISTORY_FINAL);
	R(0, OK, READ, VALUES(1, 2), o.flags = HISTORY_FINAL);
	expect_valid("set");
}

static void a_missing_element_is_lost(void **state)
{
	begin("set");
	add(0, 1);
	add(0, 2);
	R(0, INVOKE, READ, o.key = "s");
	R(0, OK, READ, VALUES(2));
	expect_invalid("set", "lost element");
}

static void an_element_that_was_read_and_is_gone_is_lost(void **state)
{
	begin("set");
	R(1, INVOKE, ADD, o.key = "s", o.value = 2);
	R(1, INFO, ADD);
	R(0, INVOKE, READ, o.key = "s");
	R(0, OK, READ, VALUES(2));
	R(0, INVOKE, READ, o.key = "s");
	R(0, OK, READ);
	expect_invalid("set", "lost element");
}

static void an_element_that_is_seen_late_was_read_stale(void **state)
{
	begin("set");
	add(0, 1);
	R(0, INVOKE, READ, o.key = "s");
	R(0, OK, READ);
	R(0, INVOKE, READ, o.key = "s");
	R(0, OK, READ, VALUES(1));
	expect_invalid("set", "stale read");
}

static void an_element_that_nobody_added_is_unexpected(void **state)
{
	begin("set");
	R(0, INVOKE, READ, o.key = "s");
	R(0, OK, READ, VALUES(9));
	expect_invalid("set", "unexpected element");
}

static void an_element_twice_is_a_duplicate(void **state)
{
	begin("set");
	add(0, 1);
	R(0, INVOKE, READ, o.key = "s");
	R(0, OK, READ, VALUES(1, 1));
	expect_invalid("set", "duplicate element");
}

static void a_failed_add_must_not_be_read(void **state)
{
	begin("set");
	R(0, INVOKE, ADD, o.key = "s", o.value = 1);
	R(0, FAIL, ADD);
	R(0, INVOKE, READ, o.key = "s");
	R(0, OK, READ, VALUES(1));
	expect_invalid("set", "failed add was read");
}

static void an_element_before_its_add_is_a_phantom(void **state)
{
	begin("set");
	R(0, INVOKE, READ, o.key = "s");
	R(0, OK, READ, VALUES(1));
	add(0, 1);
	expect_invalid("set", "phantom element");
}

static void a_set_that_nobody_read_is_unknown(void **state)
{
	begin("set");
	add(0, 1);
	expect_verdict("set", CHECK_UNKNOWN, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(all_that_was_acknowledged_is_read),
	        cmocka_unit_test(a_missing_element_is_lost),
	        cmocka_unit_test(an_element_that_was_read_and_is_gone_is_lost),
	        cmocka_unit_test(an_element_that_is_seen_late_was_read_stale),
	        cmocka_unit_test(an_element_that_nobody_added_is_unexpected),
	        cmocka_unit_test(an_element_twice_is_a_duplicate),
	        cmocka_unit_test(a_failed_add_must_not_be_read),
	        cmocka_unit_test(an_element_before_its_add_is_a_phantom),
	        cmocka_unit_test(a_set_that_nobody_read_is_unknown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
