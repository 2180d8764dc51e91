/* Workloads: what is wrong, in upstream's words, and their status. */
#include "tests/unit/api/machinery/rules/groups/group_cases.h"

#define POD(rest) "\"spec\":{" rest "\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}"
#define TEMPLATE_OF(labels, pod) "\"template\":{\"metadata\":{\"labels\":{" labels "}}," POD(pod) "}"
#define TEMPLATE TEMPLATE_OF("\"a\":\"b\"", "")
#define SELECTOR "\"selector\":{\"matchLabels\":{\"a\":\"b\"}},"
#define SPEC(rest) "\"spec\":{" rest SELECTOR TEMPLATE "}"
#define GO_SELECTOR(labels) \
	"v1.LabelSelector{MatchLabels:" labels ", MatchExpressions:[]v1.LabelSelectorRequirement(nil)}"
#define MISMATCH \
	"spec.template.metadata.labels: Invalid value: map[string]string{\"a\":\"b\"}: `selector` does not match " \
	"template `labels`"
#define INT(n) "intstr.IntOrString{Type:0, IntVal:" n ", StrVal:\"\"}"
#define TEXT(s) "intstr.IntOrString{Type:1, IntVal:0, StrVal:\"" s "\"}"
#define PERCENT \
	"a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used " \
	"for validation is '[0-9]+%')"
#define LABEL \
	"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and " \
	"end " \
	"with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is " \
	"'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"

static void a_selector_chooses_the_pods_of_its_template(void **state)
{
	static const struct group_case cases[] = {
	        {"deployments", SPEC(""), NULL, NULL},
	        {"replicasets", SPEC(""), NULL, NULL},
	        {"daemonsets", SPEC(""), NULL, NULL},
	        {"statefulsets", SPEC(""), NULL, NULL},
	        {"deployments", "\"spec\":{" TEMPLATE "}", NULL, "spec.selector: Required value; " MISMATCH},
	        {"daemonsets", "\"spec\":{" TEMPLATE "}", NULL, MISMATCH},
	        {"deployments", "\"spec\":{\"selector\":{}," TEMPLATE "}", NULL,
	                "spec.selector: Invalid value: " GO_SELECTOR(
	                        "map[string]string(nil)") ": empty selector is "
	                                                  "invalid for deployment"},
	        {"replicasets", "\"spec\":{\"selector\":{\"matchLabels\":{}}," TEMPLATE "}", NULL,
	                "spec.selector: Invalid value: " GO_SELECTOR(
	                        "map[string]string{}") ": empty selector is invalid "
	                                               "for deployment"},
	        {"statefulsets", "\"spec\":{\"selector\":{}," TEMPLATE "}", NULL,
	                "spec.selector: Invalid value: " GO_SELECTOR(
	                        "map[string]string(nil)") ": empty selector is "
	                                                  "invalid for statefulset"},
	        {"daemonsets", "\"spec\":{\"selector\":{}," TEMPLATE "}", NULL,
	                "spec.selector: Invalid value: " GO_SELECTOR("map[string]string(nil)") ": empty selector is "
	                                                                                       "invalid for daemonset"},
	        {"deployments", "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"c\"}}," TEMPLATE "}", NULL, MISMATCH},
	        {"deployments", "\"spec\":{" SELECTOR TEMPLATE_OF("", "") "}", NULL,
	                "spec.template.metadata.labels: Invalid value: map[string]string{}: `selector` does not match "
	                "template `labels`"},
	};
	RUN_GROUP_CASES("apps", cases);
}

static void a_selector_stays(void **state)
{
	static const char *const kinds[] = {"deployments", "replicasets", "daemonsets"};
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		const struct group_case c = {kinds[i],
		        "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\",\"B\":\"c\"}}," TEMPLATE_OF(
		                "\"a\":\"b\",\"B\":\"c\"", "") "}",
		        SPEC(""),
		        "spec.selector: Invalid value: " GO_SELECTOR(
		                "map[string]string{\"B\":\"c\", \"a\":\"b\"}") ": field is immutable"};
		run_group_cases("apps", &c, 1, "");
	}
}

