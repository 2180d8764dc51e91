/* Ranges of node ports: the three ways to write one, and what is none. */
#include "tools/k3x/port_range.h"

#include "tests/unit/unit.h"

static void a_range_is_written_in_three_ways(void **state)
{
	static const struct {
		const char *text;
		int min, max;
	} rows[] = {{"30000-32767", 30000, 32767}, {"30000+2767", 30000, 32767}, {"30000", 30000, 30000},
	        {"30000-30000", 30000, 30000}, {"1-65535", 1, 65535}, {"65535", 65535, 65535},
	        {"30000+0", 30000, 30000}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct port_range got = {0};
		if (!port_range_parse(slice_of(rows[i].text), &got))
			fail_msg("%s", rows[i].text);
		assert_int_equal(got.min, rows[i].min);
		assert_int_equal(got.max, rows[i].max);
	}
}

static void what_is_no_range_is_refused(void **state)
{
	static const char *const bad[] = {"", "-", "+", "0", "0-10", "30000-", "-30000", "30000+", "+1", "65536",
	        "30000-65536", "30000+40000", "32767-30000", "30000-+1", "30000+-1", "a-b", "30000 ", "30000-1-2",
	        "99999999999999999999"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct port_range got = {7, 7};
		if (port_range_parse(slice_of(bad[i]), &got))
			fail_msg("%s", bad[i]);
		assert_int_equal(got.min, 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_range_is_written_in_three_ways),
	        cmocka_unit_test(what_is_no_range_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
