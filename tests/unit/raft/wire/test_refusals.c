/* Refusals that repeat: said once, and once a minute with their number. */
#include "tests/unit/unit.h"

#include "raft/wire/refusals.h"

static struct refusals r;
static uint64_t times;

static int clear(void **state)
{
	memset(&r, 0, sizeof r);
	times = 0;
	return 0;
}

static void the_first_is_said_and_the_rest_once_a_minute(void **state)
{
	assert_true(refusals_note(&r, "10.0.0.1", "a stranger", 1000, &times));
	assert_int_equal(times, 1);
	for (int i = 0; i < 10; i++)
		assert_false(refusals_note(&r, "10.0.0.1", "a stranger", 2000, &times));
	assert_false(refusals_note(&r, "10.0.0.1", "a stranger", 60999, &times));
	assert_true(refusals_note(&r, "10.0.0.1", "a stranger", 61000, &times));
	assert_int_equal(times, 12);
	assert_false(refusals_note(&r, "10.0.0.1", "a stranger", 61001, &times));
}

static void others_and_other_reasons_are_said(void **state)
{
	assert_true(refusals_note(&r, "10.0.0.1", "a stranger", 1000, &times));
	assert_true(refusals_note(&r, "10.0.0.2", "a stranger", 1000, &times));
	assert_true(refusals_note(&r, "10.0.0.1", "garbage", 1000, &times));
	assert_false(refusals_note(&r, "10.0.0.2", "a stranger", 1001, &times));
}

static void what_has_not_come_for_longest_makes_room(void **state)
{
	char who[16];
	for (uint64_t i = 0; i < REFUSALS_KEPT; i++) {
		snprintf(who, sizeof who, "10.0.0.%d", (int)i);
		assert_true(refusals_note(&r, who, "x", 1000 + i, &times));
	}
	assert_false(refusals_note(&r, "10.0.0.0", "x", 2000, &times));
	assert_true(refusals_note(&r, "one more", "x", 2001, &times));
	assert_false(refusals_note(&r, "10.0.0.0", "x", 2002, &times));
	assert_true(refusals_note(&r, "10.0.0.1", "x", 2003, &times));
}

static void a_flood_of_visitors_is_no_flood_of_lines(void **state)
{
	unsigned said = 0;
	for (unsigned i = 0; i < 10000; i++) {
		char who[32];
		snprintf(who, sizeof who, "10.0.%u.%u", i / 256, i % 256);
		said += refusals_note(&r, who, "a stranger", 1000 + i, &times);
	}
	assert_int_equal(said, REFUSALS_SAID_MAX);
	assert_true(refusals_note(&r, "10.1.0.0", "a stranger", 61000, &times));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(the_first_is_said_and_the_rest_once_a_minute, clear),
	        cmocka_unit_test_setup(others_and_other_reasons_are_said, clear),
	        cmocka_unit_test_setup(what_has_not_come_for_longest_makes_room, clear),
	        cmocka_unit_test_setup(a_flood_of_visitors_is_no_flood_of_lines, clear),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
