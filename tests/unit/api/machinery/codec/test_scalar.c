/* Days (times: the fuzz target). */
#include "api/machinery/codec/scalar.h"

#include "tests/unit/unit.h"

enum { DAY = 24 * 3600 };

static void days_have_one_form(void **state)
{
	static const char *const no[] = {"", "2026-1-2", "2026-01-02T00:00:00Z", "2026-13-01", "2026-02-30",
	        "2026-02-1x", "x026-01-01", "2026/01/01"};
	int64_t s;
	assert_true(scalar_day_parse(SLICE("1970-01-02"), &s));
	assert_int_equal(s, DAY);
	for (size_t i = 0; i < sizeof no / sizeof *no; i++)
		assert_false(scalar_day_parse(slice_of(no[i]), &s));
}

static void a_moment_is_of_its_day_in_utc(void **state)
{
	char text[SCALAR_DAY_BYTES];
	int64_t s;
	assert_true(scalar_day_parse(SLICE("2024-02-29"), &s));
	scalar_day_format(s, text);
	assert_string_equal(text, "2024-02-29");
	scalar_day_format(s + DAY - 1, text);
	assert_string_equal(text, "2024-02-29");
	scalar_day_format(s + DAY, text);
	assert_string_equal(text, "2024-03-01");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(days_have_one_form),
	        cmocka_unit_test(a_moment_is_of_its_day_in_utc),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
