/* Autoscalers: each source of a metric, its target, and how fast they may scale. */
#include "tests/unit/api/machinery/rules/groups/group_cases.h"

#define REF "\"scaleTargetRef\":{\"kind\":\"Deployment\",\"name\":\"d\"}"
#define HPA(rest) "\"apiVersion\":\"autoscaling/v2\",\"spec\":{" REF ",\"maxReplicas\":3" rest "}"
#define METRIC(rest) HPA(",\"metrics\":[{" rest "}]")
#define CPU(target) METRIC("\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"target\":{" target "}}")
#define VALUE "\"type\":\"Value\",\"value\":\"1\""
#define AVERAGE "\"type\":\"AverageValue\",\"averageValue\":\"1\""
#define EXTERNAL(target) \
	METRIC("\"type\":\"External\",\"external\":{\"metric\":{\"name\":\"m\"},\"target\":{" target "}}")
#define PODS(name, target) \
	METRIC("\"type\":\"Pods\",\"pods\":{\"metric\":{\"name\":\"" name "\"},\"target\":{" target "}}")
#define OBJECT(of, target) \
	METRIC("\"type\":\"Object\",\"object\":{\"describedObject\":{" of \
	       "},\"metric\":{\"name\":\"m\"},\"target\":{" target "}}")
#define CONTAINER(name, of) \
	METRIC("\"type\":\"ContainerResource\",\"containerResource\":{\"name\":\"" name "\",\"container\":\"" of \
	       "\",\"target\":{\"type\":\"Utilization\",\"averageUtilization\":50}}")
#define AT(rest) "spec.metrics[0]." rest
#define LABEL \
	"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and " \
	"end " \
	"with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is " \
	"'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"

#define RUN(cases) run_version_cases("autoscaling", "v2", cases, COUNT_OF(cases), "")

static void what_is_scaled_and_how_far(void **state)
{
	static const struct group_case cases[] = {
	        {"horizontalpodautoscalers", HPA(""), NULL, NULL},
	        {"horizontalpodautoscalers", HPA(",\"minReplicas\":0"), NULL,
	                "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1; spec.metrics: "
	                "Forbidden: "
	                "must specify at least one Object or External metric to support scaling to zero replicas"},
	        {"horizontalpodautoscalers", HPA(",\"minReplicas\":-1"), HPA(",\"minReplicas\":0"),
	                "spec.minReplicas: Invalid value: -1: must be greater than or equal to 0"},
	        {"horizontalpodautoscalers", HPA(",\"minReplicas\":4"), NULL,
	                "spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`"},
	        {"horizontalpodautoscalers", "\"spec\":{" REF ",\"maxReplicas\":0}", NULL,
	                "spec.maxReplicas: Invalid value: 0: must be greater than 0; spec.maxReplicas: Invalid value: "
	                "0: "
	                "must be greater than or equal to `minReplicas`"},
	        {"horizontalpodautoscalers",
	                "\"spec\":{\"scaleTargetRef\":{\"kind\":\"\",\"name\":\"a/b\"},\"maxReplicas\":1}", NULL,
	                "spec.scaleTargetRef.kind: Required value; spec.scaleTargetRef.name: Invalid value: \"a/b\": "
	                "may "
	                "not contain '/'"},
	};
	RUN(cases);
}

static void a_metric_has_the_source_of_its_type(void **state)
{
	static const struct group_case cases[] = {
	        {"horizontalpodautoscalers", METRIC("\"type\":\"Pods\""), NULL,
	                AT("pods: Required value: must populate information for the given metric source")},
	        {"horizontalpodautoscalers", METRIC("\"type\":\"Queue\""), NULL,
	                AT("type: Unsupported value: \"Queue\": supported values: \"ContainerResource\", \"External\", "
	                   "\"Object\", \"Pods\", \"Resource\"")},
	        {"horizontalpodautoscalers", METRIC(""), NULL,
	                AT("type: Required value: must specify a metric source type; ")
	                        AT("type: Unsupported value: \"\": supported values: \"ContainerResource\", "
	                           "\"External\", \"Object\", \"Pods\", \"Resource\"")},
	        {"horizontalpodautoscalers",
	                METRIC("\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"target\":{" AVERAGE
	                       "}},\"pods\":{\"metric\":{\"name\":\"m\"},\"target\":{" AVERAGE "}}"),
	                NULL, AT("pods: Forbidden: must populate the given metric source only")},
	        {"horizontalpodautoscalers", OBJECT("\"kind\":\"Ingress\",\"name\":\"i\"", VALUE), NULL, NULL},
	        {"horizontalpodautoscalers", OBJECT("\"kind\":\"Ingress\"", "\"type\":\"Value\""), NULL,
	                AT("object.describedObject.name: Required value; ")
	                        AT("object.target.averageValue: Required value: must set either a target value or "
	                           "averageValue")},
	        {"horizontalpodautoscalers", EXTERNAL(VALUE), NULL, NULL},
	        {"horizontalpodautoscalers", EXTERNAL("\"type\":\"Value\""), NULL,
	                AT("external.target.averageValue: Required value: must set either a target value for metric or "
	                   "a "
	                   "per-pod target")},
	        {"horizontalpodautoscalers", EXTERNAL(VALUE ",\"averageValue\":\"1\""), NULL,
	                AT("external.target.value: Forbidden: may not set both a target value for metric and a per-pod "
	                   "target")},
	        {"horizontalpodautoscalers", PODS("m", AVERAGE), NULL, NULL},
	        {"horizontalpodautoscalers", PODS("", VALUE), NULL,
	                AT("pods.metric.name: Required value: must specify a metric name; ")
	                        AT("pods.target.averageValue: Required value: must specify a positive target "
	                           "averageValue")},
	        {"horizontalpodautoscalers", CONTAINER("cpu", "c"), NULL, NULL},
	        {"horizontalpodautoscalers", CONTAINER("example.com/gpu", "c"), NULL, NULL},
	        {"horizontalpodautoscalers", CONTAINER("widgets", "C"), NULL,
	                AT("containerResource.name: Invalid value: \"widgets\": must be a standard resource type or "
	                   "fully qualified; ") AT("containerResource.name: Invalid value: \"widgets\": must be a "
	                                           "standard resource for "
	                                           "containers; ")
	                        AT("containerResource.container: Invalid value: \"C\": " LABEL)},
	        {"horizontalpodautoscalers", CONTAINER("", ""), NULL,
	                AT("containerResource.name: Required value: must specify a resource name; ")
	                        AT("containerResource.container: Required value: must specify a container")},
	};
	RUN(cases);
}

