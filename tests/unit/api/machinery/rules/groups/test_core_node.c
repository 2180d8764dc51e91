/* Nodes: what is wrong is told at upstream's field, in its words. */
#include "tests/unit/api/machinery/rules/groups/group_cases.h"

#define SPEC(text) "\"spec\":{" text "}"
#define TAINTS(text) SPEC("\"taints\":[" text "]")
#define NO_CHANGE "Forbidden: node updates may not change "

static void taints_are_pairs_of_a_key_and_an_effect(void **state)
{
	static const struct group_case cases[] = {
	        {"nodes",
	                TAINTS("{\"key\":\"a/b\",\"value\":\"c\",\"effect\":\"NoSchedule\"},"
	                       "{\"key\":\"a/b\",\"effect\":\"NoExecute\"}"),
	                NULL, NULL},
	        {"nodes", TAINTS("{\"key\":\"a\"}"), NULL, "metadata.taints[0].effect: Required value"},
	        {"nodes", TAINTS("{\"key\":\"a\",\"effect\":\"Never\"}"), SPEC(""),
	                "metadata.taints[0].effect: Unsupported value: \"Never\": supported values: \"NoSchedule\", "
	                "\"PreferNoSchedule\", \"NoExecute\""},
	        {"nodes", TAINTS("{\"key\":\"a\",\"effect\":\"NoExecute\"},{\"key\":\"a\",\"effect\":\"NoExecute\"}"),
	                NULL,
	                "metadata.taints[1]: Duplicate value: \"a:NoExecute\": taints must be unique by key and effect "
	                "pair"},
	};
	RUN_GROUP_CASES("", cases);
}

static void networks_and_the_provider_are_set_once(void **state)
{
	static const struct group_case cases[] = {
	        {"nodes", SPEC("\"podCIDR\":\"10.1.0.0/24\",\"podCIDRs\":[\"10.1.0.0/24\",\"fd00::/64\"]"), NULL, NULL},
	        {"nodes", SPEC("\"podCIDR\":\"10.1.0.0/24\",\"providerID\":\"k3x://n\""), SPEC(""), NULL},
	        {"nodes", SPEC("\"podCIDR\":\"10.1.0.0/24\""), SPEC("\"podCIDRs\":[\"10.1.0.0/24\"]"), NULL},
	        {"nodes", SPEC("\"podCIDRs\":[\"10.1.0.0/24\",\"10.2.0.0/24\"]"), NULL,
	                "spec.podCIDRs: Invalid value: may specify no more than one CIDR for each IP family"},
	        {"nodes", SPEC("\"podCIDR\":\"10.2.0.0/24\""), SPEC("\"podCIDR\":\"10.1.0.0/24\""),
	                "spec.podCIDRs: " NO_CHANGE "podCIDR except from \"\" to valid"},
	        {"nodes", SPEC(""), SPEC("\"podCIDRs\":[\"10.1.0.0/24\"],\"providerID\":\"a\""),
	                "spec.podCIDRs: " NO_CHANGE "podCIDR except from \"\" to valid; "
	                "spec.providerID: " NO_CHANGE "providerID except from \"\" to valid"},
	};
	RUN_GROUP_CASES("", cases);
}

static void a_status_has_amounts_and_addresses(void **state)
{
	static const struct group_case cases[] = {
	        {"nodes", "\"status\":{\"capacity\":{\"cpu\":\"4\",\"memory\":\"1Gi\"}}", NULL, NULL},
	        {"nodes", "\"status\":{\"capacity\":{\"cpu\":\"-1\"},\"allocatable\":{\"cpu\":\"1\"}}", NULL,
	                "status.capacity.cpu: Invalid value: \"-1\": must be greater than or equal to 0"},
	        {"nodes",
	                "\"status\":{\"addresses\":[{\"type\":\"Hostname\",\"address\":\"a\"},{\"type\":\"InternalIP\","
	                "\"address\":\"a\"}]}",
	                SPEC(""), NULL},
	        {"nodes",
	                "\"status\":{\"addresses\":[{\"type\":\"Hostname\",\"address\":\"a\"},{\"type\":\"Hostname\","
	                "\"address\":\"a\"}]}",
	                SPEC(""), "status.addresses[1]: Duplicate value: \"Hostname a\""},
	};
	RUN_GROUP_CASES("", cases);
}

static void the_two_ways_to_say_networks_agree(void **state)
{
	const struct resource *r = resource_find(SLICE(""), SLICE("v1"), SLICE("nodes"));
	struct json *o = group_object(r, SPEC("\"podCIDRs\":[\"10.1.0.0/24\",\"fd00::/64\"]"));
	assert_true(slice_is(json_str(json_path(o, "spec", "podCIDR", NULL)), "10.1.0.0/24"));
	o = group_object(r, SPEC("\"podCIDR\":\"10.2.0.0/24\",\"podCIDRs\":[\"10.1.0.0/24\",\"fd00::/64\"]"));
	struct json *list = json_path(o, "spec", "podCIDRs", NULL);
	assert_true(list->count == 1 && slice_is(json_str(list->first), "10.2.0.0/24"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(taints_are_pairs_of_a_key_and_an_effect, release),
	        cmocka_unit_test_teardown(networks_and_the_provider_are_set_once, release),
	        cmocka_unit_test_teardown(a_status_has_amounts_and_addresses, release),
	        cmocka_unit_test_teardown(the_two_ways_to_say_networks_agree, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
