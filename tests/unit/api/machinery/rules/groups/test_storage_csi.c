/* What CSI drivers say of themselves: what is wrong is told at upstream's field, in its words. */
#include "tests/unit/api/machinery/rules/groups/group_cases.h"

#define SPEC(text) "\"spec\":{" text "}"
#define DRIVERS(text) "\"spec\":{\"drivers\":[" text "]}"
#define NO_NAME \
	"name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an " \
	"alphanumeric " \
	"character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is " \
	"'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"

static void drivers_name_the_field_that_is_wrong(void **state)
{
	static const struct group_case cases[] = {
	        {"csidrivers", SPEC(""), NULL, NULL},
	        {"csidrivers",
	                SPEC("\"tokenRequests\":[{\"audience\":\"\"},{\"audience\":\"a\",\"expirationSeconds\":600}]"),
	                NULL, NULL},
	        {"csidrivers", SPEC("\"fsGroupPolicy\":\"x\""), NULL,
	                "spec.fsGroupPolicy: Unsupported value: \"x\": supported values: \"File\", \"None\", "
	                "\"ReadWriteOnceWithFSType\""},
	        {"csidrivers", SPEC("\"volumeLifecycleModes\":[\"x\"]"), NULL,
	                "spec.volumeLifecycleModes: Unsupported value: \"x\": supported values: \"Persistent\", "
	                "\"Ephemeral\""},
	        {"csidrivers", SPEC("\"tokenRequests\":[{\"audience\":\"a\"},{\"audience\":\"a\"}]"), NULL,
	                "spec.tokenRequests[1].audience: Duplicate value: \"a\""},
	        {"csidrivers", SPEC("\"tokenRequests\":[{\"audience\":\"a\",\"expirationSeconds\":599}]"), NULL,
	                "spec.tokenRequests[0].expirationSeconds: Invalid value: 599: may not specify a duration less "
	                "than "
	                "10 minutes"},
	        {"csidrivers", SPEC("\"tokenRequests\":[{\"audience\":\"a\",\"expirationSeconds\":4294967297}]"), NULL,
	                "spec.tokenRequests[0].expirationSeconds: Invalid value: 4294967297: may not specify a "
	                "duration "
	                "larger than 2^32 seconds"},
	        {"csidrivers", SPEC("\"podInfoOnMount\":true"), SPEC(""), NULL},
	        {"csidrivers", SPEC("\"attachRequired\":false"), SPEC(""),
	                "spec.attachedRequired: Invalid value: false: field is immutable"},
	        {"csidrivers", SPEC("\"volumeLifecycleModes\":[\"Ephemeral\"]"), SPEC(""),
	                "spec.volumeLifecycleModes: Invalid value: [\"Ephemeral\"]: field is immutable"},
	};
	RUN_GROUP_CASES("storage.k8s.io", cases);
}

static void a_node_has_each_driver_once(void **state)
{
	static const struct group_case cases[] = {
	        {"csinodes", DRIVERS("{\"name\":\"a.b\",\"nodeID\":\"1\",\"topologyKeys\":[\"a.b/zone\"]}"), NULL,
	                NULL},
	        {"csinodes", DRIVERS("{\"name\":\"a.b\"}"), NULL, "spec.drivers[0].nodeID: Required value"},
	        {"csinodes", DRIVERS("{\"name\":\"a\",\"nodeID\":\"1\"},{\"name\":\"a\",\"nodeID\":\"2\"}"), NULL,
	                "spec.drivers[1].name: Duplicate value: \"a\""},
	        {"csinodes", DRIVERS("{\"name\":\"a\",\"nodeID\":\"1\",\"allocatable\":{\"count\":-1}}"), NULL,
	                "spec.drivers[0].allocatable.count: Invalid value: -1: must be greater than or equal to 0"},
	        {"csinodes", DRIVERS("{\"name\":\"a\",\"nodeID\":\"1\",\"topologyKeys\":[\"x\",\"x\",\"a b\"]}"), NULL,
	                "spec.drivers[0]: Duplicate value: \"x\"; spec.drivers[0]: Invalid value: \"a b\": " NO_NAME},
	        {"csinodes", DRIVERS(""), DRIVERS("{\"name\":\"a\",\"nodeID\":\"1\"}"), NULL},
	        {"csinodes", DRIVERS("{\"name\":\"a\",\"nodeID\":\"1\"},{\"name\":\"b\",\"nodeID\":\"1\"}"),
	                DRIVERS("{\"name\":\"a\",\"nodeID\":\"1\"}"), NULL},
	        {"csinodes", DRIVERS("{\"name\":\"a\",\"nodeID\":\"2\"}"), DRIVERS("{\"name\":\"a\",\"nodeID\":\"1\"}"),
	                "spec.drivers: Invalid value: {\"name\":\"a\",\"nodeID\":\"2\"}: field is immutable"},
	};
	RUN_GROUP_CASES("storage.k8s.io", cases);
}

static void a_capacity_is_of_one_class(void **state)
{
	static const struct group_case cases[] = {
	        {"csistoragecapacities", "\"storageClassName\":\"a\",\"capacity\":\"1Gi\"", NULL, NULL},
	        {"csistoragecapacities", "\"storageClassName\":\"a\",\"capacity\":\"-1Gi\"", NULL,
	                "capacity: Invalid value: \"-1Gi\": must be greater than or equal to 0"},
	        {"csistoragecapacities", "\"storageClassName\":\"a\",\"capacity\":\"2Gi\"",
	                "\"storageClassName\":\"a\",\"capacity\":\"1Gi\"", NULL},
	        {"csistoragecapacities", "\"storageClassName\":\"b\"", "\"storageClassName\":\"a\"",
	                "storageClassName: Invalid value: \"b\": field is immutable"},
	        {"csistoragecapacities", "\"storageClassName\":\"a\",\"nodeTopology\":{}", "\"storageClassName\":\"a\"",
	                "nodeTopology: Invalid value: {}: field is immutable"},
	};
	RUN_GROUP_CASES("storage.k8s.io", cases);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(drivers_name_the_field_that_is_wrong, release),
	        cmocka_unit_test_teardown(a_node_has_each_driver_once, release),
	        cmocka_unit_test_teardown(a_capacity_is_of_one_class, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
