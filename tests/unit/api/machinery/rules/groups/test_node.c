/* Runtime classes: a handler that stays, overhead and placement as pods have them. */
#include "tests/unit/api/machinery/rules/groups/group_cases.h"

#define CLASS(rest) "\"handler\":\"runc\"" rest

static void a_class_has_a_handler_and_what_pods_have(void **state)
{
	static const struct group_case cases[] = {
	        {"runtimeclasses", CLASS(",\"overhead\":{\"podFixed\":{\"cpu\":\"1\",\"hugepages-2Mi\":\"2Mi\"}}"),
	                NULL, NULL},
	        {"runtimeclasses", "\"handler\":\"A\"", NULL,
	                "handler: Invalid value: \"A\": a lowercase RFC 1123 label must consist of lower case "
	                "alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. "
	                "'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"},
	        {"runtimeclasses", CLASS(",\"overhead\":{\"podFixed\":{\"widgets\":\"1\",\"cpu\":\"-1\"}}"), NULL,
	                "overhead.limits[widgets]: Invalid value: \"widgets\": must be a standard resource type or "
	                "fully qualified; "
	                "overhead.limits[widgets]: Invalid value: \"widgets\": must be a standard resource for "
	                "containers; overhead.limits[cpu]: Invalid value: \"-1\": must be greater than or equal to 0"},
	        {"runtimeclasses", CLASS(",\"overhead\":{\"podFixed\":{\"hugepages-2Mi\":\"2Mi\"}}"), NULL,
	                "overhead: Forbidden: HugePages require cpu or memory"},
	        {"runtimeclasses",
	                CLASS(",\"scheduling\":{\"nodeSelector\":{\"a "
	                      "b\":\"c\"},\"tolerations\":[{\"operator\":\"Equal\"}]"
	                      "}"),
	                NULL,
	                "scheduling.nodeSelector: Invalid value: \"a b\": name part must consist of alphanumeric "
	                "characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. "
	                "'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
	                "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'); scheduling.tolerations[0].operator: Invalid "
	                "value: "
	                "\"Equal\": operator must be Exists when `key` is empty, which means \"match all values and "
	                "all "
	                "keys\""},
	        {"runtimeclasses", "\"handler\":\"crun\"", CLASS(""),
	                "handler: Invalid value: \"crun\": field is immutable"},
	};
	RUN_GROUP_CASES("node.k8s.io", cases);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(a_class_has_a_handler_and_what_pods_have, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
