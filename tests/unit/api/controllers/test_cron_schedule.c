/* When a cron job is due: the newest time that has come, how late it may be, and when to look again. */
#include "tests/unit/unit_json.h"

#include "api/controllers/cron_schedule.h"

enum { HOUR = 3600, T0 = 1800000000 - 1800000000 % HOUR };

static struct cron_schedule schedule(const char *text)
{
	struct cron_schedule s = {.created_s = T0 + 1, .deadline_s = -1};
	struct err err = ERR_INIT;
	assert_int_equal(zone_load(&a, SLICE("Etc/UTC"), (struct zone **)&s.zone, &err), 0);
	assert_int_equal(cron_parse(slice_of(text), &s.cron, &err), 0);
	return s;
}

static void before_its_first_time_nothing_is_due(void **state)
{
	struct cron_schedule s = schedule("0 * * * *");
	struct cron_due d = cron_schedule_due(&s, T0 + 100);
	assert_int_equal(d.at_s, 0);
	assert_int_equal(d.next_s, T0 + HOUR);
}

static void at_its_time_it_is_due_and_then_at_the_next(void **state)
{
	struct cron_schedule s = schedule("0 * * * *");
	struct cron_due d = cron_schedule_due(&s, T0 + HOUR);
	assert_int_equal(d.at_s, T0 + HOUR);
	assert_int_equal(d.next_s, T0 + 2 * HOUR);
	s.last_s = d.at_s;
	d = cron_schedule_due(&s, T0 + HOUR + 5);
	assert_int_equal(d.at_s, 0);
	assert_int_equal(d.next_s, T0 + 2 * HOUR);
}

static void of_several_that_were_missed_the_newest_is_due(void **state)
{
	struct cron_schedule s = schedule("0 * * * *");
	s.last_s = T0;
	struct cron_due d = cron_schedule_due(&s, T0 + 5 * HOUR + 7);
	assert_int_equal(d.at_s, T0 + 5 * HOUR);
	assert_int_equal(d.next_s, T0 + 6 * HOUR);
	assert_false(d.missed_many || d.is_too_late);
	d = cron_schedule_due(&s, T0 + 100 * HOUR + 7);
	assert_false(d.missed_many);
	d = cron_schedule_due(&s, T0 + 101 * HOUR + 7);
	assert_true(d.missed_many);
	assert_int_equal(d.at_s, T0 + 101 * HOUR);
}

static void years_that_were_missed_are_not_walked_through(void **state)
{
	struct cron_schedule s = schedule("* * * * *");
	s.last_s = 60;
	struct cron_due d = cron_schedule_due(&s, T0 + 30);
	assert_int_equal(d.at_s, T0);
	assert_true(d.missed_many);
}

static void irregular_times_are_not_missed(void **state)
{
	struct cron_schedule s = schedule("30 6-16/4 * * 1-5"); /* 6:30, 10:30 and 14:30 on workdays */
	int64_t friday = 1800000000 - 1800000000 % 86400;       /* 2027-01-15 */
	s.last_s = friday + 6 * HOUR + 1800;
	struct cron_due d = cron_schedule_due(&s, friday + 3 * 86400 + 5 * HOUR); /* Monday, 5:00 */
	assert_int_equal(d.at_s, friday + 14 * HOUR + 1800);
	assert_int_equal(d.next_s, friday + 3 * 86400 + 6 * HOUR + 1800);
}

static void what_is_older_than_its_deadline_is_not_started(void **state)
{
	struct cron_schedule s = schedule("0 * * * *");
	s.last_s = T0;
	s.deadline_s = 60;
	assert_int_equal(cron_schedule_due(&s, T0 + HOUR + 59).at_s, T0 + HOUR);
	struct cron_due d = cron_schedule_due(&s, T0 + HOUR + 61);
	assert_int_equal(d.at_s, 0);
	assert_int_equal(d.next_s, T0 + 2 * HOUR);
	assert_false(cron_schedule_due(&s, T0 + 500 * HOUR + 5).missed_many); /* the deadline bounds the search */
}

static void intervals_go_on_from_the_last_start(void **state)
{
	struct cron_schedule s = schedule("@every 7m");
	s.last_s = T0 + 11;
	struct cron_due d = cron_schedule_due(&s, T0 + 11 + 7 * 60 * 5 + 3);
	assert_int_equal(d.at_s, T0 + 11 + 7 * 60 * 5);
	assert_int_equal(d.next_s, T0 + 11 + 7 * 60 * 6);
}

static void two_intervals_are_not_mixed_up(void **state)
{
	struct cron_schedule s = schedule("@every 7m");
	s.last_s = T0 + 11;
	assert_int_equal(cron_schedule_due(&s, T0 + 11 + 7 * 60 * 2).at_s, T0 + 11 + 7 * 60 * 2);
	assert_int_equal(cron_schedule_due(&s, T0 + 11 + 7 * 60 * 3 - 1).at_s, T0 + 11 + 7 * 60 * 2);
	assert_int_equal(cron_schedule_due(&s, T0 + 11 + 7 * 60).at_s, T0 + 11 + 7 * 60);
}

static void a_day_that_never_comes_is_told(void **state)
{
	struct cron_schedule s = schedule("0 0 31 2 *");
	struct cron_due d = cron_schedule_due(&s, T0 + HOUR);
	assert_non_null(d.broken);
	assert_int_equal(d.at_s, 0);
	assert_int_equal(d.next_s, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(before_its_first_time_nothing_is_due, release),
	        cmocka_unit_test_teardown(at_its_time_it_is_due_and_then_at_the_next, release),
	        cmocka_unit_test_teardown(of_several_that_were_missed_the_newest_is_due, release),
	        cmocka_unit_test_teardown(years_that_were_missed_are_not_walked_through, release),
	        cmocka_unit_test_teardown(irregular_times_are_not_missed, release),
	        cmocka_unit_test_teardown(what_is_older_than_its_deadline_is_not_started, release),
	        cmocka_unit_test_teardown(intervals_go_on_from_the_last_start, release),
	        cmocka_unit_test_teardown(two_intervals_are_not_mixed_up, release),
	        cmocka_unit_test_teardown(a_day_that_never_comes_is_told, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
