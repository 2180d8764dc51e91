/* Where a pod may run: terms that nothing can meet are refused, in upstream's words. */
#include "tests/unit/unit_json.h"

#include "api/machinery/rules/pod/pod.h"
#include "api/machinery/rules/pod/pod_parts_int.h"
#include "base/check.h"

/* The first error as "field: message"; "" when there is none. */
static const char *first_error(const char *spec)
{
	struct field_errors *e = ARENA_NEW(&a, struct field_errors);
	field_errors_init(e, &a);
	validate_pod_scheduling(e, "spec", parse(arena_printf(&a, "{%s}", spec)));
	return e->count ? arena_printf(&a, "%s: %s", e->items[0].field, e->items[0].message) : "";
}

struct spec_case {
	const char *spec, *error;
};

static void run(const struct spec_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(first_error(cases[i].spec), cases[i].error) != 0)
			fail_msg("%s: %s, want %s", cases[i].spec, first_error(cases[i].spec), cases[i].error);
}

#define MUST "requiredDuringSchedulingIgnoredDuringExecution"
#define LIKE "preferredDuringSchedulingIgnoredDuringExecution"
#define NODE(text) "\"affinity\":{\"nodeAffinity\":{" text "}}"
#define TERMS(text) NODE("\"" MUST "\":{\"nodeSelectorTerms\":[" text "]}")
#define TERM "spec.affinity.nodeAffinity." MUST ".nodeSelectorTerms"

static void nodes_are_asked_for_what_they_can_have(void **state)
{
	static const struct spec_case cases[] = {
	        {TERMS("{\"matchExpressions\":[{\"key\":\"k\",\"operator\":\"In\",\"values\":[\"v\"]}]}"), ""},
	        {NODE("\"" MUST "\":{}"), TERM ": Required value: must have at least one node selector term"},
	        {TERMS("{\"matchExpressions\":[{\"key\":\"k\",\"operator\":\"In\"}]}"), TERM
	                "[0].matchExpressions[0].values: Required value: must be specified when `operator` is 'In' "
	                "or 'NotIn'"},
	        {TERMS("{\"matchExpressions\":[{\"key\":\"k\",\"operator\":\"Gt\"}]}"),
	                TERM "[0].matchExpressions[0].values: Required value: must be specified single value when "
	                     "`operator` is 'Lt' or 'Gt'"},
	        {TERMS("{\"matchExpressions\":[{\"key\":\"k\",\"operator\":\"Is\"}]}"),
	                TERM "[0].matchExpressions[0].operator: Invalid value: \"Is\": not a valid selector operator"},
	        {TERMS("{\"matchFields\":[{\"key\":\"metadata.name\",\"operator\":\"In\",\"values\":[\"n\"]}]}"), ""},
	        {TERMS("{\"matchFields\":[{\"key\":\"spec.x\",\"operator\":\"In\",\"values\":[\"n\"]}]}"),
	                TERM "[0].matchFields[0].key: Invalid value: \"spec.x\": not a valid field selector key"},
	        {NODE("\"" LIKE "\":[{\"weight\":101,\"preference\":{}}]"),
	                "spec.affinity.nodeAffinity." LIKE
	                "[0].weight: Invalid value: 101: must be in the range 1-100"},
	};
	run(cases, COUNT_OF(cases));
}

#define PODS(text) "\"affinity\":{\"podAntiAffinity\":{\"" MUST "\":[{" text "}]}}"
#define PODS_TERM "spec.affinity.podAntiAffinity." MUST "[0]"

static void pods_are_near_to_or_far_from_others_by_a_topology(void **state)
{
	static const struct spec_case cases[] = {
	        {PODS("\"topologyKey\":\"zone\""), ""},
	        {PODS("\"labelSelector\":{}"), PODS_TERM ".topologyKey: Required value: can not be empty"},
	        {PODS("\"topologyKey\":\"zone\",\"labelSelector\":{\"matchExpressions\":[{\"key\":\"k\",\"operator\":"
	              "\"Has\"}]}"),
	                PODS_TERM ".labelSelector.matchExpressions[0].operator: Invalid value: \"Has\": not a valid "
	                          "selector operator"},
	};
	run(cases, COUNT_OF(cases));
}

#define TOLERATION(text) "\"tolerations\":[{" text "}]"

