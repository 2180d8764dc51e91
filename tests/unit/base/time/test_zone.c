/* Time zones: what a zone's file and its rule say is what the C library says of it. */
#include "tests/unit/unit_json.h"

#include "base/time/cron.h"
#include "base/time/zone.h"

#include <time.h>

static struct zone *zone(const char *name)
{
	struct err err = ERR_INIT;
	struct zone *z = NULL;
	if (zone_load(&a, slice_of(name), &z, &err) != 0)
		fail_msg("%s: %s", name, err.msg);
	return z;
}

/* Every 40 hours and a bit from 1930 to 2060. */
static void offsets_are_those_of_the_c_library(void **state)
{
	static const char *const names[] = {"Europe/Berlin", "America/New_York", "Australia/Sydney", "Asia/Kolkata",
	        "Etc/UTC", "Africa/Casablanca", "America/Sao_Paulo", "Asia/Gaza", "Europe/Dublin",
	        "Australia/Lord_Howe"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct zone *z = zone(names[i]);
		setenv("TZ", names[i], 1);
		tzset();
		for (int64_t t = -1262304000; t < 2840140800; t += 144013) {
			struct tm tm;
			time_t system_t = (time_t)t;
			if (system_t != t) /* a C library of 32-bit times ends in 2038; we do not */
				break;
			localtime_r(&system_t, &tm);
			if (zone_offset_s(z, t) != tm.tm_gmtoff)
				fail_msg("%s at %lld: %d, want %ld", names[i], (long long)t, (int)zone_offset_s(z, t),
				        tm.tm_gmtoff);
		}
	}
	unsetenv("TZ");
	tzset();
}

static void the_moment_of_a_change_is_exact(void **state)
{
	struct zone *z = zone("Europe/Berlin");
	int64_t spring = 1806195600; /* 2027-03-28 01:00 UTC */
	assert_int_equal(zone_offset_s(z, spring - 1), 3600);
	assert_int_equal(zone_offset_s(z, spring), 7200);
}

static void names_that_are_none_are_refused(void **state)
{
	static const char *const bad[] = {"", "/etc/passwd", "../passwd", "Europe/../../passwd", "a b", ".hidden"};
	struct zone *z;
	struct err err = ERR_INIT;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(zone_load(&a, slice_of(bad[i]), &z, &err), ERR_INVAL);
	assert_int_equal(zone_load(&a, SLICE("Mars/Olympus"), &z, &err), ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "unknown time zone Mars/Olympus"));
	assert_int_equal(zone_load(&a, SLICE("Europe"), &z, &err), ERR_NOT_FOUND);
	assert_int_equal(zone_load(&a, SLICE("tzdata.zi"), &z, &err), ERR_CORRUPT);
}

static void a_file_that_is_cut_short_is_refused(void **state)
{
	static char data[65536];
	FILE *f = fopen("/usr/share/zoneinfo/Europe/Berlin", "re");
	assert_non_null(f);
	size_t n = fread(data, 1, sizeof data, f);
	fclose(f);
	struct zone *z;
	struct err err = ERR_INIT;
	assert_int_equal(zone_parse(&a, (struct slice){data, n}, &z, &err), 0);
	for (size_t i = 0; i < n; i += 7)
		assert_int_equal(zone_parse(&a, (struct slice){data, i}, &z, &err), ERR_CORRUPT);
}

static void cron_goes_by_the_zone(void **state)
{
	struct cron c;
	struct err err = ERR_INIT;
	int64_t day = 1806105600; /* 2027-03-27 00:00 UTC */
	assert_int_equal(cron_parse(SLICE("30 3 ? * *"), &c, &err), 0);
	assert_int_equal(cron_next_in(&c, zone("Etc/UTC"), day), day + 12600);
	assert_int_equal(cron_next_in(&c, zone("Asia/Kolkata"), day), day + 86400 - 7200);
	/* Summer time begins in Berlin on the 28th: the same hour on the wall, an hour earlier in the world. */
	struct zone *berlin = zone("Europe/Berlin");
	int64_t first = cron_next_in(&c, berlin, day);
	assert_int_equal(first, day + 9000);
	assert_int_equal(cron_next_in(&c, berlin, first), day + 86400 + 5400);
	assert_int_equal(cron_parse(SLICE("30 2 * * *"), &c, &err), 0); /* not there on the 28th */
	assert_int_equal(cron_next_in(&c, berlin, day + 86400 - 3600), day + 2 * 86400 + 1800);
	assert_int_equal(cron_parse(SLICE("@daily"), &c, &err), 0);
	assert_int_equal(cron_next_in(&c, berlin, day + 86400), day + 2 * 86400 - 7200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(offsets_are_those_of_the_c_library, release),
	        cmocka_unit_test_teardown(the_moment_of_a_change_is_exact, release),
	        cmocka_unit_test_teardown(names_that_are_none_are_refused, release),
	        cmocka_unit_test_teardown(a_file_that_is_cut_short_is_refused, release),
	        cmocka_unit_test_teardown(cron_goes_by_the_zone, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
