/* Certificate signing requests: what is asked for, the verdict, the certificate. */
#include "tests/unit/api/machinery/rules/groups/group_cases.h"

#include "api/machinery/rules/prepare.h"

/* The request's bytes are another test's: every case here has that error, which comes first. */
#define REQUEST "spec.request: Invalid value: \"[bytes]\": "
#define SPEC(signer, usages, rest) \
	"\"spec\":{\"request\":\"eA==\",\"signerName\":\"" signer "\",\"usages\":[" usages "]" rest "}"
#define ANY "\"any\""
#define AT_SIGNER "spec.signerName: Invalid value: "
#define LABEL \
	"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and " \
	"end " \
	"with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is " \
	"'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"

static void what_is_asked_for(void **state)
{
	static const struct {
		const char *body, *want;
	} cases[] = {
	        {SPEC("example.com/a.b", ANY, ""), ""},
	        {SPEC("", ANY, ""), "spec.signerName: Required value"},
	        {SPEC("kubernetes.io/legacy-unknown", ANY, ""),
	                AT_SIGNER "\"kubernetes.io/legacy-unknown\": the legacy signerName is not allowed via this API "
	                          "version"},
	        {SPEC("example.com", ANY, ""),
	                AT_SIGNER "\"example.com\": must be a fully qualified domain and path of the form "
	                          "'example.com/signer-name'"},
	        {SPEC("a.b/c/d", ANY, ""),
	                AT_SIGNER "\"a.b/c/d\": must be a fully qualified domain and path of the form "
	                          "'example.com/signer-name'"},
	        {SPEC("example/x", ANY, ""),
	                AT_SIGNER "\"example\": should be a domain with at least two segments separated by dots"},
	        {SPEC("Example.com/x", ANY, ""), AT_SIGNER "\"Example.com\": validating label \"Example\": " LABEL},
	        {SPEC("a.b/c", "", ""), "spec.usages: Required value"},
	        {SPEC("a.b/c", ANY "," ANY, ""), "spec.usages[1]: Duplicate value: \"any\""},
	        {SPEC("a.b/c", ANY, ",\"expirationSeconds\":599"), "spec.expirationSeconds: Invalid value: 599: may "
	                                                           "not specify a duration less than 600 seconds (10 "
	                                                           "minutes)"},
	};
	const struct resource *r =
	        resource_find(SLICE("certificates.k8s.io"), SLICE("v1"), SLICE("certificatesigningrequests"));
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const char *got = group_errors(r, group_object(r, cases[i].body), NULL, "");
		assert_int_equal(strncmp(got, REQUEST, strlen(REQUEST)), 0);
		const char *rest = strstr(got, "; ");
		assert_string_equal(rest ? rest + 2 : "", cases[i].want);
	}
	assert_non_null(strstr(group_errors(r, group_object(r, SPEC("a.b/c", "\"all\"", "")), NULL, ""),
	        "spec.usages[0]: Unsupported value: \"all\": supported values: \"any\", \"cert sign\", "));
}

#define STATUS(list) "\"status\":{\"conditions\":[" list "]}"
#define IS(type, status) "{\"type\":\"" type "\",\"status\":\"" status "\"}"
#define CERTIFICATE(text) "\"status\":{\"certificate\":\"" text "\"}"

static void a_verdict_is_one_and_lasts(void **state)
{
	static const struct group_case cases[] = {
	        {"certificatesigningrequests", STATUS(IS("Approved", "True") "," IS("Ready", "Unknown")), "", NULL},
	        {"certificatesigningrequests", STATUS(IS("Approved", "False")), "",
	                "status.conditions[0].status: Unsupported value: \"False\": supported values: \"True\""},
	        {"certificatesigningrequests", STATUS(IS("", "")), "",
	                "status.conditions[0].type: Required value; status.conditions[0].status: Required value"},
	        {"certificatesigningrequests", STATUS(IS("Approved", "True") "," IS("Denied", "True")), "",
	                "status.conditions[1].type: Invalid value: \"Denied\": Approved and Denied conditions are "
	                "mutually "
	                "exclusive"},
	        {"certificatesigningrequests", STATUS(IS("A", "True") "," IS("A", "True")), "",
	                "status.conditions[1].type: Duplicate value: \"A\""},
	        {"certificatesigningrequests", STATUS(""), STATUS(IS("Failed", "True")),
	                "status.conditions: Forbidden: updates may not remove a condition of type \"Failed\""},
	        /* as an older server left it */
	        {"certificatesigningrequests", STATUS(IS("Approved", "True") "," IS("Denied", "True")),
	                STATUS(IS("Approved", "True") "," IS("Denied", "True")), NULL},
	};
	run_group_cases("certificates.k8s.io", cases, COUNT_OF(cases), "approval");
}

