/* A job's policies: rules of failure and success, and the back-off. */
#include "tests/unit/unit_json.h"

#include "api/controllers/job_policy.h"

#define FAILED(code) \
	"{\"metadata\":{\"namespace\":\"d\",\"name\":\"p\"},\"status\":{\"phase\":\"Failed\",\"conditions\":[{" \
	"\"type\":" \
	"\"DisruptionTarget\",\"status\":\"True\"}],\"containerStatuses\":[{\"name\":\"side\",\"state\":{" \
	"\"terminated\":{" \
	"\"exitCode\":0}}},{\"name\":\"c\",\"state\":{\"terminated\":{\"exitCode\":" code "}}}]}}"
#define RULES(rules) "{\"rules\":[" rules "]}"
#define CODES(action, rest) "{\"action\":\"" action "\",\"onExitCodes\":{" rest "}}"
#define CONDITION(action, status) \
	"{\"action\":\"" action "\",\"onPodConditions\":[{\"type\":\"DisruptionTarget\",\"status\":\"" status "\"}]}"

static void the_first_rule_that_is_met_decides(void **state)
{
	static const struct {
		const char *policy;
		enum job_action want;
	} cases[] = {
	        {RULES(CODES("FailJob", "\"operator\":\"In\",\"values\":[7]")), JOB_NO_RULE},
	        {RULES(CODES("FailJob", "\"operator\":\"In\",\"values\":[3,42]")), JOB_FAIL_JOB},
	        {RULES(CODES("FailJob", "\"operator\":\"NotIn\",\"values\":[42]")), JOB_NO_RULE},
	        {RULES(CODES("Count", "\"operator\":\"NotIn\",\"values\":[1]")), JOB_COUNT},
	        {RULES(CODES("FailIndex", "\"operator\":\"In\",\"values\":[42],\"containerName\":\"c\"")),
	                JOB_FAIL_INDEX},
	        {RULES(CODES("FailIndex", "\"operator\":\"In\",\"values\":[42],\"containerName\":\"side\"")),
	                JOB_NO_RULE},
	        {RULES(CONDITION("Ignore", "True") "," CODES("FailJob", "\"operator\":\"In\",\"values\":[42]")),
	                JOB_IGNORE},
	        {RULES(CONDITION("Ignore", "False") "," CODES("FailJob", "\"operator\":\"In\",\"values\":[42]")),
	                JOB_FAIL_JOB},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		enum job_action got = job_failure_action(&a, parse(cases[i].policy), parse(FAILED("42")), NULL);
		if (got != cases[i].want)
			fail_msg("%s: %d, want %d", cases[i].policy, got, cases[i].want);
	}
	assert_int_equal(job_failure_action(&a, NULL, parse(FAILED("42")), NULL), JOB_NO_RULE);
}

static void a_failed_job_says_by_which_rule(void **state)
{
	const char *message = NULL;
	job_failure_action(&a, parse(RULES(CODES("FailJob", "\"operator\":\"In\",\"values\":[42]"))),
	        parse(FAILED("42")), &message);
	assert_string_equal(
	        message, "Container c for pod d/p failed with exit code 42 matching FailJob rule at index 0");
	job_failure_action(&a,
	        parse(RULES(CODES("Count", "\"operator\":\"In\",\"values\":[1]") "," CONDITION("FailJob", "True"))),
	        parse(FAILED("42")), &message);
	assert_string_equal(message, "Pod d/p has condition DisruptionTarget matching FailJob rule at index 1");
}

static const char *success(const char *policy, const char *indexes)
{
	struct job_indexes x = job_indexes_parse(&a, slice_of(indexes), 10);
	return job_success_message(&a, parse(policy), 10, &x);
}

