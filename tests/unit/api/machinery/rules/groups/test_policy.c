/* Disruption budgets: one amount, and a status that says how many pods may go. */
#include "tests/unit/api/machinery/rules/groups/group_cases.h"

#define SPEC(rest) "\"spec\":{" rest "}"
#define TEXT(s) "intstr.IntOrString{Type:1, IntVal:0, StrVal:\"" s "\"}"

static void a_budget_has_one_amount(void **state)
{
	static const struct group_case cases[] = {
	        {"poddisruptionbudgets",
	                SPEC("\"minAvailable\":\"50%\",\"unhealthyPodEvictionPolicy\":\"AlwaysAllow\""), NULL, NULL},
	        {"poddisruptionbudgets", SPEC("\"minAvailable\":1,\"maxUnavailable\":1"), NULL,
	                "spec: Invalid value: policy.PodDisruptionBudgetSpec{...}: minAvailable and maxUnavailable "
	                "cannot "
	                "be both set"},
	        {"poddisruptionbudgets", SPEC("\"minAvailable\":\"half\""), NULL,
	                "spec.minAvailable: Invalid value: " TEXT(
	                        "half") ": a valid percent string must be a numeric "
	                                "string followed by an ending '%' (e.g. '1%',  or '93%', regex used for "
	                                "validation is '[0-9]+%')"},
	        {"poddisruptionbudgets", SPEC("\"maxUnavailable\":\"101%\""), NULL,
	                "spec.maxUnavailable: Invalid value: " TEXT("101%") ": must not be greater than 100%"},
	        {"poddisruptionbudgets", SPEC("\"maxUnavailable\":-1"), NULL,
	                "spec.maxUnavailable: Invalid value: -1: must be greater than or equal to 0"},
	        {"poddisruptionbudgets", SPEC("\"unhealthyPodEvictionPolicy\":\"Never\""), NULL,
	                "spec.unhealthyPodEvictionPolicy: Unsupported value: \"Never\": supported values: "
	                "\"AlwaysAllow\", \"IfHealthyBudget\""},
	        {"poddisruptionbudgets",
	                SPEC("\"selector\":{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"In\",\"values\":[\"b\"]"
	                     "},{"
	                     "\"key\":\"a\",\"operator\":\"NotIn\",\"values\":[\"b\",\"-\"]}]}"),
	                NULL,
	                "spec.selector.matchExpressions[1].values[1]: Invalid value: \"-\": a valid label must be an "
	                "empty "
	                "string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
	                "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for "
	                "validation is "
	                "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"},
	        {"poddisruptionbudgets", SPEC("\"maxUnavailable\":2"), SPEC("\"minAvailable\":1"), NULL},
	};
	RUN_GROUP_CASES("policy", cases);
}

static void its_status_counts(void **state)
{
	static const struct group_case cases[] = {
	        {"poddisruptionbudgets",
	                "\"status\":{\"disruptionsAllowed\":1,\"conditions\":[{\"type\":\"DisruptionAllowed\","
	                "\"status\":"
	                "\"True\",\"reason\":\"SufficientPods\",\"lastTransitionTime\":\"2026-01-02T03:04:05Z\"}]}",
	                "", NULL},
	        {"poddisruptionbudgets",
	                "\"status\":{\"disruptionsAllowed\":-1,\"conditions\":[{\"type\":\"A\",\"status\":\"True\","
	                "\"lastTransitionTime\":\"2026-01-02T03:04:05Z\"}]}",
	                "",
	                "status.conditions[0].reason: Required value: must be set; status.disruptionsAllowed: Invalid "
	                "value: -1: must be greater than or equal to 0"},
	};
	run_group_cases("policy", cases, COUNT_OF(cases), "status");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(a_budget_has_one_amount, release),
	        cmocka_unit_test_teardown(its_status_counts, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