static void tolerations_match_taints(void **state)
{
	static const struct spec_case cases[] = {
	        {TOLERATION("\"operator\":\"Exists\""), ""},
	        {TOLERATION("\"key\":\"k\",\"value\":\"v\",\"effect\":\"NoExecute\",\"tolerationSeconds\":3"), ""},
	        {TOLERATION("\"value\":\"v\""), "spec.tolerations[0].operator: Invalid value: \"\": operator must be "
	                                        "Exists when `key` is empty, "
	                                        "which means \"match all values and all keys\""},
	        {TOLERATION("\"key\":\"k\",\"operator\":\"Exists\",\"value\":\"v\""),
	                "spec.tolerations[0].operator: Invalid value: \"v\": value must be empty when `operator` is "
	                "'Exists'"},
	        {TOLERATION("\"key\":\"k\",\"operator\":\"Like\""),
	                "spec.tolerations[0].operator: Unsupported value: \"Like\": supported values: \"Equal\", "
	                "\"Exists\""},
	        {TOLERATION("\"key\":\"k\",\"effect\":\"NoSchedule\",\"tolerationSeconds\":3"),
	                "spec.tolerations[0].effect: Invalid value: \"NoSchedule\": effect must be 'NoExecute' when "
	                "`tolerationSeconds` is set"},
	        {TOLERATION("\"key\":\"k\",\"effect\":\"Never\""),
	                "spec.tolerations[0].effect: Unsupported value: \"Never\": supported values: \"NoSchedule\", "
	                "\"PreferNoSchedule\", \"NoExecute\""},
	};
	run(cases, COUNT_OF(cases));
}

#define SPREAD(text) "\"topologySpreadConstraints\":[{\"topologyKey\":\"z\"," text "}]"
#define HARD "\"whenUnsatisfiable\":\"DoNotSchedule\""
#define SPREAD_AT "spec.topologySpreadConstraints[0]"

static void spread_is_by_skew_and_topology(void **state)
{
	static const struct spec_case cases[] = {
	        {SPREAD("\"maxSkew\":1,\"minDomains\":2," HARD), ""},
	        {SPREAD("\"maxSkew\":0," HARD), SPREAD_AT ".maxSkew: Invalid value: 0: must be greater than zero"},
	        {SPREAD("\"maxSkew\":1,\"whenUnsatisfiable\":\"Wait\""),
	                SPREAD_AT ".whenUnsatisfiable: Unsupported value: \"Wait\": supported values: "
	                          "\"DoNotSchedule\", \"ScheduleAnyway\""},
	        {SPREAD("\"maxSkew\":1,\"minDomains\":2,\"whenUnsatisfiable\":\"ScheduleAnyway\""),
	                SPREAD_AT ".minDomains: Invalid value: 2: can only use minDomains if "
	                          "whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway"},
	        {SPREAD("\"maxSkew\":1,\"nodeTaintsPolicy\":\"Ask\"," HARD),
	                SPREAD_AT ".nodeTaintsPolicy: Unsupported value: \"Ask\": supported values: \"Honor\", "
	                          "\"Ignore\""},
	        {SPREAD("\"maxSkew\":1,\"matchLabelKeys\":[\"k\"]," HARD),
	                SPREAD_AT ".matchLabelKeys: Forbidden: must not be specified when labelSelector is not set"},
	        {SPREAD("\"maxSkew\":1,\"matchLabelKeys\":[\"k\"],\"labelSelector\":{\"matchLabels\":{\"k\":\"v\"}}"
	                "," HARD),
	                SPREAD_AT ".matchLabelKeys[0]: Invalid value: \"k\": exists in both matchLabelKeys and "
	                          "labelSelector"},
	        {SPREAD("\"maxSkew\":1," HARD "},{\"topologyKey\":\"z\",\"maxSkew\":2," HARD),
	                "spec.topologySpreadConstraints[1].{topologyKey, whenUnsatisfiable}: Duplicate value: \"{z, "
	                "DoNotSchedule}\""},
	};
	run(cases, COUNT_OF(cases));
}

static void gates_have_names_of_their_own(void **state)
{
	static const struct spec_case cases[] = {
	        {"\"schedulingGates\":[{\"name\":\"a/b\"},{\"name\":\"c\"}],\"preemptionPolicy\":\"Never\"", ""},
	        {"\"schedulingGates\":[{\"name\":\"a\"},{\"name\":\"a\"}]",
	                "spec.schedulingGates[1]: Duplicate value: \"a\""},
	        {"\"preemptionPolicy\":\"Often\"",
	                "spec.preemptionPolicy: Unsupported value: \"Often\": supported values: "
	                "\"PreemptLowerPriority\", \"Never\""},
	};
	run(cases, COUNT_OF(cases));
	assert_true(strncmp(first_error("\"readinessGates\":[{\"conditionType\":\"a b\"}]"),
	                    "spec.readinessGates[0].conditionType: Invalid value: \"a b\": name part must consist",
	                    60) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(nodes_are_asked_for_what_they_can_have, release),
	        cmocka_unit_test_teardown(pods_are_near_to_or_far_from_others_by_a_topology, release),
	        cmocka_unit_test_teardown(tolerations_match_taints, release),
	        cmocka_unit_test_teardown(spread_is_by_skew_and_topology, release),
	        cmocka_unit_test_teardown(gates_have_names_of_their_own, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
