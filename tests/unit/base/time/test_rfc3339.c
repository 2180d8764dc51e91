/* Points of time as text. */
#include "tests/unit/unit.h"

#include "base/time/rfc3339.h"

#include <time.h>

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

/* A time of every eleventh day or so from 1960 to 10031, and days on which a year is odd. */
static void dates_are_those_of_libc(void **state)
{
	char out[RFC3339_MAX], want[RFC3339_MAX];
	struct tm tm;
	for (time_t t = -315619200; t < 254400000000; t += 999983) {
		strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
		assert_string_equal(rfc3339_seconds(out, t), want);
	}
	assert_string_equal(rfc3339_seconds(out, 951782399), "2000-02-28T23:59:59Z");
	assert_string_equal(rfc3339_seconds(out, 951782400), "2000-02-29T00:00:00Z");
	assert_string_equal(rfc3339_seconds(out, 4107542399), "2100-02-28T23:59:59Z");
	assert_string_equal(rfc3339_seconds(out, 4107542400), "2100-03-01T00:00:00Z");
	assert_string_equal(rfc3339_seconds(out, 253402300799), "9999-12-31T23:59:59Z");
	assert_string_equal(rfc3339_seconds(out, INT64_MAX), "9999-12-31T23:59:59Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(digits_are_cut_off), cmocka_unit_test(dates_are_those_of_libc)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
