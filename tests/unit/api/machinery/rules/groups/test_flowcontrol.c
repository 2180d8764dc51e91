/* Fairness: whose requests a schema is about, and what a level lets through. */
#include "tests/unit/api/machinery/rules/groups/group_cases.h"

#include "api/machinery/rules/groups/flow_presets.h"

#define API "flowcontrol.apiserver.k8s.io"
#define SCHEMA(rest) "\"spec\":{\"priorityLevelConfiguration\":{\"name\":\"l\"}" rest "}"
#define RULES(rest) SCHEMA(",\"rules\":[{" rest "}]")
#define EVERYBODY "\"subjects\":[{\"kind\":\"Group\",\"group\":{\"name\":\"*\"}}]"
#define OF(subject) \
	RULES("\"subjects\":[{" subject "}],\"nonResourceRules\":[{\"verbs\":[\"*\"],\"nonResourceURLs\":[\"*\"]}]")
#define RESOURCES(rest) RULES(EVERYBODY ",\"resourceRules\":[{" rest "}]")
#define PATHS(list) RULES(EVERYBODY ",\"nonResourceRules\":[{\"verbs\":[\"get\"],\"nonResourceURLs\":[" list "]}]")
#define AT(rest) "spec.rules[0]." rest

static void a_schema_has_a_place_and_a_level(void **state)
{
	static const struct group_case cases[] = {
	        {"flowschemas", SCHEMA(""), NULL, NULL},
	        {"flowschemas", SCHEMA(",\"matchingPrecedence\":1"), NULL,
	                "spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have "
	                "matchingPrecedence 1"},
	        {"flowschemas", SCHEMA(",\"matchingPrecedence\":10001"), NULL,
	                "spec.matchingPrecedence: Invalid value: 10001: must not be greater than 10000"},
	        {"flowschemas", "\"spec\":{}", NULL,
	                "spec.priorityLevelConfiguration.name: Required value: must reference a priority level"},
	        {"flowschemas", SCHEMA(",\"distinguisherMethod\":{\"type\":\"ByHand\"}"), NULL,
	                "spec.distinguisherMethod.type: Unsupported value: \"ByHand\": supported values: "
	                "\"ByNamespace\", "
	                "\"ByUser\""},
	};
	RUN_GROUP_CASES(API, cases);
}

static void a_rule_is_about_somebody(void **state)
{
	static const struct group_case cases[] = {
	        {"flowschemas", OF("\"kind\":\"User\",\"user\":{\"name\":\"a\"}"), NULL, NULL},
	        {"flowschemas",
	                OF("\"kind\":\"ServiceAccount\",\"serviceAccount\":{\"name\":\"*\",\"namespace\":\"a\"}"), NULL,
	                NULL},
	        {"flowschemas", OF("\"kind\":\"User\",\"group\":{\"name\":\"a\"}"), NULL,
	                AT("subjects[0].user: Required value: user is required when subject kind is 'User'; ") AT(
	                        "subjects[0].group: Forbidden: group is forbidden when subject kind is not 'Group'")},
	        {"flowschemas", OF("\"kind\":\"ServiceAccount\",\"serviceAccount\":{\"name\":\"\",\"namespace\":\"\"}"),
	                NULL,
	                AT("subjects[0].serviceAccount.name: Required value; ")
	                        AT("subjects[0].serviceAccount.namespace: Required value: must specify namespace for "
	                           "service account")},
	        {"flowschemas", OF("\"kind\":\"Robot\""), NULL,
	                AT("subjects[0].kind: Unsupported value: \"Robot\": supported values: \"Group\", "
	                   "\"ServiceAccount\", \"User\"")},
	        {"flowschemas", RULES(""), NULL,
	                AT("subjects: Required value: subjects must contain at least one value; spec.rules[0]: "
	                   "Required "
	                   "value: at least one of resourceRules and nonResourceRules has to be non-empty")},
	};
	RUN_GROUP_CASES(API, cases);
}

