/* Definitions of kinds: what is filled in, kept and refused, but for what their versions say. */
#include "tests/unit/api/machinery/rules/custom/definition_cases.h"

#define LABEL_1035 \
	"a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic " \
	"character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation " \
	"is '[a-z]([-a-z0-9]*[a-z0-9])?')"

static void names_scope_and_group(void **state)
{
	static const char *const rows[][2] = {
	        {"{}", ""},
	        {"{'spec':{'names':null}}",
	                "metadata.name: Invalid value: \"bs.e.org\": must be spec.names.plural+\".\"+spec.group\n"
	                "spec.names.plural: Required value\nspec.names.singular: Required value\nspec.names.kind: "
	                "Required value\nspec.names.listKind: Required value"},
	        {"{'spec':{'names':{'kind':'B','listKind':'B','singular':'B','shortNames':['ok','No'],'categories':['a'"
	         ",'"
	         "!']}}}",
	                "spec.names.singular: Invalid value: \"B\": " LABEL_1035
	                "\nspec.names.shortNames[1]: Invalid value: \"No\": " LABEL_1035
	                "\nspec.names.listKind: Invalid value: \"B\": kind and listKind may not be the "
	                "same\nspec.names.categories[1]: Invalid value: \"!\": " LABEL_1035},
	        {"{'spec':{'names':{'kind':'A b'}}}",
	                "spec.names.singular: Invalid value: \"a b\": " LABEL_1035
	                "\nspec.names.kind: Invalid value: \"A b\": may have mixed case, but should otherwise "
	                "match: " LABEL_1035
	                "\nspec.names.listKind: Invalid value: \"A bList\": may have mixed case, but should "
	                "otherwise match: " LABEL_1035},
	        {"{'spec':{'scope':'Moon'}}",
	                "spec.scope: Unsupported value: \"Moon\": supported values: \"Cluster\", \"Namespaced\""},
	        {"{'spec':{'scope':null}}", "spec.scope: Required value"},
	        {"{'metadata':{'name':'bs.org'},'spec':{'group':'org'}}",
	                "spec.group: Invalid value: \"org\": should be a domain with at least one dot"},
	};
	each_definition_says(rows, COUNT_OF(rows));
}

#define SERVICE "'clientConfig':{'service':{'name':'s','namespace':'n'}}"
#define HOOK(webhook) "{'spec':{'conversion':{'strategy':'Webhook','webhook':{" webhook "}}}}"
#define AT_CLIENT "spec.conversion.webhookClientConfig"

static void conversions(void **state)
{
	static const char *const rows[][2] = {
	        {HOOK(SERVICE ",'conversionReviewVersions':['v1']"), ""},
	        {HOOK("'conversionReviewVersions':['v2']"),
	                AT_CLIENT ": Required value: required when strategy is set to "
	                          "Webhook\nspec.conversion.conversionReviewVersions: Invalid value: []string{\"v2\"}: "
	                          "must include at least one of v1, v1beta1"},
	        {"{'spec':{'conversion':{'strategy':'Magic','webhook':{" SERVICE
	         ",'conversionReviewVersions':['v1']}}}}",
	                "spec.conversion.strategy: Unsupported value: \"Magic\": supported values: \"None\", "
	                "\"Webhook\"\n" AT_CLIENT ": Forbidden: should not be set when strategy is not set to "
	                "Webhook\nspec.conversion.conversionReviewVersions: Forbidden: should not be set when strategy "
	                "is "
	                "not set to Webhook"},
	        {"{'spec':{'preserveUnknownFields':true}}",
	                "spec.preserveUnknownFields: Invalid value: true: cannot set to true, set "
	                "x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"},
	        {"{'spec':{'preserveUnknownFields':true,'versions':[{'name':'v1','served':true,'storage':true,'schema':"
	         "{'"
	         "openAPIV3Schema':{'type':'object','properties':{'a':{'type':'string','default':'x'}}}}}]}}",
	                "spec.preserveUnknownFields: Invalid value: true: must be false in order to use defaults in "
	                "the "
	                "schema\nspec.preserveUnknownFields: Invalid value: true: cannot set to true, set "
	                "x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"},
	        /* before it is established a bundle may be odd: somebody will put the right one there */
	        {HOOK("'clientConfig':{'url':'https://h','caBundle':'eA=='},'conversionReviewVersions':['v1']"), ""},
	};
	each_definition_says(rows, COUNT_OF(rows));
}

#define ESTABLISHED "'status':{'storedVersions':['v1'],'conditions':[{'type':'Established','status':'True'}]}"
#define BUNDLE(text, status) \
	"{'spec':{'conversion':{'strategy':'Webhook','webhook':{'clientConfig':{'url':'https://h','caBundle':'" text \
	"'},'conversionReviewVersions':['v1']}}}," status "}"

static void says_after(const char *now, const char *before, const char *want)
{
	assert_string_equal(definition_errors(definition_of(now), definition_of(before)), want);
}

