/* Ingresses and their classes: what is wrong is told at upstream's field, in its words. */
#include "tests/unit/api/machinery/rules/groups/group_cases.h"

#define SERVICE "{\"service\":{\"name\":\"web\",\"port\":{\"number\":80}}}"
#define PATHS(text) "\"spec\":{\"rules\":[{\"http\":{\"paths\":[" text "]}}]}"
#define PATH(type, path) PATHS("{\"pathType\":\"" type "\",\"path\":\"" path "\",\"backend\":" SERVICE "}")
#define BACKEND(text) "\"spec\":{\"defaultBackend\":{" text "}}"
#define HOST(host) "\"spec\":{\"rules\":[{\"host\":\"" host "\"}]}"
#define TLS(text) "\"spec\":{\"defaultBackend\":" SERVICE ",\"tls\":[{" text "}]}"
#define WILD(text) "\"spec\":{\"rules\":[{\"host\":\"*.a.b\",\"http\":{\"paths\":[" text "]}}]}"

#define AT_PATH "spec.rules[0].http.paths[0]"
#define NO_SUBDOMAIN \
	"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must " \
	"start " \
	"and end with an alphanumeric character (e.g. 'example.com', regex used for validation is " \
	"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
#define NO_WILDCARD \
	"a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist " \
	"of " \
	"lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. " \
	"'*.example.com', " \
	"regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"

static void an_ingress_has_rules_or_a_backend(void **state)
{
	static const struct group_case cases[] = {
	        {"ingresses", "\"spec\":{\"defaultBackend\":" SERVICE "}", NULL, NULL},
	        {"ingresses", "\"spec\":{}", NULL,
	                "spec: Invalid value: []networking.IngressRule(nil): either `defaultBackend` or `rules` must "
	                "be "
	                "specified"},
	        {"ingresses", BACKEND("\"service\":{\"name\":\"web\",\"port\":{\"name\":\"http\"}}"), NULL, NULL},
	        {"ingresses", BACKEND(""), NULL,
	                "spec.defaultBackend: Invalid value: \"\": resource or service backend is required"},
	        {"ingresses", BACKEND("\"service\":{\"name\":\"web\"},\"resource\":{}"), NULL,
	                "spec.defaultBackend: Invalid value: \"\": cannot set both resource and service backends"},
	        {"ingresses", BACKEND("\"service\":{\"name\":\"\",\"port\":{\"number\":80}}"), NULL,
	                "spec.defaultBackend.service.name: Required value"},
	        {"ingresses", BACKEND("\"service\":{\"name\":\"1web\",\"port\":{\"number\":80}}"), NULL,
	                "spec.defaultBackend.service.name: Invalid value: \"1web\": a DNS-1035 label must consist of "
	                "lower "
	                "case alphanumeric characters or '-', start with an alphabetic character, and end with an "
	                "alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
	                "'[a-z]([-a-z0-9]*[a-z0-9])?')"},
	        {"ingresses", BACKEND("\"service\":{\"name\":\"web\",\"port\":{}}"), NULL,
	                "spec.defaultBackend: Required value: port name or number is required"},
	        {"ingresses", BACKEND("\"service\":{\"name\":\"web\",\"port\":{\"name\":\"http\",\"number\":80}}"),
	                NULL, "spec.defaultBackend: Invalid value: \"\": cannot set both port name & port number"},
	        {"ingresses", BACKEND("\"service\":{\"name\":\"web\",\"port\":{\"number\":70000}}"), NULL,
	                "spec.defaultBackend.service.port.number: Invalid value: 70000: must be between 1 and 65535, "
	                "inclusive"},
	        {"ingresses", BACKEND("\"service\":{\"name\":\"web\",\"port\":{\"name\":\"80\"}}"), NULL,
	                "spec.defaultBackend.service.port.name: Invalid value: \"80\": must contain at least one "
	                "letter "
	                "(a-z)"},
	        {"ingresses", BACKEND("\"resource\":{\"apiGroup\":\"a.b\",\"kind\":\"Bucket\",\"name\":\"x\"}"), NULL,
	                NULL},
	        {"ingresses", BACKEND("\"resource\":{\"apiGroup\":\"A\"}"), NULL,
	                "spec.defaultBackend.resource.apiGroup: Invalid value: \"A\": " NO_SUBDOMAIN
	                "; spec.defaultBackend.resource.kind: Required value; spec.defaultBackend.resource.name: "
	                "Required "
	                "value"},
	};
	RUN_GROUP_CASES("networking.k8s.io", cases);
}

