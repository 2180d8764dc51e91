/* Stored roles and bindings get what they lack of the tables, and keep what they have beyond them. */
#include "api/server/duties/roles_reconcile.h"

#include "tests/unit/unit_json.h"

static const struct policy_role role = {.name = "r",
        .aggregates = "view",
        .collects = "edit",
        .rules = {{"get,list", ",x.io", "pods,pods/log"}, {.verbs = "get", .urls = "/healthz"}}};
static const struct policy_binding binding = {
        "b", NULL, "r", "Group:system:devs,ServiceAccount:n/s,User:system:kube-x"};

static void rows_become_objects(void **state)
{
	struct json *want =
	        parse("{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"ClusterRole\",\"metadata\":{"
	              "\"name\":\"r\",\"labels\":{\"kubernetes.io/bootstrapping\":\"rbac-defaults\","
	              "\"rbac.authorization.k8s.io/aggregate-to-view\":\"true\"},\"annotations\":{"
	              "\"rbac.authorization.kubernetes.io/autoupdate\":\"true\"}},\"rules\":["
	              "{\"verbs\":[\"get\",\"list\"],\"apiGroups\":[\"\",\"x.io\"],\"resources\":[\"pods\","
	              "\"pods/log\"]},{\"verbs\":[\"get\"],\"nonResourceURLs\":[\"/healthz\"]}],"
	              "\"aggregationRule\":{\"clusterRoleSelectors\":[{\"matchLabels\":{"
	              "\"rbac.authorization.k8s.io/aggregate-to-edit\":\"true\"}}]}}");
	assert_true(json_equal(role_object(&a, &role, NULL), want));
	struct json *b = binding_object(&a, &binding);
	assert_true(json_equal(json_get(b, "subjects"),
	        parse("[{\"kind\":\"Group\",\"apiGroup\":\"rbac.authorization.k8s.io\",\"name\":\"system:devs\"},"
	              "{\"kind\":\"ServiceAccount\",\"namespace\":\"n\",\"name\":\"s\"},"
	              "{\"kind\":\"User\",\"apiGroup\":\"rbac.authorization.k8s.io\",\"name\":\"system:kube-x\"}]")));
}

static void what_is_whole_is_left_alone(void **state)
{
	bool is_other;
	assert_false(role_reconcile(&a, role_object(&a, &role, NULL), role_object(&a, &role, NULL)));
	assert_false(binding_reconcile(&a, binding_object(&a, &binding), binding_object(&a, &binding), &is_other));
	assert_false(is_other);
}

static void what_is_lacking_is_added_and_the_rest_kept(void **state)
{
	struct json *stored =
	        parse("{\"metadata\":{\"name\":\"r\",\"labels\":{\"kubernetes.io/bootstrapping\":\"own\"}},"
	              "\"rules\":[{\"verbs\":[\"*\"],\"apiGroups\":[\"x.io\"],\"resources\":[\"*\"]}]}");
	assert_true(role_reconcile(&a, stored, role_object(&a, &role, NULL)));
	struct json *rules = json_get(stored, "rules");
	assert_int_equal(rules->count, 4); /* his, pods, pods/log, the path */
	assert_true(json_equal(json_at(rules, 1),
	        parse("{\"verbs\":[\"get\",\"list\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"]}")));
	assert_true(slice_is(
	        json_str(json_get(json_path(stored, "metadata", "labels", NULL), "kubernetes.io/bootstrapping")),
	        "own"));
	assert_int_equal(json_path(stored, "aggregationRule", "clusterRoleSelectors", NULL)->count, 1);
	assert_false(role_reconcile(&a, stored, role_object(&a, &role, NULL)));
}

static void who_says_no_is_left_alone(void **state)
{
	bool is_other;
	const char *text =
	        "{\"metadata\":{\"annotations\":{\"rbac.authorization.kubernetes.io/autoupdate\":\"false\"}}}";
	assert_false(role_reconcile(&a, parse(text), role_object(&a, &role, NULL)));
	assert_false(binding_reconcile(&a, parse(text), binding_object(&a, &binding), &is_other));
	assert_false(is_other);
}

static void a_binding_to_another_role_is_made_anew(void **state)
{
	bool is_other;
	struct json *stored = binding_object(&a, &binding);
	json_set_cstr(&a, json_get(stored, "roleRef"), "name", "other");
	assert_true(binding_reconcile(&a, stored, binding_object(&a, &binding), &is_other));
	assert_true(is_other);
}

/* A row that a table's bound cuts off, or that names no verb, would be lost in silence. */
static void tables_are_whole(void **state)
{
	const struct policy_role *const tables[] = {policy_cluster_roles, policy_controllers, policy_roles};
	for (size_t t = 0; t < 3; t++)
		for (const struct policy_role *r = tables[t]; r->name; r++) {
			size_t n = 0;
			for (; r->rules[n].verbs; n++)
				assert_true(r->rules[n].urls ? !r->rules[n].resources
				                             : r->rules[n].groups && r->rules[n].resources);
			assert_true(n < sizeof r->rules / sizeof *r->rules);
			assert_true(n > 0 || r->collects);
		}
	for (const struct policy_binding *b = policy_cluster_bindings; b->name; b++)
		assert_non_null(policy_find(b->role));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(rows_become_objects, release),
	        cmocka_unit_test_teardown(what_is_whole_is_left_alone, release),
	        cmocka_unit_test_teardown(what_is_lacking_is_added_and_the_rest_kept, release),
	        cmocka_unit_test_teardown(who_says_no_is_left_alone, release),
	        cmocka_unit_test_teardown(a_binding_to_another_role_is_made_anew, release),
	        cmocka_unit_test_teardown(tables_are_whole, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
