/* ConfigMaps and Secrets: keys, sizes, what a type needs, and what was declared to stay. */
#include "tests/unit/api/machinery/rules/groups/group_cases.h"

#define SECRET(type, data) "\"type\":\"" type "\",\"data\":{" data "}"
#define DOCKER "kubernetes.io/dockerconfigjson"
#define REDACTED "data[.dockerconfigjson]: Invalid value: \"<secret contents redacted>\": "
#define STAYS "field is immutable when `immutable` is set"
#define NO_KEY \
	"a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or " \
	"'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"

static void keys_are_names_of_files(void **state)
{
	static const struct group_case cases[] = {
	        {"configmaps", "\"data\":{\"a.b_C-1\":\"\"},\"binaryData\":{\"c\":\"AA==\"}", NULL, NULL},
	        {"configmaps", "\"data\":{\"a b\":\"\"}", NULL, "data[a b]: Invalid value: \"a b\": " NO_KEY},
	        {"configmaps", "\"data\":{\"a\":\"\"},\"binaryData\":{\"a\":\"AA==\"}", NULL,
	                "data[a]: Invalid value: \"a\": duplicate of key present in binaryData"},
	        {"secrets", SECRET("Opaque", "\"a/b\":\"AA==\""), NULL, "data[a/b]: Invalid value: \"a/b\": " NO_KEY},
	};
	RUN_GROUP_CASES("", cases);
}

/* A value of so many bytes, as a Secret has it. */
static const char *secret_of(size_t bytes)
{
	size_t len = (bytes + 2) / 3 * 4, pads = (3 - bytes % 3) % 3;
	char *text = ARENA_ARRAY(&a, char, len + 1);
	memset(text, 'A', len - pads);
	memset(text + len - pads, '=', pads);
	return arena_printf(&a, "\"data\":{\"a\":\"%s\"}", text);
}

static void a_mebibyte_is_the_most(void **state)
{
	char *text = ARENA_ARRAY(&a, char, 1024 * 1024 + 2);
	memset(text, 'x', 1024 * 1024 + 1);
	const struct group_case cases[] = {
	        {"secrets", secret_of(1024 * 1024), NULL, NULL},
	        {"secrets", secret_of(1024 * 1024 + 1), NULL, "data: Too long: may not be more than 1048576 bytes"},
	        {"configmaps", arena_printf(&a, "\"data\":{\"a\":\"%s\"}", text + 1), NULL, NULL},
	        {"configmaps", arena_printf(&a, "\"data\":{\"a\":\"%s\"}", text), NULL,
	                ": Too long: may not be more than 1048576 bytes"},
	};
	RUN_GROUP_CASES("", cases);
}

static void a_type_needs_its_keys(void **state)
{
	static const struct group_case cases[] = {
	        {"secrets", SECRET("example.com/own", ""), NULL, NULL},
	        {"secrets", SECRET("kubernetes.io/tls", "\"tls.crt\":\"\""), NULL, "data[tls.key]: Required value"},
	        {"secrets", SECRET("kubernetes.io/tls", "\"tls.crt\":\"\",\"tls.key\":\"\""), NULL, NULL},
	        {"secrets", SECRET("kubernetes.io/ssh-auth", "\"ssh-privatekey\":\"\""), NULL,
	                "data[ssh-privatekey]: Required value"},
	        {"secrets", SECRET("kubernetes.io/basic-auth", ""), NULL,
	                "data[username]: Required value; data[password]: Required value"},
	        {"secrets", SECRET("kubernetes.io/basic-auth", "\"password\":\"\""), NULL, NULL},
	        {"secrets", SECRET("kubernetes.io/service-account-token", ""), NULL,
	                "metadata.annotations[kubernetes.io/service-account.name]: Required value"},
	        {"secrets", SECRET("kubernetes.io/dockercfg", ""), NULL, "data[.dockercfg]: Required value"},
	        {"secrets", SECRET(DOCKER, ""), NULL, "data[.dockerconfigjson]: Required value"},
	        {"secrets", SECRET(DOCKER, "\".dockerconfigjson\":\"e30=\""), NULL, NULL}, /* {} */
	        {"secrets", SECRET(DOCKER, "\".dockerconfigjson\":\"\""), NULL,
	                REDACTED "unexpected end of JSON input"},
	        {"secrets", SECRET(DOCKER, "\".dockerconfigjson\":\"eA==\""), NULL, /* x */
	                REDACTED "invalid character 'x' looking for beginning of value"},
	        {"secrets", SECRET(DOCKER, "\".dockerconfigjson\":\"W10=\""), NULL, /* [] */
	                REDACTED "json: cannot unmarshal array into Go value of type map[string]interface {}"},
	};
	RUN_GROUP_CASES("", cases);
}

static void what_is_immutable_stays(void **state)
{
	static const char frozen[] = "\"immutable\":true,\"data\":{\"a\":\"\"}";
	static const struct group_case cases[] = {
	        {"secrets", SECRET("a", ""), SECRET("b", ""), "type: Invalid value: \"a\": field is immutable"},
	        {"configmaps", "\"data\":{\"a\":\"b\"}", "\"data\":{\"a\":\"c\"}", NULL},
	        {"configmaps", "\"data\":{\"a\":\"\"}", frozen, "immutable: Forbidden: " STAYS},
	        {"configmaps", "\"immutable\":true,\"binaryData\":{\"a\":\"\"}", frozen,
	                "data: Forbidden: " STAYS "; binaryData: Forbidden: " STAYS},
	        {"secrets", "\"immutable\":true,\"data\":{\"a\":\"AA==\"}", frozen, "data: Forbidden: " STAYS},
	};
	RUN_GROUP_CASES("", cases);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(keys_are_names_of_files, release),
	        cmocka_unit_test_teardown(a_mebibyte_is_the_most, release),
	        cmocka_unit_test_teardown(a_type_needs_its_keys, release),
	        cmocka_unit_test_teardown(what_is_immutable_stays, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