static void pods_of_workloads_last(void **state)
{
	static const struct group_case cases[] = {
	        {"deployments",
	                "\"spec\":{" SELECTOR TEMPLATE_OF(
	                        "\"a\":\"b\"", "\"restartPolicy\":\"Never\",\"activeDeadlineSeconds\":5,") "}",
	                NULL,
	                "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \"Always\"; "
	                "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicaSet is "
	                "not "
	                "Supported"},
	        {"daemonsets", "\"spec\":{" SELECTOR TEMPLATE_OF("\"a\":\"b\"", "\"activeDeadlineSeconds\":5,") "}",
	                NULL,
	                "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in DaemonSet is "
	                "not "
	                "Supported"},
	        {"statefulsets", "\"spec\":{" SELECTOR TEMPLATE_OF("\"a\":\"b\"", "\"activeDeadlineSeconds\":5,") "}",
	                NULL,
	                "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in StatefulSet is "
	                "not "
	                "Supported"},
	};
	RUN_GROUP_CASES("apps", cases);
}

#define STRATEGY(rest) SPEC("\"strategy\":{" rest "},")
#define ROLLING(rest) STRATEGY("\"rollingUpdate\":{" rest "}")
#define AT "spec.strategy.rollingUpdate."

static void a_deployment_rolls(void **state)
{
	static const struct group_case cases[] = {
	        {"deployments", ROLLING("\"maxSurge\":\"200%\",\"maxUnavailable\":\"100%\""), NULL, NULL},
	        {"deployments", ROLLING("\"maxSurge\":\"x\",\"maxUnavailable\":\"101%\""), NULL,
	                AT "maxUnavailable: Invalid value: " TEXT("101%") ": must not be greater than 100%; " AT
	                                                                  "maxSurge: Invalid value: " TEXT(
	                                                                          "x") ": " PERCENT},
	        {"deployments", ROLLING("\"maxSurge\":0,\"maxUnavailable\":0"), NULL,
	                AT "maxUnavailable: Invalid value: " INT("0") ": may not be 0 when `maxSurge` is 0"},
	        {"deployments", ROLLING("\"maxSurge\":\"0%\",\"maxUnavailable\":\"0%\""), NULL,
	                AT "maxUnavailable: Invalid value: " TEXT("0%") ": may not be 0 when `maxSurge` is 0"},
	        {"deployments", ROLLING("\"maxSurge\":-1,\"maxUnavailable\":1"), NULL,
	                AT "maxSurge: Invalid value: -1: must be greater than or equal to 0"},
	        {"deployments", STRATEGY("\"type\":\"Recreate\",\"rollingUpdate\":{}"), NULL,
	                "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is "
	                "'Recreate'"},
	        {"deployments", STRATEGY("\"type\":\"Slow\""), NULL,
	                "spec.strategy: Unsupported value: apps.DeploymentStrategy{Type:\"Slow\", "
	                "RollingUpdate:(*apps.RollingUpdateDeployment)(nil)}: supported values: \"Recreate\", "
	                "\"RollingUpdate\""},
	        {"deployments", SPEC("\"progressDeadlineSeconds\":5,\"minReadySeconds\":5,"), NULL,
	                "spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds"},
	        {"deployments", SPEC("\"replicas\":-1,\"revisionHistoryLimit\":-1,"), NULL,
	                "spec.replicas: Invalid value: -1: must be greater than or equal to 0; "
	                "spec.revisionHistoryLimit: "
	                "Invalid value: -1: must be greater than or equal to 0"},
	};
	RUN_GROUP_CASES("apps", cases);
}

#define UPDATE(rest) SPEC("\"updateStrategy\":{" rest "},")
#undef AT
#define AT "spec.updateStrategy.rollingUpdate."

