/* Cron's times: what is one, and when it comes next. */
#include "base/time/cron.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static struct err err;

static int64_t at(const char *text)
{
	struct tm tm = {.tm_isdst = -1};
	assert_non_null(strptime(text, "%Y-%m-%d %H:%M:%S", &tm));
	return mktime(&tm);
}

static void expect(const char *cron, const char *after, const char *want)
{
	struct cron c;
	err = ERR_INIT;
	if (cron_parse(slice_of(cron), &c, &err) != 0)
		fail_msg("%s: %s", cron, err.msg);
	int64_t got = cron_next(&c, at(after));
	if (got != at(want))
		fail_msg("%s after %s: %lld s from what is wanted, %s", cron, after, (long long)(got - at(want)), want);
}

static void zone(const char *name)
{
	setenv("TZ", name, 1);
	tzset();
}

static void the_next_time_is_found(void **state)
{
	zone("UTC");
	expect("0 */12 * * *", "2026-11-28 20:00:00", "2026-11-29 00:00:00");
	expect("0 */12 * * *", "2026-11-28 11:59:59", "2026-11-28 12:00:00");
	expect("0 */12 * * *", "2026-11-28 12:00:00", "2026-11-29 00:00:00");
	expect("* * * * *", "2026-12-31 23:59:30", "2027-01-01 00:00:00");
	expect("5/15 * * * *", "2026-11-28 20:20:00", "2026-11-28 20:35:00");
	expect("0,30 8-17/3 * * *", "2026-11-28 11:30:00", "2026-11-28 14:00:00");
	expect("0 0 31 * *", "2026-11-01 00:00:00", "2026-12-31 00:00:00");
	expect("0 0 29 2 *", "2026-11-28 00:00:00", "2028-02-29 00:00:00");
	expect("30 4 * jan MON", "2026-11-28 00:00:00", "2027-01-04 04:30:00");
	expect("  0   3  *  *  7 ", "2026-11-28 00:00:00", "2026-11-29 03:00:00");
	expect("@weekly", "2026-11-29 00:00:00", "2026-12-06 00:00:00");
	expect("@hourly", "2026-11-28 20:00:01", "2026-11-28 21:00:00");
	expect("@yearly", "2026-11-28 20:00:01", "2027-01-01 00:00:00");
	expect("@every 1h30m", "2026-11-28 20:00:01", "2026-11-28 21:30:01");
}

static void either_day_will_do_when_both_are_named(void **state)
{
	zone("UTC");
	expect("0 0 13 * fri", "2026-11-28 00:00:00", "2026-12-04 00:00:00");
	expect("0 0 13 * fri", "2026-12-12 00:00:00", "2026-12-13 00:00:00");
	expect("0 0 */2 * fri", "2026-11-28 00:00:00", "2026-12-11 00:00:00"); /* "*" restricts with the other */
}

static void summer_time_comes_and_goes(void **state)
{
	zone("Europe/Berlin");
	expect("0 0 * * *", "2026-03-28 00:00:00", "2026-03-29 00:00:00");
	expect("0 0 * * *", "2026-03-29 00:00:00", "2026-03-30 00:00:00");
	expect("30 2 * * *", "2026-03-28 03:00:00", "2026-03-30 02:30:00"); /* there is no 02:30 on the 29th */
	expect("0 0 * * *", "2026-10-25 00:00:00", "2026-10-26 00:00:00");
	zone("UTC");
}

static void a_date_that_never_comes_is_told(void **state)
{
	struct cron c;
	assert_int_equal(cron_parse(SLICE("0 0 30 2 *"), &c, &err), 0);
	assert_int_equal(cron_next(&c, 1800000000), 0);
}

static void what_is_none_is_refused_by_its_field(void **state)
{
	static const struct {
		const char *text, *named;
	} bad[] = {{"", "0 fields"}, {"* * * *", "4 fields"}, {"* * * * * *", "6 fields"}, {"60 * * * *", "minute"},
	        {"* 24 * * *", "hour"}, {"* * 0 * *", "day of the month"}, {"* * 32 * *", "day of the month"},
	        {"* * * 13 *", "month"}, {"* * * foo *", "month"}, {"* * * * 8", "day of the week"},
	        {"*/0 * * * *", "minute"}, {"5-1 * * * *", "minute"}, {", * * * *", "minute"},
	        {"1,,2 * * * *", "minute"}, {"-1 * * * *", "minute"}, {"+1 * * * *", "minute"},
	        {"1- * * * *", "minute"}, {"@often", "1 fields"}, {"@every", "1 fields"}, {"@every 0s", "@every"},
	        {"@every x", "@every"}, {"* * * * mon-", "day of the week"}};
	struct cron c;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		err = ERR_INIT;
		if (cron_parse(slice_of(bad[i].text), &c, &err) != ERR_INVAL || !strstr(err.msg, bad[i].named))
			fail_msg("\"%s\": %s", bad[i].text, err.msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_next_time_is_found),
	        cmocka_unit_test(either_day_will_do_when_both_are_named),
	        cmocka_unit_test(summer_time_comes_and_goes),
	        cmocka_unit_test(a_date_that_never_comes_is_told),
	        cmocka_unit_test(what_is_none_is_refused_by_its_field),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