static void success_asks_for_indexes_or_a_count_of_them(void **state)
{
	assert_string_equal(success(RULES("{\"succeededIndexes\":\"0,2\"}"), "0-3"), "Matched rules at index 0");
	assert_null(success(RULES("{\"succeededIndexes\":\"0,2\"}"), "0"));
	assert_null(success(RULES("{\"succeededCount\":2}"), "5"));
	assert_non_null(success(RULES("{\"succeededCount\":2}"), "5,7"));
	assert_null(success(RULES("{\"succeededIndexes\":\"0-4\",\"succeededCount\":2}"), "4,7,8"));
	assert_string_equal(
	        success(RULES("{\"succeededIndexes\":\"9\"},{\"succeededIndexes\":\"0-4\",\"succeededCount\":2}"),
	                "3,4"),
	        "Matched rules at index 1");
	assert_null(success(RULES("{\"succeededIndexes\":\"9\"}"), ""));
}

static void back_off_doubles_to_ten_minutes(void **state)
{
	static const int64_t want[] = {0, 10, 20, 40, 80, 160, 320, 600, 600};
	for (int64_t n = 0; n < 9; n++)
		assert_int_equal(job_backoff_left_s((struct job_backoff){n, 1000}, 1000), want[n]);
	assert_int_equal(job_backoff_left_s((struct job_backoff){1, 1000}, 1007), 3);
	assert_int_equal(job_backoff_left_s((struct job_backoff){1, 1000}, 2000), 0);
	assert_int_equal(job_backoff_left_s((struct job_backoff){INT64_MAX, 1000}, 1000), 600);
}

static void only_failures_after_the_last_success_count(void **state)
{
	int64_t early[] = {10, 12}, late[] = {30}, success_s[] = {20};
	struct job_backoff b = job_backoff_after((struct job_backoff){0}, NULL, 0, early, 2);
	assert_true(b.failures == 2 && b.last_failure_s == 12);
	b = job_backoff_after(b, success_s, 1, NULL, 0);
	assert_int_equal(b.failures, 0);
	b = job_backoff_after((struct job_backoff){5, 11}, success_s, 1, late, 1);
	assert_true(b.failures == 1 && b.last_failure_s == 30);
	b = job_backoff_after((struct job_backoff){1, 20}, success_s, 1, NULL, 0); /* in the same second */
	assert_int_equal(b.failures, 1);
}

#define POD(status, meta) \
	"{\"metadata\":{\"creationTimestamp\":\"1970-01-01T00:00:05Z\"" meta "},\"status\":{" status "}}"
#define ENDED(s) "{\"state\":{\"terminated\":{\"finishedAt\":\"1970-01-01T00:00:" s "Z\"}}}"

static void a_pod_finished_with_its_last_container(void **state)
{
	assert_int_equal(
	        job_pod_finished_s(parse(POD("\"containerStatuses\":[" ENDED("10") "," ENDED("20") "]", ""))), 20);
	assert_int_equal(job_pod_finished_s(parse(POD("\"containerStatuses\":[" ENDED(
	                                                      "10") ",{\"state\":{}}],\"conditions\":[{"
	                                                            "\"type\":\"Ready\",\"status\":\"False\","
	                                                            "\"lastTransitionTime\":\"1970-01-01T00:00:15Z\"}]",
	                         ""))),
	        15);
	assert_int_equal(job_pod_finished_s(parse(POD("",
	                         ",\"deletionTimestamp\":\"1970-01-01T00:00:40Z\",\"deletionGracePeriodSeconds\":30"))),
	        10);
	assert_int_equal(job_pod_finished_s(parse(POD("", ""))), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(the_first_rule_that_is_met_decides, release),
	        cmocka_unit_test_teardown(a_failed_job_says_by_which_rule, release),
	        cmocka_unit_test_teardown(success_asks_for_indexes_or_a_count_of_them, release),
	        cmocka_unit_test_teardown(back_off_doubles_to_ten_minutes, release),
	        cmocka_unit_test_teardown(only_failures_after_the_last_success_count, release),
	        cmocka_unit_test_teardown(a_pod_finished_with_its_last_container, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