static void paths_are_absolute_and_plain(void **state)
{
	static const struct group_case cases[] = {
	        {"ingresses", PATH("Prefix", "/a/b"), NULL, NULL},
	        {"ingresses", PATH("ImplementationSpecific", ""), NULL, NULL},
	        {"ingresses", PATH("ImplementationSpecific", "/a//b"), NULL, NULL},
	        {"ingresses", PATHS(""), NULL, "spec.rules[0].http.paths: Required value"},
	        {"ingresses", PATHS("{\"path\":\"/\",\"backend\":" SERVICE "}"), NULL,
	                AT_PATH ".pathType: Required value: pathType must be specified"},
	        {"ingresses", PATH("Exact", "a"), NULL,
	                AT_PATH ".path: Invalid value: \"a\": must be an absolute path"},
	        {"ingresses", PATH("Prefix", ""), NULL, AT_PATH ".path: Invalid value: \"\": must be an absolute path"},
	        {"ingresses", PATH("ImplementationSpecific", "a"), NULL,
	                AT_PATH ".path: Invalid value: \"a\": must be an absolute path"},
	        {"ingresses", PATH("Exact", "/a//b/./c/../d%2F"), NULL,
	                AT_PATH ".path: Invalid value: \"/a//b/./c/../d%2F\": must not contain '//'; " AT_PATH
	                        ".path: Invalid value: \"/a//b/./c/../d%2F\": must not contain '/./'; " AT_PATH
	                        ".path: Invalid value: \"/a//b/./c/../d%2F\": must not contain '/../'; " AT_PATH
	                        ".path: Invalid value: \"/a//b/./c/../d%2F\": must not contain '%2F'"},
	        {"ingresses", PATH("Exact", "/a/.."), NULL,
	                AT_PATH ".path: Invalid value: \"/a/..\": cannot end with '/..'"},
	        {"ingresses", PATH("Glob", "/a"), NULL,
	                AT_PATH ".pathType: Unsupported value: \"Glob\": supported values: \"Exact\", "
	                        "\"ImplementationSpecific\", \"Prefix\""},
	};
	RUN_GROUP_CASES("networking.k8s.io", cases);
}

static void hosts_and_secrets_have_names(void **state)
{
	static const struct group_case cases[] = {
	        {"ingresses", HOST("a.b"), NULL, NULL},
	        {"ingresses", HOST("*.a.b"), NULL, NULL},
	        {"ingresses", HOST("10.0.0.1"), NULL,
	                "spec.rules[0].host: Invalid value: \"10.0.0.1\": must be a DNS name, not an IP address"},
	        {"ingresses", HOST("a_b"), NULL, "spec.rules[0].host: Invalid value: \"a_b\": " NO_SUBDOMAIN},
	        {"ingresses", HOST("a.*"), NULL, "spec.rules[0].host: Invalid value: \"a.*\": " NO_WILDCARD},
	        {"ingresses", TLS("\"hosts\":[\"a.b\",\"*.b\"],\"secretName\":\"s\""), NULL, NULL},
	        {"ingresses", TLS("\"hosts\":[\"**.b\",\"A\"]"), NULL,
	                "spec.tls[0].hosts[0]: Invalid value: \"**.b\": " NO_WILDCARD
	                "; spec.tls[0].hosts[1]: Invalid value: \"A\": " NO_SUBDOMAIN},
	        {"ingresses", TLS("\"secretName\":\"A\""), NULL,
	                "spec.tls[0].secretName: Invalid value: \"A\": " NO_SUBDOMAIN},
	        {"ingresses", "\"spec\":{\"ingressClassName\":\"A\",\"defaultBackend\":" SERVICE "}", NULL,
	                "spec.ingressClassName: Invalid value: \"A\": " NO_SUBDOMAIN},
	};
	RUN_GROUP_CASES("networking.k8s.io", cases);
}

static void what_an_older_server_let_pass_stays(void **state)
{
	static const struct group_case cases[] = {
	        {"ingresses", TLS("\"secretName\":\"B\""), TLS("\"secretName\":\"A\""), NULL},
	        {"ingresses", TLS("\"secretName\":\"B\""), TLS("\"secretName\":\"a\""),
	                "spec.tls[0].secretName: Invalid value: \"B\": " NO_SUBDOMAIN},
	        {"ingresses", WILD(""), WILD(""), NULL},
	        {"ingresses", WILD(""), HOST("*.a.b"), "spec.rules[0].http.paths: Required value"},
	};
	RUN_GROUP_CASES("networking.k8s.io", cases);
}

