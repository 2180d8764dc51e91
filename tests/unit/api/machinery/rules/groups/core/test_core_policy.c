/* LimitRanges and ResourceQuotas: names, bounds that fit each other, scopes. */
#include "tests/unit/api/machinery/rules/groups/group_cases.h"

#define LIMIT(type, text) "\"spec\":{\"limits\":[{\"type\":\"" type "\"," text "}]}"
#define CPU(member, amount) "\"" member "\":{\"cpu\":\"" amount "\"}"
#define QUOTA(hard, text) "\"spec\":{\"hard\":{" hard "}" text "}"
#define TERM(scope, op, more) \
	",\"scopeSelector\":{\"matchExpressions\":[{\"scopeName\":\"" scope "\",\"operator\":\"" op "\"" more "}]}"

static void bounds_fit_each_other(void **state)
{
	static const struct group_case cases[] = {
	        {"limitranges",
	                LIMIT("Container", CPU("min", "1") "," CPU("defaultRequest", "1") "," CPU("default", "2")),
	                NULL, NULL},
	        {"limitranges", LIMIT("Pod", CPU("min", "2") "," CPU("max", "1")), NULL,
	                "spec.limits[0].min[cpu]: Invalid value: 2: min value 2 is greater than max value 1"},
	        {"limitranges",
	                LIMIT("Container", CPU("min", "2") "," CPU("defaultRequest", "1") "," CPU("default", "2")),
	                NULL,
	                "spec.limits[0].defaultRequest[cpu]: Invalid value: 1: min value 2 is greater than default "
	                "request value 1"},
	        {"limitranges", LIMIT("Container", CPU("default", "1") "," CPU("defaultRequest", "2")), NULL,
	                "spec.limits[0].defaultRequest[cpu]: Invalid value: 2: default request value 2 is greater than "
	                "default limit value 1"},
	        {"limitranges", LIMIT("Pod", CPU("maxLimitRequestRatio", "500m")), NULL,
	                "spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: 500m: ratio 500m is less than 1"},
	        {"limitranges", LIMIT("Pod", CPU("default", "1")), NULL,
	                "spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'"},
	        {"limitranges",
	                LIMIT("Container", "\"default\":{\"a.b/c\":\"2\"},\"defaultRequest\":{\"a.b/c\":\"1\"}"), NULL,
	                "spec.limits[0].defaultRequest[a.b/c]: Invalid value: 1: default value 2 must equal to "
	                "defaultRequest value 1 in a.b/c"},
	        {"limitranges", LIMIT("Container", "\"max\":{\"pods\":\"1\"}"), NULL,
	                "spec.limits[0].max[pods]: Invalid value: \"pods\": must be a standard resource for "
	                "containers; spec.limits[0].default[pods]: Invalid value: \"pods\": must be a standard "
	                "resource "
	                "for containers; spec.limits[0].defaultRequest[pods]: Invalid value: \"pods\": must be a "
	                "standard resource for containers"},
	        {"limitranges", LIMIT("PersistentVolumeClaim", CPU("min", "1")), NULL,
	                "spec.limits[0].limits: Required value: either minimum or maximum storage value is required, "
	                "but neither was provided"},
	        {"limitranges", LIMIT("Node", CPU("min", "1")), NULL,
	                "spec.limits[0].type: Invalid value: \"Node\": must be a standard limit type or fully "
	                "qualified"},
	};
	RUN_GROUP_CASES("", cases);
}

static void quotas_bound_what_is_counted(void **state)
{
	static const struct group_case cases[] = {
	        {"resourcequotas", QUOTA("\"pods\":\"1\",\"count/a.b\":\"1\",\"requests.a.b/c\":\"1\"", ""), NULL,
	                NULL},
	        {"resourcequotas", QUOTA("\"cats\":\"1\"", ""), NULL,
	                "spec.hard[cats]: Invalid value: \"cats\": must be a standard resource type or fully "
	                "qualified; spec.hard[cats]: Invalid value: \"cats\": must be a standard resource for quota"},
	        {"resourcequotas", QUOTA("\"pods\":\"500m\"", ""), NULL,
	                "spec.hard[pods]: Invalid value: 500m: must be an integer"},
	        {"resourcequotas", QUOTA("\"pods\":\"-1\"", ""), NULL,
	                "spec.hard[pods]: Invalid value: \"-1\": must be greater than or equal to 0"},
	};
	RUN_GROUP_CASES("", cases);
}

static void scopes_are_of_pods(void **state)
{
	static const struct group_case cases[] = {
	        {"resourcequotas", QUOTA("\"cpu\":\"1\",\"a.b/c\":\"1\"", ",\"scopes\":[\"Terminating\"]"), NULL, NULL},
	        {"resourcequotas", QUOTA("\"pods\":\"1\"", ",\"scopes\":[\"Idle\"]"), NULL,
	                "spec.scopes: Invalid value: []core.ResourceQuotaScope{\"Idle\"}: unsupported scope"},
	        {"resourcequotas", QUOTA("\"cpu\":\"1\"", ",\"scopes\":[\"BestEffort\"]"), NULL,
	                "spec.scopes: Invalid value: []core.ResourceQuotaScope{\"BestEffort\"}: unsupported scope "
	                "applied to resource"},
	        {"resourcequotas", QUOTA("\"pods\":\"1\"", ",\"scopes\":[\"Terminating\",\"NotTerminating\"]"), NULL,
	                "spec.scopes: Invalid value: []core.ResourceQuotaScope{\"Terminating\", \"NotTerminating\"}: "
	                "conflicting scopes"},
	        {"resourcequotas", QUOTA("\"pods\":\"1\"", ",\"scopes\":[\"BestEffort\",\"Terminating\"]"),
	                QUOTA("\"pods\":\"2\"", ",\"scopes\":[\"Terminating\",\"BestEffort\"]"), NULL},
	        {"resourcequotas", QUOTA("\"pods\":\"1\"", ""), QUOTA("\"pods\":\"1\"", ",\"scopes\":[\"BestEffort\"]"),
	                "spec.scopes: Invalid value: []core.ResourceQuotaScope{}: field is immutable"},
	        {"resourcequotas", QUOTA("\"pods\":\"1\"", TERM("PriorityClass", "In", ",\"values\":[\"high\"]")), NULL,
	                NULL},
	        {"resourcequotas", QUOTA("\"pods\":\"1\"", TERM("PriorityClass", "In", "")), NULL,
	                "spec.scopeSelector.matchExpressions.values: Required value: must be at least one value when "
	                "`operator` is 'In' or 'NotIn' for scope selector"},
	        {"resourcequotas", QUOTA("\"pods\":\"1\"", TERM("Idle", "Exists", "")), NULL,
	                "spec.scopeSelector.matchExpressions.scopeName: Invalid value: \"Idle\": unsupported scope"},
	        {"resourcequotas", QUOTA("\"pods\":\"1\"", TERM("PriorityClass", "Near", "")), NULL,
	                "spec.scopeSelector.matchExpressions.operator: Invalid value: \"Near\": not a valid selector "
	                "operator"},
	};
	RUN_GROUP_CASES("", cases);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(bounds_fit_each_other, release),
	        cmocka_unit_test_teardown(quotas_bound_what_is_counted, release),
	        cmocka_unit_test_teardown(scopes_are_of_pods, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
