/* The small kinds of the core group: namespaces, replication controllers, templates of pods, accounts. */
#include "tests/unit/api/machinery/rules/groups/group_cases.h"

#include "api/machinery/rules/prepare.h"

#define ENDS(text) "\"spec\":{\"finalizers\":[" text "]}"
#define STATUS(text) ",\"status\":{" text "}"
#define POD "{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]%s}}"

static void finalizers_of_a_namespace_have_a_domain(void **state)
{
	static const struct group_case created[] = {
	        {"namespaces", ENDS("\"kubernetes\",\"a.b/c\""), NULL, NULL},
	        {"namespaces", ENDS("\"mine\""), NULL,
	                "spec.finalizers: Invalid value: \"mine\": name is neither a standard finalizer name nor is it "
	                "fully qualified"},
	};
	static const struct group_case parts[] = {
	        {"namespaces", ENDS("\"a.b/c\"") STATUS("\"phase\":\"Active\""), ENDS(""), NULL},
	        {"namespaces", ENDS("\"mine\"") STATUS("\"phase\":\"Terminating\""), ENDS(""),
	                "status.Phase: Invalid value: \"Terminating\": may only be 'Active' if `deletionTimestamp` is "
	                "empty; spec.finalizers[0]: Invalid value: \"mine\": name is neither a standard finalizer name "
	                "nor is it fully qualified"},
	};
	RUN_GROUP_CASES("", created);
	run_group_cases("", parts, COUNT_OF(parts), "status");
}

static void a_new_namespace_keeps_the_finalizers_that_it_came_with(void **state)
{
	const struct resource *r = resource_find(SLICE(""), SLICE("v1"), SLICE("namespaces"));
	struct json *v = group_object(r, ENDS("\"a.b/c\""));
	prepare_create(&a, r, v);
	struct json *ends = json_path(v, "spec", "finalizers", NULL);
	assert_true(ends->count == 2 && slice_is(json_str(ends->last), "kubernetes"));
}

static void a_replication_controller_counts_its_pods(void **state)
{
	const char *good = arena_printf(&a, "\"spec\":{\"template\":" POD "}", "");
	const char *timed = arena_printf(&a, "\"spec\":{\"template\":" POD "}", ",\"activeDeadlineSeconds\":1");
	const struct group_case cases[] = {
	        {"replicationcontrollers", good, NULL, NULL},
	        {"replicationcontrollers", timed, NULL,
	                "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in "
	                "ReplicationController is not Supported"},
	};
	static const struct group_case statuses[] = {
	        {"replicationcontrollers", "\"status\":{\"replicas\":2,\"readyReplicas\":1,\"availableReplicas\":1}",
	                "", NULL},
	        {"replicationcontrollers", "\"status\":{\"replicas\":-1}", "",
	                "status.replicas: Invalid value: -1: must be greater than or equal to 0; "
	                "status.fullyLabeledReplicas: Invalid value: 0: cannot be greater than status.replicas; "
	                "status.readyReplicas: Invalid value: 0: cannot be greater than status.replicas; "
	                "status.availableReplicas: Invalid value: 0: cannot be greater than status.replicas"},
	        {"replicationcontrollers", "\"status\":{\"replicas\":2,\"readyReplicas\":1,\"availableReplicas\":2}",
	                "", "status.availableReplicas: Invalid value: 2: cannot be greater than readyReplicas"},
	};
	RUN_GROUP_CASES("", cases);
	run_group_cases("", statuses, COUNT_OF(statuses), "status");
}

static void a_pod_template_is_one_of_pods(void **state)
{
	const struct resource *r = resource_find(SLICE(""), SLICE("v1"), SLICE("podtemplates"));
	const char *body = arena_printf(&a, "\"template\":" POD, "");
	const struct group_case cases[] = {
	        {"podtemplates", body, NULL, NULL},
	        {"podtemplates", "\"template\":{\"spec\":{}}", NULL, "template.spec.containers: Required value"},
	};
	RUN_GROUP_CASES("", cases);
	assert_true(slice_is(
	        json_str(json_path(group_object(r, body), "template", "spec", "restartPolicy", NULL)), "Always"));
}

static void an_account_keeps_the_names_of_its_secrets(void **state)
{
	const struct resource *r = resource_find(SLICE(""), SLICE("v1"), SLICE("serviceaccounts"));
	struct json *v = group_object(r, "\"secrets\":[{\"kind\":\"Secret\",\"name\":\"s\",\"namespace\":\"x\"}]");
	prepare_create(&a, r, v);
	struct json *secret = json_at(json_get(v, "secrets"), 0);
	assert_true(secret->count == 1 && slice_is(json_get_str(secret, "name"), "s"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(finalizers_of_a_namespace_have_a_domain, release),
	        cmocka_unit_test_teardown(a_new_namespace_keeps_the_finalizers_that_it_came_with, release),
	        cmocka_unit_test_teardown(a_replication_controller_counts_its_pods, release),
	        cmocka_unit_test_teardown(a_pod_template_is_one_of_pods, release),
	        cmocka_unit_test_teardown(an_account_keeps_the_names_of_its_secrets, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