static void a_new_ingress_has_one_class(void **state)
{
	const struct resource *r = resource_find(SLICE("networking.k8s.io"), SLICE("v1"), SLICE("ingresses"));
	struct json *o = group_object(r, "\"spec\":{\"ingressClassName\":\"a\",\"defaultBackend\":" SERVICE "}");
	json_set_cstr(&a, json_need(&a, json_get(o, "metadata"), "annotations", JSON_OBJECT),
	        "kubernetes.io/ingress.class", "b");
	assert_string_equal(group_errors(r, o, NULL, ""), "annotations.kubernetes.io/ingress.class: Invalid value: "
	                                                  "\"b\": must match `ingressClassName` when both are "
	                                                  "specified");
	assert_string_equal(group_errors(r, o, o, ""), "");
}

#define AT_STATUS "status.loadBalancer.ingress[0]"
#define STATUS(text) "\"status\":{\"loadBalancer\":{\"ingress\":[{" text "}]}}"

static void a_status_has_addresses_and_names(void **state)
{
	static const struct group_case cases[] = {
	        {"ingresses", STATUS("\"ip\":\"10.0.0.1\",\"hostname\":\"a.b\""), "", NULL},
	        {"ingresses", STATUS("\"ip\":\"fd00::1\""), "", NULL},
	        {"ingresses", STATUS("\"ip\":\"a\""), "",
	                AT_STATUS ".ip: Invalid value: \"a\": must be a valid IP address, (e.g. 10.9.8.7 or "
	                          "2001:db8::ffff)"},
	        {"ingresses", STATUS("\"hostname\":\"A\""), "",
	                AT_STATUS ".hostname: Invalid value: \"A\": " NO_SUBDOMAIN},
	        {"ingresses", STATUS("\"hostname\":\"10.0.0.1\""), "",
	                AT_STATUS ".hostname: Invalid value: \"10.0.0.1\": must be a DNS name, not an IP address"},
	};
	run_group_cases("networking.k8s.io", cases, COUNT_OF(cases), "status");
}

#define CLASS(text) "\"spec\":{\"controller\":\"a.b/c\"" text "}"
#define PARAMETERS(text) CLASS(",\"parameters\":{\"kind\":\"K\",\"name\":\"x\"" text "}")

static void a_class_names_its_controller(void **state)
{
	static const struct group_case cases[] = {
	        {"ingressclasses", CLASS(""), NULL, NULL},
	        {"ingressclasses", "\"spec\":{}", NULL, "spec.controller: Required value"},
	        {"ingressclasses", "\"spec\":{\"controller\":\"a\"}", NULL,
	                "spec.controller: Invalid value: \"a\": must be a domain-prefixed path (such as "
	                "\"acme.io/foo\")"},
	        {"ingressclasses", "\"spec\":{\"controller\":\"A/b c\"}", NULL,
	                "spec.controller: Invalid value: \"A\": " NO_SUBDOMAIN
	                "; spec.controller: Invalid value: \"b c\": Invalid path (regex used for validation is "
	                "'[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')"},
	        {"ingressclasses", CLASS(""), "\"spec\":{\"controller\":\"a.b/d\"}",
	                "spec.controller: Invalid value: \"a.b/c\": field is immutable"},
	        {"ingressclasses", PARAMETERS(""), NULL, NULL}, /* scope is Cluster by default */
	        {"ingressclasses", PARAMETERS(",\"scope\":\"Namespace\",\"namespace\":\"d\""), NULL, NULL},
	        {"ingressclasses", PARAMETERS(",\"namespace\":\"d\""), NULL,
	                "spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'"},
	        {"ingressclasses", PARAMETERS(",\"scope\":\"Namespace\""), NULL,
	                "spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'"},
	        {"ingressclasses", PARAMETERS(",\"scope\":\"x\""), NULL,
	                "spec.parameters.scope: Unsupported value: \"x\": supported values: \"Cluster\", "
	                "\"Namespace\""},
	        {"ingressclasses", CLASS(",\"parameters\":{}"), NULL,
	                "spec.parameters.kind: Required value; spec.parameters.name: Required value"},
	};
	RUN_GROUP_CASES("networking.k8s.io", cases);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(an_ingress_has_rules_or_a_backend, release),
	        cmocka_unit_test_teardown(paths_are_absolute_and_plain, release),
	        cmocka_unit_test_teardown(hosts_and_secrets_have_names, release),
	        cmocka_unit_test_teardown(what_an_older_server_let_pass_stays, release),
	        cmocka_unit_test_teardown(a_new_ingress_has_one_class, release),
	        cmocka_unit_test_teardown(a_status_has_addresses_and_names, release),
	        cmocka_unit_test_teardown(a_class_names_its_controller, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
