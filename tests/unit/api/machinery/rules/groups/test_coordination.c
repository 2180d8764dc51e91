/* Leases: what is wrong is told at upstream's field, in its words. */
#include "tests/unit/api/machinery/rules/groups/group_cases.h"

#define SPEC(text) "\"spec\":{" text "}"

static void leases_have_a_duration_and_a_strategy(void **state)
{
	static const struct group_case cases[] = {
	        {"leases", SPEC(""), NULL, NULL},
	        {"leases", SPEC("\"leaseDurationSeconds\":1,\"leaseTransitions\":0"), NULL, NULL},
	        {"leases", SPEC("\"strategy\":\"example.com/mine\",\"preferredHolder\":\"a\""), NULL, NULL},
	        {"leases", SPEC("\"leaseDurationSeconds\":0"), NULL,
	                "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"},
	        {"leases", SPEC("\"leaseTransitions\":-1"), SPEC(""),
	                "spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0"},
	        {"leases", SPEC("\"strategy\":\"x\""), NULL,
	                "spec.strategy.strategy: Unsupported value: \"x\": supported values: "
	                "\"OldestEmulationVersion\""},
	        {"leases", SPEC("\"strategy\":\"A_/x\""), NULL,
	                "spec.strategy.strategy: Invalid value: \"A_/x\": prefix part must be a lowercase RFC 1123 "
	                "subdomain"},
	        {"leases", SPEC("\"preferredHolder\":\"a\""), NULL,
	                "spec.preferredHolder: Forbidden: may only be specified if `strategy` is defined"},
	};
	RUN_GROUP_CASES("coordination.k8s.io", cases);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(leases_have_a_duration_and_a_strategy, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
