/* Pauses that grow, and a log that is told once a minute. */
#include "tests/unit/unit.h"

#include "node/ground/retry.h"

static const struct retry_rule rule = {1000, 30000};

static void pauses_double_up_to_the_longest(void **state)
{
	static const unsigned pauses[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000};
	struct retry r = {0};
	uint64_t now = 5000;
	assert_int_equal(retry_wait_ms(&r, now), 0);
	for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
		retry_failed(&r, &rule, now);
		assert_int_equal(retry_wait_ms(&r, now), pauses[i]);
		now += pauses[i];
		assert_int_equal(retry_wait_ms(&r, now), 0);
	}
	assert_int_equal(r.failures, 7);
	retry_succeeded(&r);
	assert_int_equal(r.failures, 0);
	retry_failed(&r, &rule, now);
	assert_int_equal(retry_wait_ms(&r, now), 1000);
}

static void an_hour_of_failures_is_sixty_lines(void **state)
{
	struct retry r = {0};
	unsigned lines = 0, tries = 0;
	for (uint64_t now = 0; now < 3600000; now++)
		if (!retry_wait_ms(&r, now)) {
			lines += retry_failed(&r, &rule, now);
			tries++;
		}
	assert_in_range(lines, 55, 61);
	assert_in_range(tries, 100, 130);
}

static void what_flaps_is_told_once_a_minute_too(void **state)
{
	struct retry r = {0};
	unsigned lines = 0;
	for (uint64_t now = 1; now < 60000; now += 10) {
		lines += retry_failed(&r, &rule, now);
		retry_succeeded(&r);
	}
	assert_int_equal(lines, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(pauses_double_up_to_the_longest),
	        cmocka_unit_test(an_hour_of_failures_is_sixty_lines),
	        cmocka_unit_test(what_flaps_is_told_once_a_minute_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
