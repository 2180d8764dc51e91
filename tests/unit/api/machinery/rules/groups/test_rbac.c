/* Roles and bindings: of paths or of resources, to subjects that there are, and a reference that stays. */
#include "tests/unit/api/machinery/rules/groups/group_cases.h"

#define RULE(rest) "\"rules\":[{\"verbs\":[\"get\"]" rest "}]"
#define PATHS ",\"nonResourceURLs\":[\"/a\",\"/b\"]"
#define THINGS ",\"apiGroups\":[\"\"],\"resources\":[\"pods\"]"
#define RBAC_API "rbac.authorization.k8s.io"

static void a_rule_is_of_resources_or_of_paths(void **state)
{
	static const struct group_case cases[] = {
	        {"roles", RULE(THINGS), NULL, NULL},
	        {"clusterroles", RULE(PATHS), NULL, NULL},
	        {"roles", "\"rules\":[{}]", NULL,
	                "rules[0].verbs: Required value: verbs must contain at least one value; rules[0].apiGroups: "
	                "Required value: resource rules must supply at least one api group; rules[0].resources: "
	                "Required "
	                "value: resource rules must supply at least one resource"},
	        {"roles", RULE(PATHS), NULL,
	                "rules[0].nonResourceURLs: Invalid value: []string{\"/a\", \"/b\"}: namespaced rules cannot "
	                "apply "
	                "to non-resource URLs"},
	        {"clusterroles", RULE(PATHS THINGS), NULL,
	                "rules[0].nonResourceURLs: Invalid value: []string{\"/a\", \"/b\"}: rules cannot apply to both "
	                "regular resources and non-resource URLs"},
	        {"clusterroles", "\"aggregationRule\":{}", NULL,
	                "aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector "
	                "required "
	                "if aggregationRule is non-nil"},
	};
	RUN_GROUP_CASES(RBAC_API, cases);
}

#define REF(kind, name) "\"roleRef\":{\"kind\":\"" kind "\",\"name\":\"" name "\"}"
#define TO(rest) REF("Role", "x") ",\"subjects\":[{" rest "}]"

static void a_binding_names_a_role_and_subjects(void **state)
{
	static const struct group_case cases[] = {
	        {"rolebindings", TO("\"kind\":\"User\",\"name\":\"a:b\""), NULL, NULL},
	        {"rolebindings", REF("Group", "a/b"), NULL,
	                "roleRef.kind: Unsupported value: \"Group\": supported values: \"Role\", \"ClusterRole\"; "
	                "roleRef.name: Invalid value: \"a/b\": may not contain '/'"},
	        {"clusterrolebindings", REF("Role", ""), NULL,
	                "roleRef.kind: Unsupported value: \"Role\": supported values: \"ClusterRole\"; roleRef.name: "
	                "Required value"},
	        {"rolebindings", TO("\"kind\":\"Robot\",\"name\":\"\""), NULL,
	                "subjects[0].name: Required value; subjects[0].kind: Unsupported value: \"Robot\": supported "
	                "values: \"ServiceAccount\", \"User\", \"Group\""},
	        {"rolebindings", TO("\"kind\":\"ServiceAccount\",\"name\":\"a\",\"apiGroup\":\"x\""), NULL,
	                "subjects[0].apiGroup: Unsupported value: \"x\": supported values: \"\""},
	        {"rolebindings", TO("\"kind\":\"User\",\"name\":\"a\",\"apiGroup\":\"x\""), NULL,
	                "subjects[0].apiGroup: Unsupported value: \"x\": supported values: \"" RBAC_API "\""},
	        {"clusterrolebindings",
	                REF("ClusterRole", "x") ",\"subjects\":[{\"kind\":\"ServiceAccount\",\"name\":\"a\"}]", NULL,
	                "subjects[0].namespace: Required value"},
	        {"rolebindings", REF("ClusterRole", "x"), REF("Role", "x"),
	                "roleRef: Invalid value: rbac.RoleRef{APIGroup:\"" RBAC_API
	                "\", Kind:\"ClusterRole\", Name:\"x\"}: cannot change roleRef"},
	        {"rolebindings", TO("\"kind\":\"User\",\"name\":\"a\""), REF("Role", "x"), NULL},
	};
	RUN_GROUP_CASES(RBAC_API, cases);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(a_rule_is_of_resources_or_of_paths, release),
	        cmocka_unit_test_teardown(a_binding_names_a_role_and_subjects, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
