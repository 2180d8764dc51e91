/* Durations: what is one, and how long it is. */
#include "base/time/duration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void durations_are_added_up(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} good[] = {{"1h30m", 5400000}, {"500ms", 500}, {"1.5h", 5400000}, {"0s", 0}, {"24h", 86400000}, {"0.3s", 300},
	        {".5m", 30000}, {"1h1m1s1ms", 3661001}, {"90m", 5400000}};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		uint64_t ms = 1;
		assert_true(duration_parse_ms(good[i].text, &ms));
		assert_int_equal(ms, good[i].ms);
	}
}

static void what_is_none_is_refused(void **state)
{
	static const char *const bad[] = {"", "5", "h", ".h", "1.2.3h", "-1h", "1h-", "1d", "0x10h", "1e3s", "1 h",
	        "99999999999999999999999999999999999999999h", "1h2"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		uint64_t ms;
		assert_false(duration_parse_ms(bad[i], &ms));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(durations_are_added_up),
	        cmocka_unit_test(what_is_none_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
