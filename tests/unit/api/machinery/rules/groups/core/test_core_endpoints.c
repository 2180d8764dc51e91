/* Endpoints: addresses, ports that are named where there are several. */
#include "tests/unit/api/machinery/rules/groups/group_cases.h"

#define SUBSET(text) "\"subsets\":[{" text "}]"
#define ADDRESS(text) SUBSET("\"addresses\":[{" text "}]")
#define PORTS(text) SUBSET("\"addresses\":[{\"ip\":\"10.0.0.1\"}],\"ports\":[" text "]")

static void subsets_are_addresses_and_ports(void **state)
{
	static const struct group_case cases[] = {
	        {"endpoints", ADDRESS("\"ip\":\"10.0.0.1\",\"hostname\":\"a\",\"nodeName\":\"n.b\""), NULL, NULL},
	        {"endpoints", SUBSET("\"notReadyAddresses\":[{\"ip\":\"fd00::1\"}]"), NULL, NULL},
	        {"endpoints", SUBSET("\"ports\":[{\"port\":80}]"), NULL,
	                "subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"},
	        {"endpoints", ADDRESS("\"ip\":\"127.0.0.1\""), NULL, NULL}, /* upstream refuses it */
	        {"endpoints", ADDRESS("\"ip\":\"169.254.1.1\""), NULL,
	                "subsets[0].addresses[0].ip: Invalid value: \"169.254.1.1\": may not be in the link-local "
	                "range "
	                "(169.254.0.0/16, fe80::/10)"},
	        {"endpoints", ADDRESS("\"ip\":\"::\""), NULL,
	                "subsets[0].addresses[0].ip: Invalid value: \"::\": may not be unspecified (::)"},
	        {"endpoints", ADDRESS("\"ip\":\"a\""), NULL,
	                "subsets[0].addresses[0].ip: Invalid value: \"a\": must be a valid IP address, (e.g. 10.9.8.7 "
	                "or 2001:db8::ffff); subsets[0].addresses[0].ip: Invalid value: \"a\": must be a valid IP "
	                "address"},
	        {"endpoints", ADDRESS("\"ip\":\"10.0.0.1\",\"hostname\":\"a.b\""), NULL,
	                "subsets[0].addresses[0].hostname: Invalid value: \"a.b\": a lowercase RFC 1123 label must "
	                "consist of lower case alphanumeric characters or '-', and must start and end with an "
	                "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
	                "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"},
	        {"endpoints", PORTS("{\"port\":80}"), NULL, NULL},
	        {"endpoints", PORTS("{\"port\":80,\"name\":\"a\"},{\"port\":81}"), NULL,
	                "subsets[0].ports[1].name: Required value"},
	        {"endpoints", PORTS("{\"port\":0,\"protocol\":\"IP\"}"), NULL,
	                "subsets[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive; "
	                "subsets[0].ports[0].protocol: Unsupported value: \"IP\": supported values: \"SCTP\", \"TCP\", "
	                "\"UDP\""},
	};
	RUN_GROUP_CASES("", cases);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(subsets_are_addresses_and_ports, release)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
