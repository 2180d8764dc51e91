/* Nodes: taints, networks, resources, and what may not change once it is set. */
#include "tests/unit/api/machinery/rules/groups/group_cases.h"

#define SPEC(text) "\"spec\":{" text "}"
#define TAINT(key, value, effect) "{\"key\":\"" key "\",\"value\":\"" value "\",\"effect\":\"" effect "\"}"
#define NETS(text) SPEC("\"podCIDRs\":[" text "]")
#define MAP(text) SPEC("\"configSource\":{\"configMap\":{" text "}}")

static void taints_are_labels_with_an_effect(void **state)
{
	static const struct group_case cases[] = {
	        {"nodes",
	                SPEC("\"taints\":[" TAINT("a.b/c", "x", "NoSchedule") "," TAINT("a.b/c", "", "NoExecute") "]"),
	                NULL, NULL},
	        {"nodes", SPEC("\"taints\":[" TAINT("a b", "", "NoSchedule") "]"), NULL,
	                "metadata.taints[0].key: Invalid value: \"a b\": name part must consist of alphanumeric "
	                "characters, "
	                "'-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or "
	                "'my.name',  or '123-abc', regex used for validation is "
	                "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"},
	        {"nodes", SPEC("\"taints\":[" TAINT("a", "-", "NoSchedule") "]"), NULL,
	                "metadata.taints[0].value: Invalid value: \"-\": a valid label must be an empty string or "
	                "consist "
	                "of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
	                "character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
	                "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"},
	        {"nodes", SPEC("\"taints\":[" TAINT("a", "", "Maybe") "]"), NULL,
	                "metadata.taints[0].effect: Unsupported value: \"Maybe\": supported values: \"NoSchedule\", "
	                "\"PreferNoSchedule\", \"NoExecute\""},
	        {"nodes", SPEC("\"taints\":[{\"key\":\"a\"}]"), NULL, "metadata.taints[0].effect: Required value"},
	        {"nodes", SPEC("\"taints\":[" TAINT("a", "", "NoExecute") "," TAINT("a", "x", "NoExecute") "]"), NULL,
	                "metadata.taints[1]: Duplicate value: core.Taint{Key:\"a\", Value:\"x\", Effect:\"NoExecute\", "
	                "TimeAdded:(*v1.Time)(nil)}: taints must be unique by key and effect pair"},
	};
	RUN_GROUP_CASES("", cases);
}

static void networks_are_one_of_each_family(void **state)
{
	static const struct group_case cases[] = {
	        {"nodes", NETS("\"10.42.0.0/24\",\"fd00::/64\""), NULL, NULL},
	        {"nodes", NETS("\"10.42.0.0\""), NULL,
	                "spec.podCIDRs[0]: Invalid value: \"10.42.0.0\": must be a valid CIDR value, (e.g. 10.9.8.0/24 "
	                "or "
	                "2001:db8::/64)"},
	        {"nodes", NETS("\"10.42.0.0/24\",\"10.43.0.0/24\""), NULL,
	                "spec.podCIDRs: Invalid value: []string{\"10.42.0.0/24\", \"10.43.0.0/24\"}: may specify no "
	                "more "
	                "than one CIDR for each IP family"},
	        {"nodes", NETS("\"fd00::/64\",\"10.42.0.0/24\",\"fd00::/64\""), NULL,
	                "spec.podCIDRs: Invalid value: []string{\"fd00::/64\", \"10.42.0.0/24\", \"fd00::/64\"}: may "
	                "specify no more than one CIDR for each IP family; spec.podCIDRs[2]: Duplicate value: "
	                "\"fd00::/64\""},
	};
	RUN_GROUP_CASES("", cases);
}

static void the_first_network_has_two_names(void **state)
{
	const struct resource *r = resource_find(SLICE(""), SLICE("v1"), SLICE("nodes"));
	struct json *one = group_object(r, SPEC("\"podCIDR\":\"10.42.0.0/24\""));
	struct json *other = group_object(r, NETS("\"10.42.0.0/24\",\"fd00::/64\""));
	assert_true(slice_is(json_str(json_at(json_path(one, "spec", "podCIDRs", NULL), 0)), "10.42.0.0/24"));
	assert_true(slice_is(json_str(json_path(other, "spec", "podCIDR", NULL)), "10.42.0.0/24"));
	other = group_object(r, SPEC("\"podCIDR\":\"10.43.0.0/24\",\"podCIDRs\":[\"10.42.0.0/24\",\"fd00::/64\"]"));
	struct json *list = json_path(other, "spec", "podCIDRs", NULL);
	assert_true(list->count == 1 && slice_is(json_str(list->first), "10.43.0.0/24"));
}