static void what_stays(void **state)
{
	says_after("{'spec':{'scope':'Cluster','names':{'kind':'C'}},'status':{'storedVersions':['v1']}}",
	        "{'status':{'storedVersions':['v1']}}", "");
	says_after("{'spec':{'scope':'Cluster','names':{'kind':'C'}}," ESTABLISHED "}", "{" ESTABLISHED "}",
	        "spec.scope: Invalid value: \"Cluster\": field is immutable\nspec.names.kind: Invalid value: \"C\": "
	        "field is "
	        "immutable");
	says_after("{'spec':{'group':'f.org','names':{'plural':'cs'}}}", "{}",
	        "spec.group: Invalid value: \"f.org\": field is immutable\nspec.names.plural: Invalid value: \"cs\": "
	        "field "
	        "is immutable");
	says_after("{'spec':{'preserveUnknownFields':true}}", "{'spec':{'preserveUnknownFields':true}}", "");
	/* a bundle that served keeps sound, an odd one may stay */
	says_after(BUNDLE("eA==", ESTABLISHED), BUNDLE("", ESTABLISHED),
	        AT_CLIENT
	        ".caBundle: Invalid value: \"...\": unable to load root certificates: unable to parse bytes as "
	        "PEM block");
	says_after(BUNDLE("eA==", ESTABLISHED), BUNDLE("eQ==", ESTABLISHED), "");
	says_after(HOOK(SERVICE ",'conversionReviewVersions':['v3']"),
	        HOOK(SERVICE ",'conversionReviewVersions':['v2']"), "");
}

static void versions_that_objects_are_stored_in(void **state)
{
	static const char *const rows[][2] = {
	        {"{'status':{'storedVersions':['v1','v0']}}",
	                "status.storedVersions[1]: Invalid value: \"v0\": must appear in spec.versions"},
	        {"{'status':{'storedVersions':['v0']}}",
	                "status.storedVersions: Invalid value: []string{\"v0\"}: must have the storage version "
	                "v1\nstatus.storedVersions[0]: Invalid value: \"v0\": must appear in spec.versions"},
	        {"{'status':{'storedVersions':[]}}",
	                "status.storedVersions: Invalid value: []string(nil): must have at least one stored version"},
	};
	each_definition_says(rows, COUNT_OF(rows));
}

#define PROTECTED(annotation) \
	"{'metadata':{'name':'bs.k8s.io','annotations':{" annotation "}},'spec':{'group':'k8s.io'}}"
#define APPROVED(word) "'api-approved.kubernetes.io':'" word "'"
#define AT_APPROVAL "metadata.annotations[api-approved.kubernetes.io]: "
#define NEEDED "protected groups must have approval annotation \"api-approved.kubernetes.io\""

static void groups_of_kubernetes_need_a_word(void **state)
{
	static const char missing[] =
	        AT_APPROVAL "Required value: " NEEDED ", see https://github.com/kubernetes/enhancements/pull/1111";
	static const char *const rows[][2] = {
	        {PROTECTED(APPROVED("https://example.com/x")), ""},
	        {PROTECTED(APPROVED("unapproved, a trial")), ""},
	        {PROTECTED(""), missing},
	        {PROTECTED(APPROVED("https:///x")),
	                AT_APPROVAL "Invalid value: \"https:///x\": " NEEDED
	                            " with either a URL or a reason starting with \"unapproved\", see "
	                            "https://github.com/kubernetes/enhancements/pull/1111"},
	};
	each_definition_says(rows, COUNT_OF(rows));
	/* as it was it may stay, whatever it was; and what was a word may not go */
	says_after(PROTECTED(""), PROTECTED(""), "");
	says_after(PROTECTED(""), PROTECTED(APPROVED("unapproved")), missing);
	says_after(PROTECTED(APPROVED("odd")), PROTECTED(APPROVED("else")), "");
}

static void a_status_has_names_of_the_right_form(void **state)
{
	struct json *v = definition_of("{'status':{'acceptedNames':{'plural':'Bs','kind':'B','listKind':'B'}}}");
	struct field_errors *e = ARENA_NEW(&a, struct field_errors);
	field_errors_init(e, &a);
	definition_validate_status(e, v, v);
	assert_int_equal(e->count, 2);
	assert_string_equal(e->items[0].field, "status.acceptedNames.plural");
	assert_string_equal(e->items[1].message, "Invalid value: \"B\": kind and listKind may not be the same");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(names_scope_and_group, release),
	        cmocka_unit_test_teardown(conversions, release),
	        cmocka_unit_test_teardown(what_stays, release),
	        cmocka_unit_test_teardown(versions_that_objects_are_stored_in, release),
	        cmocka_unit_test_teardown(groups_of_kubernetes_need_a_word, release),
	        cmocka_unit_test_teardown(a_status_has_names_of_the_right_form, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