static void a_daemon_set_rolls_one_way(void **state)
{
	static const struct group_case cases[] = {
	        {"daemonsets", UPDATE("\"type\":\"OnDelete\""), NULL, NULL},
	        {"daemonsets", UPDATE("\"rollingUpdate\":{\"maxSurge\":\"10%\",\"maxUnavailable\":0}"), NULL, NULL},
	        {"daemonsets", UPDATE("\"rollingUpdate\":{\"maxSurge\":1,\"maxUnavailable\":1}"), NULL,
	                AT "maxSurge: Invalid value: " INT("1") ": may not be set when maxUnavailable is non-zero"},
	        {"daemonsets", UPDATE("\"rollingUpdate\":{\"maxUnavailable\":0}"), NULL,
	                AT "maxUnavailable: Required value: cannot be 0 when maxSurge is 0"},
	        {"daemonsets", UPDATE("\"type\":\"Slow\""), NULL,
	                "spec.updateStrategy: Unsupported value: apps.DaemonSetUpdateStrategy{Type:\"Slow\", "
	                "RollingUpdate:(*apps.RollingUpdateDaemonSet)(nil)}: supported values: \"RollingUpdate\", "
	                "\"OnDelete\""},
	};
	RUN_GROUP_CASES("apps", cases);
}

static void a_stateful_set_has_an_order(void **state)
{
	static const struct group_case cases[] = {
	        {"statefulsets", SPEC("\"podManagementPolicy\":\"Random\","), NULL,
	                "spec.podManagementPolicy: Invalid value: \"Random\": must be 'OrderedReady' or 'Parallel'"},
	        {"statefulsets", UPDATE("\"type\":\"Slow\""), NULL,
	                "spec.updateStrategy: Invalid value: apps.StatefulSetUpdateStrategy{Type:\"Slow\", "
	                "RollingUpdate:(*apps.RollingUpdateStatefulSetStrategy)(nil)}: must be 'RollingUpdate' or "
	                "'OnDelete'"},
	        {"statefulsets", UPDATE("\"type\":\"OnDelete\",\"rollingUpdate\":{\"partition\":2}"), NULL,
	                "spec.updateStrategy.rollingUpdate: Invalid value: apps.RollingUpdateStatefulSetStrategy{"
	                "Partition:2, MaxUnavailable:(*intstr.IntOrString)(nil)}: only allowed for updateStrategy "
	                "'RollingUpdate'"},
	        {"statefulsets", UPDATE("\"rollingUpdate\":{\"partition\":-1,\"maxUnavailable\":0}"), NULL,
	                AT "partition: Invalid value: -1: must be greater than or equal to 0; " AT
	                   "maxUnavailable: Invalid value: " INT("0") ": cannot be 0"},
	        {"statefulsets", SPEC("\"persistentVolumeClaimRetentionPolicy\":{\"whenScaled\":\"Keep\"},"), NULL,
	                "spec.persistentVolumeClaimRetentionPolicy.whenScaled: Unsupported value: \"Keep\": supported "
	                "values: \"Retain\", \"Delete\""},
	        {"statefulsets", SPEC("\"serviceName\":\"x\","), SPEC(""),
	                "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', "
	                "'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' "
	                "and "
	                "'minReadySeconds' are forbidden"},
	        {"statefulsets", SPEC("\"replicas\":3,\"minReadySeconds\":1,\"ordinals\":{\"start\":1},"), SPEC(""),
	                NULL},
	        /* what only the pod would be refused for */
	        {"statefulsets", "\"spec\":{" SELECTOR TEMPLATE_OF("\"a\":\"b\"", "\"hostname\":\"A_B\",") "}", NULL,
	                NULL},
	};
	RUN_GROUP_CASES("apps", cases);
}

static void a_stateful_set_is_called_as_its_pods_may_be(void **state)
{
	const struct resource *r = resource_find(SLICE("apps"), SLICE("v1"), SLICE("statefulsets"));
	struct json *v = group_object(r, SPEC(""));
	json_set_cstr(&a, json_get(v, "metadata"), "name", "a.b");
	assert_string_equal(group_errors(r, v, NULL, ""), "metadata.name: Invalid value: \"a.b\": " LABEL);
	assert_string_equal(group_errors(r, v, v, ""), "");
}