static void what_identifies_a_node_is_set_once(void **state)
{
	static const struct group_case cases[] = {
	        {"nodes", NETS("\"10.42.0.0/24\""), SPEC(""), NULL},
	        {"nodes", NETS("\"10.43.0.0/24\""), NETS("\"10.42.0.0/24\""),
	                "spec.podCIDRs: Forbidden: node updates may not change podCIDR except from \"\" to valid"},
	        {"nodes", SPEC(""), NETS("\"10.42.0.0/24\""),
	                "spec.podCIDRs: Forbidden: node updates may not change podCIDR except from \"\" to valid"},
	        {"nodes", SPEC("\"providerID\":\"a://1\""), SPEC(""), NULL},
	        {"nodes", SPEC("\"providerID\":\"a://2\""), SPEC("\"providerID\":\"a://1\""),
	                "spec.providerID: Forbidden: node updates may not change providerID except from \"\" to valid"},
	        {"nodes", SPEC("\"externalID\":\"x\""), SPEC(""), "spec.externalID: Forbidden: may not be updated"},
	        {"nodes", SPEC("\"unschedulable\":true"), SPEC(""), NULL},
	};
	RUN_GROUP_CASES("", cases);
}

static void a_source_of_a_configuration_is_whole(void **state)
{
	static const struct group_case cases[] = {
	        {"nodes", MAP("\"namespace\":\"d\",\"name\":\"n\",\"kubeletConfigKey\":\"k\""), SPEC(""), NULL},
	        {"nodes", SPEC("\"configSource\":{}"), SPEC(""),
	                "spec.configSource: Invalid value: "
	                "core.NodeConfigSource{ConfigMap:(*core.ConfigMapNodeConfigSource)(nil)}: exactly one "
	                "reference "
	                "subfield must be non-nil"},
	        {"nodes", MAP("\"uid\":\"u\",\"resourceVersion\":\"1\""), SPEC(""),
	                "spec.configSource.configMap.uid: Forbidden: uid must not be set in spec; "
	                "spec.configSource.configMap.resourceVersion: Forbidden: resourceVersion must not be set in "
	                "spec; "
	                "spec.configSource.configMap.namespace: Required value: namespace must be set; "
	                "spec.configSource.configMap.name: Required value: name must be set; "
	                "spec.configSource.configMap.kubeletConfigKey: Required value: kubeletConfigKey must be set"},
	};
	RUN_GROUP_CASES("", cases);
}

static void resources_are_amounts_and_addresses_differ(void **state)
{
	static const struct group_case cases[] = {
	        {"nodes", "\"status\":{\"capacity\":{\"cpu\":\"500m\",\"pods\":\"110\"}}", SPEC(""), NULL},
	        {"nodes", "\"status\":{\"capacity\":{\"cpu\":\"-1\"},\"allocatable\":{\"pods\":\"1500m\"}}", SPEC(""),
	                "status.capacity.cpu: Invalid value: \"-1\": must be greater than or equal to 0; "
	                "status.allocatable.pods: Invalid value: 1500m: must be an integer"},
	        {"nodes",
	                "\"status\":{\"addresses\":[{\"type\":\"InternalIP\",\"address\":\"10.0.0.1\"},{\"type\":"
	                "\"InternalIP\",\"address\":\"10.0.0.1\"},{\"type\":\"ExternalIP\",\"address\":\"10.0.0.1\"}]}",
	                SPEC(""),
	                "status.addresses[1]: Duplicate value: core.NodeAddress{Type:\"InternalIP\", "
	                "Address:\"10.0.0.1\"}"},
	};
	run_group_cases("", cases, COUNT_OF(cases), "status");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(taints_are_labels_with_an_effect, release),
	        cmocka_unit_test_teardown(networks_are_one_of_each_family, release),
	        cmocka_unit_test_teardown(the_first_network_has_two_names, release),
	        cmocka_unit_test_teardown(what_identifies_a_node_is_set_once, release),
	        cmocka_unit_test_teardown(a_source_of_a_configuration_is_whole, release),
	        cmocka_unit_test_teardown(resources_are_amounts_and_addresses_differ, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
