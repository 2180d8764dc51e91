/* When the Secret of a token that was used is marked with the day. */
#include "tests/unit/unit.h"

#include "api/server/auth/identity/legacy_token.h"

enum { NOON = 1767355200 }; /* 2026-01-02T12:00:00Z */

static void once_a_day_is_enough(void **state)
{
	assert_true(legacy_wants_mark(SLICE_NULL, NOON));
	assert_true(legacy_wants_mark(SLICE("2026-01-01"), NOON));
	assert_false(legacy_wants_mark(SLICE("2026-01-02"), NOON));
	assert_false(legacy_wants_mark(SLICE("2026-01-03"), NOON)); /* by a server whose clock is ahead */
	assert_true(legacy_wants_mark(SLICE("2026-01-04"), NOON));
	assert_true(legacy_wants_mark(SLICE("today"), NOON));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(once_a_day_is_enough),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