static void a_revision_has_data_that_stays(void **state)
{
	static const struct group_case cases[] = {
	        {"controllerrevisions", "\"data\":{\"a\":1},\"revision\":0", NULL, NULL},
	        {"controllerrevisions", "\"data\":{\"a\":1},\"revision\":2", "\"data\":{\"a\":1},\"revision\":1", NULL},
	        {"controllerrevisions", "\"revision\":-1", NULL,
	                "data: Required value: data is mandatory; revision: Invalid value: -1: must be greater than or "
	                "equal to 0"},
	        {"controllerrevisions", "\"data\":{\"a\":2}", "\"data\":{\"a\":1}",
	                "data: Invalid value: {\"a\":2}: field is immutable"},
	};
	RUN_GROUP_CASES("apps", cases);
}

#define STATUS(rest) "\"status\":{" rest "}"

static void counters_of_a_status_fit(void **state)
{
	static const struct group_case cases[] = {
	        {"deployments", STATUS("\"replicas\":3,\"readyReplicas\":2,\"availableReplicas\":1"), "", NULL},
	        {"deployments", STATUS("\"replicas\":1,\"readyReplicas\":2,\"availableReplicas\":3"), "",
	                "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas; "
	                "status.availableReplicas: Invalid value: 3: cannot be greater than status.replicas; "
	                "status.availableReplicas: Invalid value: 3: cannot be greater than readyReplicas"},
	        {"deployments", STATUS("\"replicas\":-1"), "",
	                "status.replicas: Invalid value: -1: must be greater than or equal to 0; "
	                "status.updatedReplicas: "
	                "Invalid value: 0: cannot be greater than status.replicas; status.readyReplicas: Invalid "
	                "value: 0: "
	                "cannot be greater than status.replicas; status.availableReplicas: Invalid value: 0: cannot be "
	                "greater than status.replicas"},
	        {"deployments", STATUS("\"collisionCount\":1"), STATUS("\"collisionCount\":2"),
	                "status.collisionCount: Invalid value: 1: cannot be decremented"},
	        {"replicasets", STATUS("\"replicas\":1,\"fullyLabeledReplicas\":2"), "",
	                "status.fullyLabeledReplicas: Invalid value: 2: cannot be greater than status.replicas"},
	        {"daemonsets", STATUS("\"numberReady\":-1"), "",
	                "status.numberReady: Invalid value: -1: must be greater than or equal to 0"},
	        {"daemonsets", STATUS("\"numberReady\":1"), STATUS("\"collisionCount\":2"),
	                "status.collisionCount: Invalid value: 0: cannot be decremented"},
	        {"statefulsets", STATUS("\"replicas\":2,\"availableReplicas\":1"), "",
	                "status.availableReplicas: Invalid value: 1: cannot be greater than status.readyReplicas"},
	        {"statefulsets", STATUS("\"replicas\":1,\"currentReplicas\":2"), "",
	                "status.currentReplicas: Invalid value: 2: cannot be greater than status.replicas"},
	};
	run_group_cases("apps", cases, COUNT_OF(cases), "status");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(a_selector_chooses_the_pods_of_its_template, release),
	        cmocka_unit_test_teardown(a_selector_stays, release),
	        cmocka_unit_test_teardown(pods_of_workloads_last, release),
	        cmocka_unit_test_teardown(a_deployment_rolls, release),
	        cmocka_unit_test_teardown(a_daemon_set_rolls_one_way, release),
	        cmocka_unit_test_teardown(a_stateful_set_has_an_order, release),
	        cmocka_unit_test_teardown(a_stateful_set_is_called_as_its_pods_may_be, release),
	        cmocka_unit_test_teardown(a_revision_has_data_that_stays, release),
	        cmocka_unit_test_teardown(counters_of_a_status_fit, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
