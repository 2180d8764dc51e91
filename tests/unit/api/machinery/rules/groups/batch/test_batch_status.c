/* The status of a job: it tells one story, and does not take back what it told. */
#include "tests/unit/api/machinery/rules/groups/group_cases.h"

#define BEGUN "\"startTime\":\"2026-01-02T03:04:05Z\""
#define DONE "\"completionTime\":\"2026-01-02T03:05:05Z\""
#define IS(type) "{\"type\":\"" type "\",\"status\":\"True\"}"
#define STATUS(rest) "\"spec\":{},\"status\":{" rest "}"
#define OF(spec, rest) "\"spec\":{" spec "},\"status\":{" rest "}"
#define CONDITIONS(list) "\"conditions\":[" list "]"
#define MET_AND_COMPLETE CONDITIONS(IS("SuccessCriteriaMet") "," IS("Complete"))
#define WRONG "status.conditions: Invalid value: "
#define INDEXED "\"completionMode\":\"Indexed\",\"completions\":5,\"parallelism\":2"

#define RUN(cases) run_group_cases("batch", cases, COUNT_OF(cases), "status")

static void conditions_do_not_contradict(void **state)
{
	static const struct group_case cases[] = {
	        {"jobs", STATUS(BEGUN "," DONE "," MET_AND_COMPLETE), STATUS(BEGUN), NULL},
	        {"jobs", STATUS(BEGUN "," CONDITIONS(IS("FailureTarget") "," IS("Failed"))), STATUS(BEGUN), NULL},
	        {"jobs", STATUS(BEGUN "," CONDITIONS(IS("Failed"))), STATUS(BEGUN),
	                WRONG "cannot set Failed=True condition without the FailureTarget=true condition"},
	        {"jobs", STATUS(BEGUN "," DONE "," CONDITIONS(IS("Complete"))), STATUS(BEGUN),
	                WRONG "cannot set Complete=True condition without the SuccessCriteriaMet=true condition"},
	        {"jobs",
	                STATUS(BEGUN "," DONE "," CONDITIONS(
	                        IS("SuccessCriteriaMet") "," IS("Complete") "," IS("FailureTarget") "," IS("Failed"))),
	                STATUS(BEGUN),
	                WRONG "cannot set Complete=True and Failed=true conditions; " WRONG
	                      "cannot set Complete=True and FailureTarget=true conditions; " WRONG
	                      "cannot set SuccessCriteriaMet=True and Failed=true conditions; " WRONG
	                      "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"},
	        /* of an older server's, which had fewer rules: other parts may be mended */
	        {"jobs", STATUS(BEGUN "," DONE "," CONDITIONS(IS("Complete"))),
	                STATUS(BEGUN "," DONE "," CONDITIONS(IS("Complete"))), NULL},
	};
	RUN(cases);
}

static void what_was_decided_stays(void **state)
{
	static const struct group_case cases[] = {
	        {"jobs", STATUS(BEGUN), STATUS(BEGUN "," CONDITIONS(IS("FailureTarget"))),
	                WRONG "cannot disable the terminal FailureTarget=True condition"},
	        {"jobs", STATUS(BEGUN), STATUS(BEGUN "," CONDITIONS(IS("SuccessCriteriaMet"))),
	                WRONG "cannot disable the SuccessCriteriaMet=True condition"},
	        {"jobs", STATUS(BEGUN), STATUS(BEGUN "," DONE "," MET_AND_COMPLETE),
	                WRONG "cannot disable the terminal Complete=True condition; " WRONG
	                      "cannot disable the SuccessCriteriaMet=True condition"},
	        {"jobs", STATUS("\"failed\":1"), STATUS("\"failed\":2"),
	                "status.failed: Invalid value: 1: cannot decrease the failed counter"},
	        {"jobs", STATUS(""), STATUS("\"succeeded\":2"),
	                "status.succeeded: Invalid value: 0: cannot decrease the succeeded counter"},
	        {"jobs", OF("\"completionMode\":\"Indexed\",\"completions\":2,\"parallelism\":2", "\"succeeded\":1"),
	                STATUS("\"succeeded\":2"), NULL},
	};
	RUN(cases);
}

