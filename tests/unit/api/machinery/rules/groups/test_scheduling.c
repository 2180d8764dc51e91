/* Priority classes: users' values end where the system's begin, and both stay. */
#include "tests/unit/api/machinery/rules/groups/group_cases.h"

static void a_class_has_a_value_and_a_policy(void **state)
{
	static const struct group_case cases[] = {
	        {"priorityclasses", "\"value\":1000000000", NULL, NULL},
	        {"priorityclasses", "\"value\":1000000001", NULL,
	                "value: Forbidden: maximum allowed value of a user defined priority is 1000000000"},
	        {"priorityclasses", "\"value\":1,\"preemptionPolicy\":\"Always\"", NULL,
	                "preemptionPolicy: Unsupported value: \"Always\": supported values: \"PreemptLowerPriority\", "
	                "\"Never\""},
	        {"priorityclasses", "\"value\":2", "\"value\":1", "value: Forbidden: may not be changed in an update."},
	        {"priorityclasses", "\"value\":1,\"preemptionPolicy\":\"Never\"", "\"value\":1",
	                "preemptionPolicy: Invalid value: \"Never\": field is immutable"},
	        {"priorityclasses", "\"value\":1,\"description\":\"x\"", "\"value\":1", NULL},
	};
	RUN_GROUP_CASES("scheduling.k8s.io", cases);
}

static const char *errors_of(const char *name, const char *body)
{
	const struct resource *r = resource_find(SLICE("scheduling.k8s.io"), SLICE("v1"), SLICE("priorityclasses"));
	struct json *v = group_object(r, body);
	json_set_cstr(&a, json_get(v, "metadata"), "name", name);
	return group_errors(r, v, NULL, "");
}

#define RESERVED \
	"metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. " \
	"error: "

static void names_of_the_system_are_its_own(void **state)
{
	assert_string_equal(errors_of("system-node-critical", "\"value\":2000001000"), "");
	assert_string_equal(errors_of("system-node-critical", "\"value\":1"),
	        RESERVED "value of system-node-critical PriorityClass must be 2000001000");
	assert_string_equal(errors_of("system-cluster-critical", "\"value\":2000000000,\"globalDefault\":true"),
	        RESERVED "globalDefault of system-cluster-critical PriorityClass must be false");
	assert_string_equal(
	        errors_of("system-mine", "\"value\":1"), RESERVED "system-mine is not a known system priority class");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(a_class_has_a_value_and_a_policy, release),
	        cmocka_unit_test_teardown(names_of_the_system_are_its_own, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
