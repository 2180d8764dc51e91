/* Admission policies and their bindings: what is filled in, and what is refused. */
#include "api/machinery/rules/admission/admission_policy.h"

#include "base/check.h"
#include "tests/unit/unit.h"

static struct arena arena;

static struct json *parse(const char *text)
{
	char *quoted = arena_strdup(&arena, text);
	struct err err = ERR_INIT;
	for (char *p = quoted; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	struct json *v = json_parse(&arena, slice_of(quoted), NULL, &err);
	if (!v)
		fail_msg("%s: %s", text, err.msg);
	return v;
}

static struct json *object_of(void (*defaults)(struct arena *, struct json *), const char *spec)
{
	struct json *object = parse(arena_printf(&arena, "{'metadata':{'name':'p.q'},'spec':%s}", spec));
	defaults(&arena, object);
	return object;
}

static void says_of(void (*validate)(struct field_errors *, const struct json *, const struct json *),
        const struct json *object, const struct json *old, const char *want)
{
	struct field_errors *e = ARENA_NEW(&arena, struct field_errors);
	CLEANUP(cleanup_strbuf) struct strbuf b = STRBUF_INIT;
	field_errors_init(e, &arena);
	validate(e, object, old);
	for (size_t i = 0; i < e->count; i++)
		strbuf_addf(&b, "%s%s: %s", i ? "\n" : "", e->items[i].field, e->items[i].message);
	assert_string_equal(strbuf_cstr(&b), want);
}

static void says(void (*defaults)(struct arena *, struct json *),
        void (*validate)(struct field_errors *, const struct json *, const struct json *), const char *spec,
        const char *want)
{
	says_of(validate, object_of(defaults, spec), NULL, want);
}

#define RULES(rule) "'matchConstraints':{'resourceRules':[{" rule "}]}"
#define RULE "'apiGroups':['*'],'apiVersions':['v1'],'operations':['CREATE'],'resources':['pods']"
#define RULE_AT "spec.matchConstraints.resourceRules[0]."
#define TRUE "'validations':[{'expression':'true'}]"

#define NAME_PART \
	"name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an " \
	"alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is " \
	"'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
#define LABEL_1035 \
	"a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic " \
	"character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation " \
	"is '[a-z]([-a-z0-9]*[a-z0-9])?')"
#define SUBDOMAIN \
	"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must " \
	"start " \
	"and end with an alphanumeric character (e.g. 'example.com', regex used for validation is " \
	"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"

static void policies(void **state)
{
	static const char *const rows[][2] = {
	        {"{" RULES(RULE) "," TRUE "}", ""},
	        {"{" TRUE "}", "spec.matchConstraints: Required value"},
	        {"{'matchConstraints':{}," TRUE "}", "spec.matchConstraints.resourceRules: Required value"},
	        {"{" RULES(RULE) "}",
	                "spec.validations: Required value: validations or auditAnnotations must contain at least one "
	                "item\nspec.auditAnnotations: Required value: validations or auditAnnotations must contain at "
	                "least one item"},
	        {"{" RULES("'apiGroups':['*','x'],'apiVersions':['*',''],'operations':['*','CREATE'],'resources':['*','"
	                   "pods','']") "," TRUE "}",
	                RULE_AT "operations: Invalid value: []admissionregistration.OperationType{\"*\", \"CREATE\"}: "
	                        "if '*' is present, must not specify other operations\n" RULE_AT
	                        "apiGroups: Invalid value: []string{\"*\", \"x\"}: if '*' is present, must not specify "
	                        "other API groups\n" RULE_AT
	                        "apiVersions: Invalid value: []string{\"*\", \"\"}: if '*' is present, must not "
	                        "specify other API versions\n" RULE_AT "apiVersions[1]: Required value\n" RULE_AT
	                        "resources[2]: Required value\n" RULE_AT
	                        "resources: Invalid value: []string{\"*\", \"pods\", \"\"}: if '*' is present, must "
	                        "not specify other resources without subresources"},
	        /* as upstream: the last one without a subresource is looked at */
	        {"{" RULES("'apiGroups':['*'],'apiVersions':['v1'],'operations':['CREATE'],'resources':['pods','*']"
	                   "") "," TRUE "}",
	                ""},
	        {"{" RULES("'apiGroups':['*'],'apiVersions':['v1'],'operations':['CREATE'],'resources':['*/*','pods']"
	                   "") "," TRUE "}",
	                RULE_AT "resources: Invalid value: []string{\"*/*\", \"pods\"}: if '*/*' is present, must not "
	                        "specify other resources"},
	        {"{" RULES("'apiGroups':['*'],'apiVersions':['v1'],'operations':['CREATE'],'resources':['pods/*','pods/"
	                   "status','*/log','pods/log']") "," TRUE "}",
	                RULE_AT "resources[1]: Invalid value: \"pods/status\": if 'pods/*' is present, must not "
	                        "specify pods/status\n" RULE_AT
	                        "resources[3]: Invalid value: \"pods/log\": if 'pods/*' is present, must not specify "
	                        "pods/log\n" RULE_AT
	                        "resources[3]: Invalid value: \"pods/log\": if '*/log' is present, must not specify "
	                        "pods/log"},
	        {"{" RULES(
	                 "'apiGroups':[''],'apiVersions':['v1'],'operations':['','GET'],'resources':['pods']") "," TRUE
	                                                                                                       "}",
	                RULE_AT "operations[0]: Unsupported value: \"\": supported values: \"*\", \"CONNECT\", "
	                        "\"CREATE\", \"DELETE\", \"UPDATE\"\n" RULE_AT
	                        "operations[1]: Unsupported value: \"GET\": supported values: \"*\", \"CONNECT\", "
	                        "\"CREATE\", \"DELETE\", \"UPDATE\""},
	        {"{" RULES(RULE ",'scope':'Moon'") "," TRUE "}",
	                "spec.matchConstraints.resourceRules[0].scope: Unsupported value: \"Moon\": supported values: "
	                "\"*\", \"Cluster\", "
	                "\"Namespaced\""},
	        {"{" RULES(RULE ",'resourceNames':['a','a']") "," TRUE "}",
	                "spec.matchConstraints.resourceRules[0].resourceNames[1]: Duplicate value: \"a\""},
	        {"{'paramKind':{}," RULES(RULE) "," TRUE "}",
	                "spec.paramKind.apiVersion: Required value\nspec.paramKind.kind: Required value"},
	        {"{'paramKind':{'apiVersion':'a/b/c','kind':'Ab'}," RULES(RULE) "," TRUE "}",
	                "spec.paramKind.apiVersion: Invalid value: \"a/b/c\": unexpected GroupVersion string: a/b/c"},
	        {"{'paramKind':{'apiVersion':'a/','kind':'A b'}," RULES(RULE) "," TRUE "}",
	                "spec.paramKind.apiVersion: Invalid value: \"a/\": version must be "
	                "specified\nspec.paramKind.kind: Invalid value: \"A b\": may have mixed case, but should "
	                "otherwise match: " LABEL_1035},
	        {"{'paramKind':{'apiVersion':'A/1','kind':'Ab'}," RULES(RULE) "," TRUE "}",
	                "spec.paramKind.apiVersion: Invalid value: \"A\": " SUBDOMAIN
	                "\nspec.paramKind.apiVersion: Invalid value: \"1\": " LABEL_1035},
	        {"{" RULES(RULE) ",'validations':[{'expression':'true','messageExpression':' ','message':' ',"
	                         "'reason':'Unauthorized'}]}",
	                "spec.validations[0].messageExpression: Invalid value: \" \": must be non-empty if "
	                "specified\nspec.validations[0].message: Invalid value: \" \": message must be non-empty if "
	                "specified\nspec.validations[0].reason: Unsupported value: \"Unauthorized\": supported values: "
	                "\"Forbidden\", \"Invalid\", \"RequestEntityTooLarge\""},
	        /* an expression of several lines needs no message */
	        {"{" RULES(RULE) ",'validations':[{'expression':'true &&\\n true'}]}", ""},
	        /* each expression is compiled, whatever else is wrong */
	        {"{'failurePolicy':'Maybe'," RULES(RULE) ",'validations':[{'expression':'1'}]}",
	                "spec.failurePolicy: Unsupported value: \"Maybe\": supported values: \"Fail\", "
	                "\"Ignore\"\nspec.validations[0].expression: Invalid value: \"1\": must evaluate to bool but "
	                "got int"},
	        {"{" RULES(RULE) ",'validations':[{'expression':' '}]}",
	                "spec.validations[0].expression: Required value: expression is not specified"},
	        {"{" RULES(RULE) "," TRUE ",'variables':[{'name':'1a','expression':'1'}]}",
	                "spec.variables[0].name: Invalid value: \"1a\": name is not a valid CEL identifier"},
	        {"{" RULES(RULE) "," TRUE ",'variables':[{'name':'loop','expression':'1'},{'name':' ',"
	                         "'expression':'1'}]}",
	                "spec.variables[0].name: Invalid value: \"loop\": name is not a valid CEL "
	                "identifier\nspec.variables[1].name: Required value: name is not specified"},
	        {"{" RULES(RULE) "," TRUE ",'variables':[{'name':'a','expression':'1'},{'name':'a','expression':'1'}]}",
	                "spec.variables[1].name: Duplicate value: \"a\""},
	        {"{" RULES(RULE) "," TRUE ",'matchConditions':[{'name':'!','expression':''}]}",
	                "spec.matchConditions[0].expression: Required value\nspec.matchConditions[0].name: Invalid "
	                "value: \"!\": name part must "
	                "consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
	                "alphanumeric character (e.g. "
	                "'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
	                "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"},
	        {"{" RULES(RULE) ",'auditAnnotations':[{'key':'a','valueExpression':'null'},{'key':'a','"
	                         "valueExpression':'null'}]}",
	                "spec.auditAnnotations[1].key: Duplicate value: \"a\""},
	        {"{" RULES(RULE) ",'auditAnnotations':[{'key':'a/b','valueExpression':'1'}]}",
	                "spec.auditAnnotations[0].key: Invalid value: \"p.q/a/b\": " NAME_PART
	                "\nspec.auditAnnotations[0].valueExpression: Invalid value: \"1\": must evaluate to one of "
	                "[string null_type] but got int"},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		says(policy_defaults, policy_validate, rows[i][0], rows[i][1]);
	arena_release(&arena);
}

static void what_is_absent_is_filled_in(void **state)
{
	struct json *object = parse("{'spec':{" RULES(RULE) "}}");
	CLEANUP(cleanup_strbuf) struct strbuf b = STRBUF_INIT;
	policy_defaults(&arena, object);
	json_write(&b, object);
	assert_string_equal(strbuf_cstr(&b), "{\"spec\":{\"matchConstraints\":{\"resourceRules\":[{\"apiGroups\":[\"*"
	                                     "\"],\"apiVersions\":[\"v1\"],\"operations\":["
	                                     "\"CREATE\"],\"resources\":[\"pods\"],\"scope\":\"*\"}],\"matchPolicy\":"
	                                     "\"Equivalent\",\"namespaceSelector\":{},"
	                                     "\"objectSelector\":{}},\"failurePolicy\":\"Fail\"}}");
	arena_release(&arena);
}

static void bindings(void **state)
{
	static const char *const rows[][2] = {
	        {"{'policyName':'p','validationActions':['Deny']}", ""},
	        {"{'validationActions':['Deny']}", "spec.policyName: Required value"},
	        {"{'policyName':'p'}",
	                "spec.validationActions: Required value: at least one validation action is required"},
	        {"{'policyName':'p','validationActions':['Deny','Deny']}",
	                "spec.validationActions[1]: Duplicate value: \"Deny\""},
	        {"{'policyName':'p','validationActions':['Shout']}",
	                "spec.validationActions[0]: Unsupported value: \"Shout\": supported values: \"Audit\", "
	                "\"Deny\", \"Warn\""},
	        {"{'policyName':'p','validationActions':['Deny'],'paramRef':{'name':'x','selector':{}}}",
	                "spec.paramRef.name: Forbidden: name and selector are mutually "
	                "exclusive\nspec.paramRef.selector: Forbidden: name and selector are mutually "
	                "exclusive\nspec.paramRef.parameterNotFoundAction: Required value"},
	        {"{'policyName':'p','validationActions':['Warn','Deny'],'paramRef':{'name':'a/b','"
	         "parameterNotFoundAction':'Ask'}}",
	                "spec.paramRef.name: Invalid value: \"a/b\": may not contain "
	                "'/'\nspec.paramRef.parameterNotFoundAction: Unsupported value: \"Ask\": supported values: "
	                "\"Deny\", \"Allow\"\nspec.validationActions: Invalid value: "
	                "[]admissionregistration.ValidationAction{\"Warn\", \"Deny\"}: must not contain both Deny and "
	                "Warn (repeating the same validation failure information in the API response and headers "
	                "serves "
	                "no purpose)"},
	        {"{'policyName':'p','validationActions':['Deny'],'matchResources':{'matchPolicy':'Odd',"
	         "'namespaceSelector':{'matchLabels':{'a':'!'}}}}",
	                "spec.matchResouces.matchPolicy: Unsupported value: \"Odd\": supported values: \"Equivalent\", "
	                "\"Exact\"\nspec.matchResouces.namespaceSelector.matchLabels: Invalid value: \"!\": a valid "
	                "label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and "
	                "must "
	                "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', "
	                "regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"},
	        {"{'policyName':'p','validationActions':['Deny'],'paramRef':{'parameterNotFoundAction':'Deny'}}",
	                "spec.paramRef: Required value: one of name or selector must be specified"},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		says(policy_binding_defaults, policy_binding_validate, rows[i][0], rows[i][1]);
	arena_release(&arena);
}

/* Conditions that an older server let in may stay, as long as nothing of them or of paramKind changes. */
static void conditions_that_were_there_stay(void **state)
{
#define ODD "'matchConditions':[{'name':'!','expression':'nobody.knows'}]"
	static const char now[] = "{" RULES(RULE) "," TRUE "," ODD ",'failurePolicy':'Ignore'}";
	struct json *old = object_of(policy_defaults, "{" RULES(RULE) "," TRUE "," ODD "}");
	says_of(policy_validate, object_of(policy_defaults, now), old, "");
	struct field_errors *e = ARENA_NEW(&arena, struct field_errors);
	field_errors_init(e, &arena);
	policy_validate(e, object_of(policy_defaults, now), NULL);
	assert_int_equal(e->count, 2);
	struct json *other = object_of(policy_defaults, now);
	json_set(&arena, json_get(other, "spec"), "paramKind", parse("{'apiVersion':'v1','kind':'ConfigMap'}"));
	field_errors_init(e, &arena);
	policy_validate(e, other, old);
	assert_int_equal(e->count, 2);
	arena_release(&arena);
}

static void a_status_is_checked_by_itself(void **state)
{
	static const char *const rows[][2] = {
	        {"{}", ""},
	        {"{'typeChecking':{'expressionWarnings':[{'fieldRef':'spec.validations[0].expression','warning':'w'}]}"
	         "}",
	                ""},
	        {"{'typeChecking':{'expressionWarnings':[{}]}}",
	                "status.typeChecking.expressionWarnings[0].warning: Required "
	                "value\nstatus.typeChecking.expressionWarnings[0].fieldRef: Required value"},
	        {"{'conditions':[{'type':'A','status':'Perhaps','reason':'B','lastTransitionTime':'2020-01-01T00:00:"
	         "00Z'"
	         "}]}",
	                "status.conditions[0].status: Unsupported value: \"Perhaps\": supported values: \"False\", "
	                "\"True\", \"Unknown\""},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct json *object = parse(arena_printf(&arena, "{'spec':{},'status':%s}", rows[i][0]));
		says_of(policy_validate_status, object, object, rows[i][1]);
	}
	struct json *odd =
	        parse("{'status':{'typeChecking':{'expressionWarnings':[{'fieldRef':'a[','warning':'w'}]}}}");
	struct field_errors *e = ARENA_NEW(&arena, struct field_errors);
	field_errors_init(e, &arena);
	policy_validate_status(e, odd, odd);
	assert_int_equal(e->count, 1);
	assert_non_null(strstr(e->items[0].message, "invalid JSONPath: "));
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(policies),
	        cmocka_unit_test(what_is_absent_is_filled_in),
	        cmocka_unit_test(bindings),
	        cmocka_unit_test(conditions_that_were_there_stay),
	        cmocka_unit_test(a_status_is_checked_by_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