static void times_are_in_order(void **state)
{
	static const struct group_case cases[] = {
	        {"jobs", STATUS(BEGUN "," DONE), STATUS(BEGUN),
	                "status.completionTime: Invalid value: 2026-01-02 03:05:05 +0000 UTC: cannot set "
	                "completionTime "
	                "when there is no Complete=True condition"},
	        {"jobs", STATUS(BEGUN "," MET_AND_COMPLETE), STATUS(BEGUN),
	                "status.completionTime: Required value: completionTime is required for Complete jobs"},
	        {"jobs", STATUS("\"startTime\":\"2026-01-03T03:04:05Z\"," DONE "," MET_AND_COMPLETE), STATUS(""),
	                "status.completionTime: Invalid value: 2026-01-02 03:05:05 +0000 UTC: must be equal to or "
	                "after "
	                "`startTime`"},
	        {"jobs", STATUS(DONE "," MET_AND_COMPLETE), STATUS(""),
	                "status.startTime: Required value: startTime is required for finished job"},
	        {"jobs", STATUS(BEGUN ",\"completionTime\":\"2026-01-02T03:06:05Z\"," MET_AND_COMPLETE),
	                STATUS(BEGUN "," DONE "," MET_AND_COMPLETE),
	                "status.completionTime: Invalid value: 2026-01-02 03:06:05 +0000 UTC: field is immutable"},
	        {"jobs", STATUS(""), STATUS(BEGUN),
	                "status.startTime: Required value: startTime cannot be removed for unsuspended job"},
	        {"jobs", OF("\"suspend\":true", ""), STATUS(BEGUN), NULL},
	};
	RUN(cases);
}

static void counters_fit(void **state)
{
	static const struct group_case cases[] = {
	        {"jobs", STATUS("\"active\":2,\"ready\":2"), STATUS(""), NULL},
	        {"jobs", STATUS("\"active\":-1,\"terminating\":-1"), STATUS(""),
	                "status.active: Invalid value: -1: must be greater than or equal to 0; status.terminating: "
	                "Invalid value: -1: must be greater than or equal to 0"},
	        {"jobs", STATUS("\"active\":1,\"ready\":2"), STATUS(""),
	                "status.ready: Invalid value: 2: cannot set more ready pods than active"},
	        {"jobs", STATUS("\"active\":1,\"terminating\":1," BEGUN "," DONE "," MET_AND_COMPLETE), STATUS(BEGUN),
	                "status.active: Invalid value: 1: active>0 is invalid for finished job; status.terminating: "
	                "Invalid value: 1: terminating>0 is invalid for finished job"},
	        {"jobs", STATUS("\"uncountedTerminatedPods\":{\"succeeded\":[\"a\",\"\"],\"failed\":[\"a\",\"b\"]}"),
	                STATUS(""),
	                "status.uncountedTerminatedPods.succeeded[1]: Invalid value: \"\": must not be empty; "
	                "status.uncountedTerminatedPods.failed[0]: Duplicate value: \"a\""},
	        {"jobs",
	                STATUS("\"uncountedTerminatedPods\":{\"failed\":[\"a\"]}," BEGUN "," DONE "," MET_AND_COMPLETE),
	                STATUS(BEGUN),
	                "status.uncountedTerminatedPods: Invalid value: batch.UncountedTerminatedPods{"
	                "Succeeded:[]types.UID(nil), Failed:[]types.UID{\"a\"}}: must be empty for finished job"},
	};
	RUN(cases);
}

static void indexes_are_indexes_of_the_job(void **state)
{
	static const struct group_case cases[] = {
	        {"jobs",
	                OF(INDEXED ",\"backoffLimitPerIndex\":1",
	                        "\"completedIndexes\":\"0,2-3\",\"failedIndexes\":\"1\""),
	                STATUS(""), NULL},
	        {"jobs", OF(INDEXED, "\"completedIndexes\":\"4-5\""), STATUS(""),
	                "status.completedIndexes: Invalid value: \"4-5\": error parsing completedIndexes: too large "
	                "index: \"5\""},
	        {"jobs", OF(INDEXED ",\"backoffLimitPerIndex\":1", "\"failedIndexes\":\"3,2\""), STATUS(""),
	                "status.failedIndexes: Invalid value: \"3,2\": error parsing failedIndexes: non-increasing "
	                "order, previous: 3, current: 2"},
	        {"jobs",
	                OF(INDEXED ",\"backoffLimitPerIndex\":1",
	                        "\"completedIndexes\":\"0,2-3\",\"failedIndexes\":\"1-2\""),
	                STATUS(""),
	                "status.failedIndexes: Invalid value: \"1-2\": failedIndexes and completedIndexes overlap at "
	                "index: 2"},
	        {"jobs", OF(INDEXED, "\"failedIndexes\":\"1\""), STATUS(""),
	                "status.failedIndexes: Invalid value: \"1\": cannot set non-null failedIndexes when "
	                "backoffLimitPerIndex is null"},
	        {"jobs", OF("\"completions\":5", "\"completedIndexes\":\"1\""), STATUS(""),
	                "status.completedIndexes: Invalid value: \"1\": cannot set non-empty completedIndexes when "
	                "non-indexed completion mode"},
	        /* as they were, after the job has shrunk */
	        {"jobs", OF(INDEXED, "\"completedIndexes\":\"0-9\""), STATUS("\"completedIndexes\":\"0-9\""), NULL},
	};
	RUN(cases);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(conditions_do_not_contradict, release),
	        cmocka_unit_test_teardown(what_was_decided_stays, release),
	        cmocka_unit_test_teardown(times_are_in_order, release),
	        cmocka_unit_test_teardown(counters_fit, release),
	        cmocka_unit_test_teardown(indexes_are_indexes_of_the_job, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