static void a_rule_is_about_something(void **state)
{
	static const struct group_case cases[] = {
	        {"flowschemas",
	                RESOURCES("\"verbs\":[\"get\",\"proxy\"],\"apiGroups\":[\"*\"],\"resources\":[\"pods\"],"
	                          "\"clusterScope\":true"),
	                NULL, NULL},
	        {"flowschemas", RESOURCES(""), NULL,
	                AT("resourceRules[0].verbs: Required value: verbs must contain at least one value; ") AT(
	                        "resourceRules[0].apiGroups: Required value: resource rules must supply at least one "
	                        "api group; ") AT("resourceRules[0].resources: Required value: resource rules must "
	                                          "supply at least one resource; ")
	                        AT("resourceRules[0].namespaces: Required value: resource rules that are not "
	                           "cluster scoped must supply at least one namespace")},
	        {"flowschemas",
	                RESOURCES("\"verbs\":[\"*\",\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\",\"*\"],"
	                          "\"namespaces\":[\"A\"]"),
	                NULL,
	                AT("resourceRules[0].verbs: Invalid value: []string{\"*\", \"get\"}: if '*' is present, must "
	                   "not "
	                   "specify other verbs; ") AT("resourceRules[0].resources: Invalid value: []string{\"pods\", "
	                                               "\"*\"}: if '*' is present, must not specify other resources; ")
	                        AT("resourceRules[0].namespaces[0]: Invalid value: \"A\": each member of this list "
	                           "must "
	                           "be '*' or a DNS-1123 label; a lowercase RFC 1123 label must consist of lower case "
	                           "alphanumeric characters or '-', and must start and end with an alphanumeric "
	                           "character (e.g. 'my-name',  or '123-abc', regex used for validation is "
	                           "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')")},
	        {"flowschemas",
	                RESOURCES("\"verbs\":[\"read\"],\"apiGroups\":[\"\"],\"resources\":[\"*\"],\"namespaces\":[\"*"
	                          "\"]"),
	                NULL,
	                AT("resourceRules[0].verbs: Unsupported value: []string{\"read\"}: supported values: "
	                   "\"create\", "
	                   "\"delete\", \"deletecollection\", \"get\", \"list\", \"patch\", \"proxy\", \"update\", "
	                   "\"watch\"")},
	        {"flowschemas", PATHS("\"/\",\"/healthz\",\"/a/*\""), NULL, NULL},
	        {"flowschemas", PATHS("\"a\",\"/a b\",\"/a//b\",\"/a*\",\"\""), NULL,
	                AT("nonResourceRules[0].nonResourceURLs[0]: Invalid value: \"a\": must start with slash; ") AT(
	                        "nonResourceRules[0].nonResourceURLs[1]: Invalid value: \"/a b\": must not contain "
	                        "white-space; ") AT("nonResourceRules[0].nonResourceURLs[2]: Invalid value: "
	                                            "\"/a//b\": must not contain double slash; ")
	                        AT("nonResourceRules[0].nonResourceURLs[3]: Invalid value: \"/a*\": wildcard can "
	                           "only do suffix matching; ")
	                                AT("nonResourceRules[0].nonResourceURLs[4]: Invalid value: \"\": must not "
	                                   "be empty")},
	};
	RUN_GROUP_CASES(API, cases);
}

#define LEVEL(rest) "\"spec\":{\"type\":\"Limited\",\"limited\":{" rest "}}"
#define QUEUES(rest) LEVEL("\"limitResponse\":{\"type\":\"Queue\",\"queuing\":{" rest "}}")
#define REJECT "\"limitResponse\":{\"type\":\"Reject\"}"
#define AT_QUEUING "spec.limited.limitResponse.queuing."

