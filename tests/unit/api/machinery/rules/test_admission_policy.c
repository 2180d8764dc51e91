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

static void says(void (*defaults)(struct arena *, struct json *),
        void (*validate)(struct field_errors *, const struct json *, const struct json *), const char *spec,
        const char *want)
{
	struct json *object = parse(arena_printf(&arena, "{'spec':%s}", spec));
	struct field_errors *e = ARENA_NEW(&arena, struct field_errors);
	CLEANUP(cleanup_strbuf) struct strbuf b = STRBUF_INIT;
	field_errors_init(e, &arena);
	defaults(&arena, object);
	validate(e, object, NULL);
	for (size_t i = 0; i < e->count; i++)
		strbuf_addf(&b, "%s%s: %s", i ? "\n" : "", e->items[i].field, e->items[i].message);
	assert_string_equal(strbuf_cstr(&b), want);
}

#define RULES(rule) "'matchConstraints':{'resourceRules':[{" rule "}]}"
#define RULE "'apiGroups':['*'],'apiVersions':['v1'],'operations':['CREATE'],'resources':['pods']"
#define TRUE "'validations':[{'expression':'true'}]"

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
	        {"{" RULES("'apiGroups':['*','x'],'apiVersions':['v1'],'operations':['*','CREATE'],'resources':['*','"
	                   "pods']") "," TRUE "}",
	                "spec.matchConstraints.resourceRules[0].apiGroups: Invalid value: [...]: if '*' is present, "
	                "must not specify other API "
	                "groups\nspec.matchConstraints.resourceRules[0].resources[1]: Invalid value: \"pods\": if '*' "
	                "is present, must not "
	                "specify other resources without "
	                "subresources\nspec.matchConstraints.resourceRules[0].operations: Invalid value: [...]: "
	                "if '*' is present, must not specify other operations"},
	        {"{" RULES("'apiGroups':['*'],'apiVersions':['v1'],'operations':['CREATE'],'resources':['pods/*','pods/"
	                   "status']") "," TRUE "}",
	                "spec.matchConstraints.resourceRules[0].resources[1]: Invalid value: \"pods/status\": if "
	                "'pods/*' is present, must not "
	                "specify pods/status"},
	        {"{" RULES(RULE ",'scope':'Moon'") "," TRUE "}",
	                "spec.matchConstraints.resourceRules[0].scope: Unsupported value: \"Moon\": supported values: "
	                "\"*\", \"Cluster\", "
	                "\"Namespaced\""},
	        {"{" RULES(RULE ",'resourceNames':['a','a']") "," TRUE "}",
	                "spec.matchConstraints.resourceRules[0].resourceNames[1]: Duplicate value: \"a\""},
	        {"{'paramKind':{}," RULES(RULE) "," TRUE "}",
	                "spec.paramKind.apiVersion: Required value\nspec.paramKind.kind: Required value"},
	        {"{" RULES(RULE) ",'validations':[{'expression':' '}]}",
	                "spec.validations[0].expression: Required value: expression is not specified"},
	        {"{" RULES(RULE) "," TRUE ",'variables':[{'name':'1a','expression':'1'}]}",
	                "spec.variables[0].name: Invalid value: \"1a\": name is not a valid CEL identifier"},
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
	                "exclusive\nspec.paramRef.parameterNotFoundAction: Required "
	                "value"},
	        {"{'policyName':'p','validationActions':['Deny'],'paramRef':{'parameterNotFoundAction':'Deny'}}",
	                "spec.paramRef: Required value: one of name or selector must be specified"},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		says(policy_binding_defaults, policy_binding_validate, rows[i][0], rows[i][1]);
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(policies),
	        cmocka_unit_test(what_is_absent_is_filled_in),
	        cmocka_unit_test(bindings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
