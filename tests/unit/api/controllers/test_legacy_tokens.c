/* Which tokens in Secrets nobody uses any more. */
#include "tests/unit/unit.h"

#include "api/controllers/legacy_tokens.h"
#include "api/machinery/codec/scalar.h"

enum { DAY = 24 * 3600, YEAR = 365 * DAY };

static int64_t at(const char *day)
{
	int64_t s;
	assert_true(scalar_day_parse(slice_of(day), &s));
	return s;
}

static void uses_are_known_a_period_after_the_day_on_which_it_began(void **state)
{
	int64_t begun = at("2025-01-01");
	assert_false(legacy_is_tracked(SLICE("2025-01-01"), begun + YEAR, YEAR));
	assert_false(legacy_is_tracked(SLICE("2025-01-01"), begun + DAY + YEAR - 1, YEAR));
	assert_true(legacy_is_tracked(SLICE("2025-01-01"), begun + DAY + YEAR, YEAR));
	assert_false(legacy_is_tracked(SLICE("ever since"), begun + 9 * YEAR, YEAR));
}

static void what_is_young_or_was_used_stays(void **state)
{
	int64_t now = at("2026-06-15") + 3600;
	struct legacy_secret x = {.created_s = now - YEAR};
	assert_false(legacy_is_unused(&x, now, YEAR));
	x.created_s--;
	assert_true(legacy_is_unused(&x, now, YEAR));
	x.last_used = SLICE("2025-06-15");
	assert_false(legacy_is_unused(&x, now, YEAR));
	x.last_used = SLICE("2025-06-14");
	assert_true(legacy_is_unused(&x, now, YEAR));
	x.last_used = SLICE("yesterday");
	assert_false(legacy_is_unused(&x, now, YEAR));
}

static void it_is_marked_first_and_goes_as_long_after(void **state)
{
	int64_t now = at("2026-06-15");
	struct legacy_secret x = {.created_s = 1};
	assert_int_equal(legacy_fate(&x, now, YEAR), LEGACY_IS_MARKED);
	x.invalid_since = SLICE("some day");
	assert_int_equal(legacy_fate(&x, now, YEAR), LEGACY_IS_MARKED);
	x.invalid_since = SLICE("2025-06-15");
	assert_int_equal(legacy_fate(&x, now, YEAR), LEGACY_STAYS);
	x.invalid_since = SLICE("2025-06-14");
	assert_int_equal(legacy_fate(&x, now, YEAR), LEGACY_GOES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(uses_are_known_a_period_after_the_day_on_which_it_began),
	        cmocka_unit_test(what_is_young_or_was_used_stays),
	        cmocka_unit_test(it_is_marked_first_and_goes_as_long_after),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
