/* Points of time as text. */
#include "tests/unit/unit.h"

#include "base/time/rfc3339.h"

static void digits_are_cut_off(void **state)
{
	static const int64_t at = 1700000000123456789;
	char out[RFC3339_MAX];
	assert_string_equal(rfc3339_text(out, at, 0), "2023-11-14T22:13:20Z");
	assert_string_equal(rfc3339_text(out, at, 3), "2023-11-14T22:13:20.123Z");
	assert_string_equal(rfc3339_text(out, at, 6), "2023-11-14T22:13:20.123456Z");
	assert_string_equal(rfc3339_text(out, at, 9), "2023-11-14T22:13:20.123456789Z");
	assert_string_equal(rfc3339_text(out, 1700000000000000042, 9), "2023-11-14T22:13:20.000000042Z");
	assert_string_equal(rfc3339_seconds(out, 0), "1970-01-01T00:00:00Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(digits_are_cut_off)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
