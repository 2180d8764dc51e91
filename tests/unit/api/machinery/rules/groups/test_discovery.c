/* Endpoint slices: what is wrong is told at upstream's field, in its words. */
#include "tests/unit/api/machinery/rules/groups/group_cases.h"

#define SLICE_OF(type, text) "\"addressType\":\"" type "\"," text
#define ADDRESS(type, address) SLICE_OF(type, "\"endpoints\":[{\"addresses\":[\"" address "\"]}]")
#define PORTS(text) SLICE_OF("IPv4", "\"endpoints\":[],\"ports\":[" text "]")
#define AT "endpoints[0].addresses[0]"
#define NO_LABEL \
	"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and " \
	"end " \
	"with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is " \
	"'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"

static void addresses_are_of_the_slices_type(void **state)
{
	static const struct group_case cases[] = {
	        {"endpointslices", ADDRESS("IPv4", "10.0.0.1"), NULL, NULL},
	        {"endpointslices", ADDRESS("IPv6", "fd00::1"), NULL, NULL},
	        {"endpointslices", ADDRESS("FQDN", "a.b."), NULL, NULL},
	        {"endpointslices", "\"endpoints\":[]", NULL, "addressType: Required value"},
	        {"endpointslices", SLICE_OF("IP", "\"endpoints\":[]"), NULL,
	                "addressType: Unsupported value: \"IP\": supported values: \"FQDN\", \"IPv4\", \"IPv6\""},
	        {"endpointslices", SLICE_OF("IP", "\"endpoints\":[]"), SLICE_OF("IP", "\"endpoints\":[]"), NULL},
	        {"endpointslices", SLICE_OF("IPv6", "\"endpoints\":[]"), SLICE_OF("IPv4", "\"endpoints\":[]"),
	                "addressType: Invalid value: \"IPv6\": field is immutable"},
	        {"endpointslices", SLICE_OF("IPv4", "\"endpoints\":[{\"addresses\":[]}]"), NULL,
	                "endpoints[0].addresses: Required value: must contain at least 1 address"},
	        {"endpointslices", ADDRESS("IPv4", "fd00::1"), NULL,
	                AT ": Invalid value: \"fd00::1\": must be a valid IPv4 address"},
	        {"endpointslices", ADDRESS("IPv6", "10.0.0.1"), NULL,
	                AT ": Invalid value: \"10.0.0.1\": must be a valid IPv6 address"},
	        {"endpointslices", ADDRESS("IPv4", "0.0.0.0"), NULL,
	                AT ": Invalid value: \"0.0.0.0\": may not be unspecified (0.0.0.0)"},
	        {"endpointslices", ADDRESS("IPv6", "fe80::1"), NULL,
	                AT ": Invalid value: \"fe80::1\": may not be in the link-local range (169.254.0.0/16, "
	                   "fe80::/10)"},
	        {"endpointslices", ADDRESS("IPv4", "224.0.0.9"), NULL,
	                AT
	                ": Invalid value: \"224.0.0.9\": may not be in the link-local multicast range (224.0.0.0/24, "
	                "ff02::/10)"},
	        {"endpointslices", ADDRESS("IPv4", "127.0.0.1"), NULL, NULL}, /* upstream refuses it */
	        {"endpointslices", ADDRESS("FQDN", "a"), NULL,
	                AT ": Invalid value: \"a\": should be a domain with at least two segments separated by dots"},
	        {"endpointslices",
	                SLICE_OF("IPv4", "\"endpoints\":[{\"addresses\":[\"10.0.0.1\"],\"hostname\":\"a.b\"}]"), NULL,
	                "endpoints[0].hostname: Invalid value: \"a.b\": " NO_LABEL},
	};
	RUN_GROUP_CASES("discovery.k8s.io", cases);
}

static void ports_have_names_of_their_own(void **state)
{
	static const struct group_case cases[] = {
	        {"endpointslices", PORTS("{\"port\":80},{\"name\":\"b\",\"appProtocol\":\"example.com/x\"}"), NULL,
	                NULL},
	        {"endpointslices", PORTS("{\"name\":\"A\"}"), NULL, "ports[0].name: Invalid value: \"A\": " NO_LABEL},
	        {"endpointslices", PORTS("{\"port\":80},{\"port\":81}"), NULL, "ports[1].name: Duplicate value: \"\""},
	        {"endpointslices", PORTS("{\"protocol\":\"x\"}"), NULL,
	                "ports[0].protocol: Unsupported value: \"x\": supported values: \"SCTP\", \"TCP\", \"UDP\""},
	        {"endpointslices", PORTS("{\"appProtocol\":\"a b\"}"), NULL,
	                "ports[0].appProtocol: Invalid value: \"a b\": name part must consist of alphanumeric "
	                "characters, "
	                "'-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or "
	                "'my.name',  or '123-abc', regex used for validation is "
	                "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"},
	};
	RUN_GROUP_CASES("discovery.k8s.io", cases);
}

/* So many times the item, with commas between. */
static const char *many(const char *item, size_t n)
{
	struct strbuf b = STRBUF_INIT;
	for (size_t i = 0; i < n; i++)
		strbuf_addf(&b, "%s%s", i ? "," : "", item);
	const char *text = arena_strdup(&a, strbuf_cstr(&b));
	strbuf_release(&b);
	return text;
}

static void lists_have_an_end(void **state)
{
	const char *endpoint = "{\"addresses\":[\"10.0.0.1\"]}";
	const struct group_case cases[] = {
	        {"endpointslices", arena_printf(&a, SLICE_OF("IPv4", "\"endpoints\":[%s]"), many(endpoint, 1000)), NULL,
	                NULL},
	        {"endpointslices", arena_printf(&a, SLICE_OF("IPv4", "\"endpoints\":[%s]"), many(endpoint, 1001)), NULL,
	                "endpoints: Too many: 1001: must have at most 1000 items"},
	        {"endpointslices",
	                arena_printf(&a, SLICE_OF("IPv4", "\"endpoints\":[{\"addresses\":[%s]}]"),
	                        many("\"10.0.0.1\"", 101)),
	                NULL, "endpoints[0].addresses: Too many: 101: must have at most 100 items"},
	        {"endpointslices", arena_printf(&a, PORTS("%s"), many("{}", 101)), NULL,
	                "ports: Too many: 101: must have at most 100 items"},
	};
	RUN_GROUP_CASES("discovery.k8s.io", cases);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(addresses_are_of_the_slices_type, release),
	        cmocka_unit_test_teardown(ports_have_names_of_their_own, release),
	        cmocka_unit_test_teardown(lists_have_an_end, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