/* Whoever signs says that it failed, and no verdict. */
static void a_status_brings_no_verdict(void **state)
{
	static const struct group_case cases[] = {
	        {"certificatesigningrequests", STATUS(IS("Approved", "True")), "",
	                "status.conditions: Forbidden: updates may not add a condition of type \"Approved\""},
	        {"certificatesigningrequests", STATUS(IS("Failed", "True") "," IS("Denied", "True")), STATUS(""),
	                "status.conditions: Forbidden: updates may not add a condition of type \"Denied\""},
	        {"certificatesigningrequests", STATUS(IS("Failed", "True")), STATUS(IS("Approved", "True")),
	                "status.conditions: Forbidden: updates may not remove a condition of type \"Approved\""},
	        {"certificatesigningrequests", STATUS(IS("Approved", "True") "," IS("Failed", "True")),
	                STATUS(IS("Approved", "True")), NULL},
	};
	run_group_cases("certificates.k8s.io", cases, COUNT_OF(cases), "status");
}

static struct json *written(const char *now, const char *before, const char *sub)
{
	const struct resource *r =
	        resource_find(SLICE("certificates.k8s.io"), SLICE("v1"), SLICE("certificatesigningrequests"));
	struct json *object = group_object(r, now);
	prepare_update(&a, r, sub, object, group_object(r, before));
	return json_get(object, "status");
}

static void each_part_is_written_by_itself(void **state)
{
	static const char old[] = "\"status\":{\"certificate\":\"eA==\",\"conditions\":[{\"type\":\"Approved\","
	                          "\"status\":\"True\",\"message\":\"m\"}]}";
	/* a verdict is as it was, wherever it stands now */
	assert_true(
	        json_equal(written("\"status\":{\"conditions\":[" IS("Failed", "True") "," IS("Approved", "True") "]}",
	                           old, "status"),
	                parse("{\"conditions\":[" IS("Failed", "True") ",{\"type\":\"Approved\",\"status\":\"True\","
	                                                               "\"message\":\"m\"}]}")));
	/* an approval brings conditions, and no certificate */
	assert_true(json_equal(written("\"status\":{\"certificate\":\"eQ==\",\"conditions\":[" IS("Odd", "True") "]}",
	                               old, "approval"),
	        parse("{\"certificate\":\"eA==\",\"conditions\":[" IS("Odd", "True") "]}")));
}

static void a_certificate_is_one_and_stays(void **state)
{
	static const struct group_case cases[] = {
	        {"certificatesigningrequests", CERTIFICATE("eA=="), "",
	                "status.certificate: Invalid value: \"<certificate data>\": must contain at least one "
	                "CERTIFICATE "
	                "PEM block"},
	        /* -----BEGIN RSA KEY----- */
	        {"certificatesigningrequests", CERTIFICATE("LS0tLS1CRUdJTiBSU0EgS0VZLS0tLS0K"), "",
	                "status.certificate: Invalid value: \"<certificate data>\": only CERTIFICATE PEM blocks are "
	                "allowed, found \"RSA KEY\""},
	        {"certificatesigningrequests", CERTIFICATE("eA=="), CERTIFICATE("eA=="), NULL},
	        {"certificatesigningrequests", CERTIFICATE(""), CERTIFICATE("eA=="),
	                "status.certificate: Forbidden: updates may not modify existing certificate content"},
	};
	run_group_cases("certificates.k8s.io", cases, COUNT_OF(cases), "status");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(what_is_asked_for, release),
	        cmocka_unit_test_teardown(a_verdict_is_one_and_lasts, release),
	        cmocka_unit_test_teardown(a_status_brings_no_verdict, release),
	        cmocka_unit_test_teardown(each_part_is_written_by_itself, release),
	        cmocka_unit_test_teardown(a_certificate_is_one_and_stays, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
