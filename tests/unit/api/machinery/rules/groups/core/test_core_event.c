/* Events: they lie where what they are about lies, and the newer group has rules. Objects lie in namespace "d". */
#include "tests/unit/api/machinery/rules/groups/group_cases.h"

#define ABOUT(ns) "\"involvedObject\":{\"kind\":\"Pod\",\"namespace\":\"" ns "\",\"name\":\"p\"}"
#define REGARDING "\"regarding\":{\"kind\":\"Pod\",\"namespace\":\"d\",\"name\":\"p\"}"
#define TIME "\"eventTime\":\"2026-01-01T00:00:00.000000Z\""
#define BY "\"reportingInstance\":\"i\",\"action\":\"Do\",\"reason\":\"R\""
#define NEW "\"apiVersion\":\"events.k8s.io/v1\"," REGARDING "," TIME "," BY ",\"reportingController\":\"a/b\""

static void an_event_lies_where_its_object_lies(void **state)
{
	static const struct group_case cases[] = {
	        {"events", ABOUT("d"), NULL, NULL},
	        {"events", ABOUT("e"), NULL,
	                "involvedObject.namespace: Invalid value: \"e\": does not match event.namespace"},
	        {"events", "\"involvedObject\":{}", NULL,
	                "involvedObject.namespace: Invalid value: \"\": does not match event.namespace"},
	        {"events", ABOUT("d") "," TIME "," BY ",\"reportingComponent\":\"a/b\"", NULL, NULL},
	        {"events", ABOUT("d") "," TIME ",\"reportingComponent\":\"a\"", NULL,
	                "reportingInstance: Required value; action: Required value; reason: Required value"},
	};
	RUN_GROUP_CASES("", cases);
}

static void the_newer_group_has_rules(void **state)
{
	static const struct group_case cases[] = {
	        {"events", NEW ",\"type\":\"Normal\"", NULL, NULL},
	        {"events", NEW ",\"type\":\"Loud\",\"deprecatedCount\":1,\"deprecatedSource\":{\"host\":\"h\"}", NULL,
	                "type: Invalid value: \"\": has invalid value: Loud; count: Invalid value: \"\": needs to be "
	                "unset; source: Invalid value: \"\": needs to be unset"},
	        {"events",
	                NEW ",\"type\":\"Normal\",\"series\":{\"count\":1,\"lastObservedTime\":"
	                    "\"2026-01-01T00:00:00.000000Z\"}",
	                NULL, "series.count: Invalid value: \"\": should be at least 2"},
	        {"events", NEW ",\"type\":\"Normal\",\"deprecatedFirstTimestamp\":null", NEW ",\"type\":\"Normal\"",
	                NULL},
	        {"events", NEW ",\"type\":\"Warning\"", NEW ",\"type\":\"Normal\"",
	                "type: Invalid value: \"Warning\": field is immutable"},
	        {"events", NEW ",\"type\":\"Normal\",\"note\":\"b\"", NEW ",\"type\":\"Normal\",\"note\":\"a\"",
	                "message: Invalid value: \"b\": field is immutable"},
	};
	RUN_GROUP_CASES("events.k8s.io", cases);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(an_event_lies_where_its_object_lies, release),
	        cmocka_unit_test_teardown(the_newer_group_has_rules, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
