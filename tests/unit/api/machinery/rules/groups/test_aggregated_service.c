/* APIServices: named after what they serve, here or behind a Service. */
#include "tests/unit/api/machinery/rules/groups/group_cases.h"

#define SPEC(rest) \
	"\"spec\":{\"group\":\"a.b\",\"version\":\"v1\",\"groupPriorityMinimum\":1,\"versionPriority\":1" rest "}"
#define BEHIND(rest) SPEC(",\"service\":{\"namespace\":\"d\",\"name\":\"s\"" rest "}")

static const char *errors_of(const char *name, const char *body)
{
	const struct resource *r = resource_find(SLICE("apiregistration.k8s.io"), SLICE("v1"), SLICE("apiservices"));
	struct json *v = group_object(r, body);
	json_set_cstr(&a, json_get(v, "metadata"), "name", name);
	return group_errors(r, v, NULL, "");
}

static void it_is_named_after_what_it_serves(void **state)
{
	assert_string_equal(errors_of("v1.a.b", SPEC("")), "");
	assert_string_equal(errors_of("v1.c", SPEC("")),
	        "metadata.name: Invalid value: \"v1.c\": must be `spec.version+\".\"+spec.group`: \"v1.a.b\"");
	assert_string_equal(
	        errors_of("v2.", "\"spec\":{\"version\":\"v2\",\"groupPriorityMinimum\":20001,\"versionPriority\":"
	                         "0}"),
	        "spec.group: Required value: only v1 may have an empty group and it better be legacy kube; "
	        "spec.groupPriorityMinimum: Invalid value: 20001: must be positive and less than 20000; "
	        "spec.versionPriority: Invalid value: 0: must be positive and less than 1000");
	assert_non_null(strstr(errors_of(".a.b", "\"spec\":{\"group\":\"a.b\"}"),
	        "spec.version: Invalid value: \"\": a DNS-1035 label must consist of"));
}

static void it_is_here_or_behind_a_service(void **state)
{
	assert_string_equal(errors_of("v1.a.b", BEHIND("")), "");
	assert_string_equal(errors_of("v1.a.b", BEHIND(",\"port\":70000")),
	        "spec.service.port: Invalid value: 70000: port is not valid: must be between 1 and 65535, inclusive");
	assert_string_equal(errors_of("v1.a.b", SPEC(",\"service\":{}")),
	        "spec.service.namespace: Required value; spec.service.name: Required value");
	assert_string_equal(errors_of("v1.a.b", SPEC(",\"caBundle\":\"YWI=\",\"insecureSkipTLSVerify\":true")),
	        "spec.caBundle: Invalid value: \"2 bytes\": local APIServices may not have a caBundle; "
	        "spec.insecureSkipTLSVerify: Invalid value: true: local APIServices may not have "
	        "insecureSkipTLSVerify");
	assert_string_equal(
	        errors_of("v1.a.b", SPEC(",\"caBundle\":\"YWI=\",\"insecureSkipTLSVerify\":true,\"service\":{"
	                                 "\"namespace\":\"d\",\"name\":\"s\"}")),
	        "spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present");
}

static void a_condition_is_true_or_not(void **state)
{
	static const struct group_case cases[] = {
	        {"apiservices", "\"status\":{\"conditions\":[{\"type\":\"Available\",\"status\":\"True\"}]}", "", NULL},
	        {"apiservices", "\"status\":{\"conditions\":[{\"type\":\"Available\",\"status\":\"Yes\"}]}", "",
	                "status.conditions[0].status: Unsupported value: \"Yes\": supported values: \"True\", "
	                "\"False\", "
	                "\"Unknown\""},
	};
	run_group_cases("apiregistration.k8s.io", cases, COUNT_OF(cases), "status");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(it_is_named_after_what_it_serves, release),
	        cmocka_unit_test_teardown(it_is_here_or_behind_a_service, release),
	        cmocka_unit_test_teardown(a_condition_is_true_or_not, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
