/* Network policies: what is wrong is told at upstream's field, in its words. */
#include "tests/unit/api/machinery/rules/groups/group_cases.h"

#define SPEC(text) "\"spec\":{\"podSelector\":{}," text "}"
#define PORT(text) SPEC("\"ingress\":[{\"ports\":[{" text "}]}]")
#define PEER(text) SPEC("\"egress\":[{\"to\":[{" text "}]}]")
#define BLOCK(text) PEER("\"ipBlock\":{" text "}")
#define AT_PORT "spec.ingress[0].ports[0]"
#define AT_PEER "spec.egress[0].to[0]"
#define NO_NET "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"

static void ports_are_numbers_ranges_or_names(void **state)
{
	static const struct group_case cases[] = {
	        {"networkpolicies", PORT("\"port\":80"), NULL, NULL},
	        {"networkpolicies", PORT("\"port\":80,\"endPort\":90,\"protocol\":\"SCTP\""), NULL, NULL},
	        {"networkpolicies", PORT("\"port\":\"http\""), NULL, NULL},
	        {"networkpolicies", PORT(""), NULL, NULL},
	        {"networkpolicies", PORT("\"protocol\":\"ICMP\""), NULL,
	                AT_PORT ".protocol: Unsupported value: \"ICMP\": supported values: \"TCP\", \"UDP\", \"SCTP\""},
	        {"networkpolicies", PORT("\"port\":0"), NULL,
	                AT_PORT ".port: Invalid value: 0: must be between 1 and 65535, inclusive"},
	        {"networkpolicies", PORT("\"port\":80,\"endPort\":79"), NULL,
	                AT_PORT ".endPort: Invalid value: 79: must be greater than or equal to `port`"},
	        {"networkpolicies", PORT("\"port\":\"http\",\"endPort\":79"), NULL,
	                AT_PORT ".endPort: Invalid value: 79: may not be specified when `port` is non-numeric"},
	        {"networkpolicies", PORT("\"endPort\":79"), NULL,
	                AT_PORT ".endPort: Invalid value: 79: may not be specified when `port` is not specified"},
	        {"networkpolicies", PORT("\"port\":\"-Too--long-a-name\""), NULL,
	                AT_PORT
	                ".port: Invalid value: \"-Too--long-a-name\": must be no more than 15 characters; " AT_PORT
	                ".port: Invalid value: \"-Too--long-a-name\": must contain only alpha-numeric characters "
	                "(a-z, 0-9), and hyphens (-); " AT_PORT
	                ".port: Invalid value: \"-Too--long-a-name\": must not contain consecutive hyphens; " AT_PORT
	                ".port: Invalid value: \"-Too--long-a-name\": must not begin or end with a hyphen"},
	        {"networkpolicies", PORT("\"port\":\"12\""), NULL,
	                AT_PORT ".port: Invalid value: \"12\": must contain at least one letter (a-z)"},
	};
	RUN_GROUP_CASES("networking.k8s.io", cases);
}

static void peers_are_selected_or_blocks(void **state)
{
	static const struct group_case cases[] = {
	        {"networkpolicies", PEER("\"podSelector\":{},\"namespaceSelector\":{}"), NULL, NULL},
	        {"networkpolicies", BLOCK("\"cidr\":\"10.0.0.0/8\",\"except\":[\"10.1.0.0/16\"]"), NULL, NULL},
	        {"networkpolicies", BLOCK("\"cidr\":\"fd00::/8\",\"except\":[\"fd01::/16\"]"), NULL, NULL},
	        {"networkpolicies", BLOCK("\"cidr\":\"010.1.2.3/8\""), NULL, NULL},
	        {"networkpolicies", PEER(""), NULL, AT_PEER ": Required value: must specify a peer"},
	        {"networkpolicies", PEER("\"podSelector\":{},\"ipBlock\":{\"cidr\":\"10.0.0.0/8\"}"), NULL,
	                AT_PEER ": Forbidden: may not specify both ipBlock and another peer"},
	        {"networkpolicies", PEER("\"podSelector\":{\"matchLabels\":{\"a\":\"-\"}}"), NULL,
	                AT_PEER
	                ".podSelector.matchLabels: Invalid value: \"-\": a valid label must be an empty string or "
	                "consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
	                "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for "
	                "validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"},
	        {"networkpolicies", BLOCK(""), NULL, AT_PEER ".ipBlock.cidr: Required value"},
	        {"networkpolicies", BLOCK("\"cidr\":\"10.0.0.0\""), NULL,
	                AT_PEER ".ipBlock.cidr: Invalid value: \"10.0.0.0\": " NO_NET},
	        {"networkpolicies", BLOCK("\"cidr\":\"10.0.0.0/33\""), NULL,
	                AT_PEER ".ipBlock.cidr: Invalid value: \"10.0.0.0/33\": " NO_NET},
	        {"networkpolicies", BLOCK("\"cidr\":\"10.0.0.0/8\",\"except\":[\"x\"]"), NULL,
	                AT_PEER ".ipBlock.except[0]: Invalid value: \"x\": " NO_NET},
	        {"networkpolicies", BLOCK("\"cidr\":\"10.0.0.0/8\",\"except\":[\"11.0.0.0/16\",\"10.0.0.0/8\"]"), NULL,
	                AT_PEER ".ipBlock.except[0]: Invalid value: \"11.0.0.0/16\": must be a strict subset of "
	                        "`cidr`; " AT_PEER
	                        ".ipBlock.except[1]: Invalid value: \"10.0.0.0/8\": must be a strict subset of `cidr`"},
	};
	RUN_GROUP_CASES("networking.k8s.io", cases);
}

static void a_network_that_was_there_stays(void **state)
{
	static const struct group_case cases[] = {
	        {"networkpolicies", BLOCK("\"cidr\":\"10.0.0\""), BLOCK("\"cidr\":\"10.0.0\""), NULL},
	        {"networkpolicies", BLOCK("\"cidr\":\"10.0.0\""), BLOCK("\"cidr\":\"10.0.1\""),
	                AT_PEER ".ipBlock.cidr: Invalid value: \"10.0.0\": " NO_NET},
	};
	RUN_GROUP_CASES("networking.k8s.io", cases);
}

static void types_are_two(void **state)
{
	static const struct group_case cases[] = {
	        {"networkpolicies", SPEC("\"policyTypes\":[\"Ingress\",\"Egress\"]"), NULL, NULL},
	        {"networkpolicies", SPEC("\"policyTypes\":[\"Ingress\",\"x\"]"), NULL,
	                "spec.policyTypes[1]: Unsupported value: \"x\": supported values: \"Ingress\", \"Egress\""},
	        {"networkpolicies", SPEC("\"policyTypes\":[\"Ingress\",\"Egress\",\"x\"]"), NULL,
	                "spec.policyTypes: Invalid value: []networking.PolicyType{\"Ingress\", \"Egress\", \"x\"}: may "
	                "not "
	                "specify more than two policyTypes"},
	};
	RUN_GROUP_CASES("networking.k8s.io", cases);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(ports_are_numbers_ranges_or_names, release),
	        cmocka_unit_test_teardown(peers_are_selected_or_blocks, release),
	        cmocka_unit_test_teardown(a_network_that_was_there_stays, release),
	        cmocka_unit_test_teardown(types_are_two, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