static void a_level_lets_so_much_through(void **state)
{
	static const struct group_case cases[] = {
	        {"prioritylevelconfigurations", LEVEL(REJECT), NULL, NULL},
	        {"prioritylevelconfigurations", QUEUES(""), NULL, NULL},
	        {"prioritylevelconfigurations", QUEUES("\"queues\":64,\"handSize\":10"), NULL, NULL},
	        {"prioritylevelconfigurations", QUEUES("\"queues\":128,\"handSize\":9"), NULL,
	                AT_QUEUING
	                "handSize: Invalid value: 9: required entropy bits of deckSize 128 and handSize 9 should "
	                "not be greater than 60"},
	        {"prioritylevelconfigurations", QUEUES("\"queues\":4,\"handSize\":5,\"queueLengthLimit\":-1"), NULL,
	                AT_QUEUING "queueLengthLimit: Invalid value: -1: must be positive; " AT_QUEUING
	                           "handSize: Invalid value: 5: should not be greater than queues (4)"},
	        {"prioritylevelconfigurations", LEVEL("\"limitResponse\":{\"type\":\"Queue\"}"), NULL,
	                "spec.limited.limitResponse.queuing: Required value: must not be empty if "
	                "limited.limitResponse.type is Limited"},
	        {"prioritylevelconfigurations",
	                LEVEL(REJECT ",\"nominalConcurrencyShares\":-1,\"lendablePercent\":101,"
	                             "\"borrowingLimitPercent\":-1"),
	                NULL,
	                "spec.limited.nominalConcurrencyShares: Invalid value: -1: must be a non-negative integer; "
	                "spec.limited.lendablePercent: Invalid value: 101: must be between 0 and 100, inclusive; "
	                "spec.limited.borrowingLimitPercent: Invalid value: -1: if specified, must be a non-negative "
	                "integer"},
	        {"prioritylevelconfigurations", "\"spec\":{\"type\":\"Exempt\"}", NULL,
	                "spec.type: Invalid value: \"Exempt\": type must be 'Exempt' if and only if name is 'exempt'"},
	        {"prioritylevelconfigurations", "\"spec\":{\"type\":\"Limited\"}", NULL,
	                "spec.limited: Required value: must not be empty when type is Limited"},
	};
	RUN_GROUP_CASES(API, cases);
}

static void conditions_are_named_once(void **state)
{
	static const struct group_case cases[] = {
	        {"flowschemas", "\"status\":{\"conditions\":[{\"type\":\"A\"},{\"type\":\"A\"},{}]}", "",
	                "status.conditions[1].type: Duplicate value: \"A\"; status.conditions[2].type: Required value: "
	                "must not be empty"},
	        {"prioritylevelconfigurations", "\"status\":{\"conditions\":[{\"type\":\"A\"}]}", "", NULL},
	};
	run_group_cases(API, cases, COUNT_OF(cases), "status");
}

static const char *at_spec(const struct preset *p)
{
	const char *but = !p->rules && strcmp(p->name, "exempt") == 0 ? " except the 'spec.exempt' field" : "";
	return arena_printf(
	        &a, "spec: Invalid value: \"...\": spec of '%s'%s must equal the fixed value", p->name, but);
}

static const char *errors_of(const struct preset *p, const struct json *object)
{
	return group_errors(resource_find(SLICE(API), SLICE("v1"), slice_of(p->plural)), object, NULL, "");
}

/* What a cluster starts with is in order, and what it cannot do without stays so. */
static void mandatory_ones_stay_as_they_are(void **state)
{
	for (const struct preset *p = presets; p->name; p++) {
		struct json *o = preset_object(&a, p);
		assert_string_equal(errors_of(p, o), "");
		json_set_int(&a, json_get(o, "spec"), "matchingPrecedence", 77);
		const char *want = p->is_mandatory ? at_spec(p) : "";
		assert_string_equal(errors_of(p, o), want);
	}
	/* how much others may borrow of the exempt level is the operator's to say */
	const struct preset *exempt = preset_mandatory(false, SLICE("exempt"));
	struct json *o = preset_object(&a, exempt);
	json_set_int(&a, json_path(o, "spec", "exempt", NULL), "lendablePercent", 50);
	assert_string_equal(errors_of(exempt, o), "");
	assert_false(preset_reconcile(&a, exempt, o));
	assert_null(preset_mandatory(true, SLICE("probes")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(a_schema_has_a_place_and_a_level, release),
	        cmocka_unit_test_teardown(a_rule_is_about_somebody, release),
	        cmocka_unit_test_teardown(a_rule_is_about_something, release),
	        cmocka_unit_test_teardown(a_level_lets_so_much_through, release),
	        cmocka_unit_test_teardown(conditions_are_named_once, release),
	        cmocka_unit_test_teardown(mandatory_ones_stay_as_they_are, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