static void a_target_is_one_and_positive(void **state)
{
	static const struct group_case cases[] = {
	        {"horizontalpodautoscalers", CPU("\"type\":\"Utilization\",\"averageUtilization\":50"), NULL, NULL},
	        {"horizontalpodautoscalers", CPU("\"averageUtilization\":0"), NULL,
	                AT("resource.target.type: Required value: must specify a metric target type; ")
	                        AT("resource.target.type: Invalid value: \"\": must be either Utilization, Value, or "
	                           "AverageValue; ") AT("resource.target.averageUtilization: Invalid value: 0: must be "
	                                                "greater than 0")},
	        {"horizontalpodautoscalers", CPU("\"type\":\"Utilization\""), NULL,
	                AT("resource.target.averageUtilization: Required value: must set either a target raw value or "
	                   "a "
	                   "target utilization")},
	        {"horizontalpodautoscalers", CPU(AVERAGE ",\"averageUtilization\":5"), NULL,
	                AT("resource.target.averageValue: Forbidden: may not set both a target raw value and a target "
	                   "utilization")},
	        {"horizontalpodautoscalers", CPU("\"type\":\"AverageValue\",\"averageValue\":\"0\""), NULL,
	                AT("resource.target.averageValue: Invalid value: \"0\": must be positive")},
	};
	RUN(cases);
}

#define UP(rest) HPA(",\"behavior\":{\"scaleUp\":{" rest "}}")
#define AT_UP(rest) "spec.behavior.scaleUp." rest

static void how_fast_it_scales(void **state)
{
	static const struct group_case cases[] = {
	        {"horizontalpodautoscalers", UP("\"stabilizationWindowSeconds\":3600"), NULL, NULL},
	        {"horizontalpodautoscalers", UP("\"stabilizationWindowSeconds\":3601"), NULL,
	                AT_UP("stabilizationWindowSeconds: Invalid value: 3601: must be less than or equal to 3600")},
	        {"horizontalpodautoscalers", UP("\"selectPolicy\":\"Most\""), NULL,
	                AT_UP("selectPolicy: Unsupported value: \"Most\": supported values: \"Disabled\", \"Max\", "
	                      "\"Min\"")},
	        {"horizontalpodautoscalers", UP("\"policies\":[]"), NULL,
	                AT_UP("policies: Required value: must specify at least one Policy")},
	        {"horizontalpodautoscalers", UP("\"policies\":[{\"type\":\"\",\"value\":0,\"periodSeconds\":1801}]"),
	                NULL,
	                AT_UP("policies[0].type: Unsupported value: \"\": supported values: \"Percent\", \"Pods\"; ")
	                        AT_UP("policies[0].value: Invalid value: 0: must be greater than zero; ")
	                                AT_UP("policies[0].periodSeconds: Invalid value: 1801: must be less than or "
	                                      "equal to 1800")},
	};
	RUN(cases);
}

static void the_first_version_is_checked_as_the_second(void **state)
{
	static const struct group_case cases[] = {
	        {"horizontalpodautoscalers",
	                "\"spec\":{" REF ",\"maxReplicas\":1,\"targetCPUUtilizationPercentage\":0}", NULL,
	                AT("resource.target.averageUtilization: Invalid value: 0: must be greater than 0")},
	};
	RUN_GROUP_CASES("autoscaling", cases);
}

static void the_status_counts(void **state)
{
	static const struct group_case cases[] = {
	        {"horizontalpodautoscalers", "\"status\":{\"currentReplicas\":1,\"desiredReplicas\":0}", "", NULL},
	        {"horizontalpodautoscalers", "\"status\":{\"currentReplicas\":-1,\"desiredReplicas\":-2}", "",
	                "status.currentReplicas: Invalid value: -1: must be greater than or equal to 0; "
	                "status.desiredReplicas: Invalid value: -2: must be greater than or equal to 0"},
	};
	run_version_cases("autoscaling", "v2", cases, COUNT_OF(cases), "status");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(what_is_scaled_and_how_far, release),
	        cmocka_unit_test_teardown(a_metric_has_the_source_of_its_type, release),
	        cmocka_unit_test_teardown(a_target_is_one_and_positive, release),
	        cmocka_unit_test_teardown(how_fast_it_scales, release),
	        cmocka_unit_test_teardown(the_first_version_is_checked_as_the_second, release),
	        cmocka_unit_test_teardown(the_status_counts, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
