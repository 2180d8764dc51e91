/* Webhook configurations: what is filled in, and what is refused. */
#include "api/machinery/rules/admission/admission_webhook.h"

#include "base/check.h"
#include "tests/unit/unit.h"

#define URL "'clientConfig':{'url':'https://h/p'}"
#define REST "'sideEffects':'None','admissionReviewVersions':['v1']"
#define NAME "'name':'a.b.c'"
#define HOOK(client) "{" NAME "," REST ",'clientConfig':{" client "}}"

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

static struct json *object_of(const char *hooks)
{
	struct json *object = parse(arena_printf(&arena, "{'webhooks':[%s]}", hooks));
	webhook_mutating_defaults(&arena, object);
	return object;
}

static void says_after(const char *hooks, const struct json *old, const char *want)
{
	struct field_errors *e = ARENA_NEW(&arena, struct field_errors);
	CLEANUP(cleanup_strbuf) struct strbuf b = STRBUF_INIT;
	field_errors_init(e, &arena);
	webhook_mutating_validate(e, object_of(hooks), old);
	for (size_t i = 0; i < e->count; i++)
		strbuf_addf(&b, "%s%s: %s", i ? "\n" : "", e->items[i].field, e->items[i].message);
	assert_string_equal(strbuf_cstr(&b), want);
}

static void says(const char *hooks, const char *want)
{
	says_after(hooks, NULL, want);
}

static void hooks_are_checked(void **state)
{
	static const char *const rows[][2] = {
	        {"{" NAME "," URL "," REST "}", ""},
	        {"{" NAME "," URL "," REST "},{" NAME "," URL "," REST "}",
	                "webhooks[1].name: Duplicate value: \"a.b.c\""},
	        {"{'name':'a.b'," URL "," REST "}",
	                "webhooks[0].name: Invalid value: \"a.b\": should be a domain with at least three segments "
	                "separated by dots"},
	        {"{" URL "," REST "}", "webhooks[0].name: Required value"},
	        {"{" NAME "," URL ",'sideEffects':null,'admissionReviewVersions':['v1']}",
	                "webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun"},
	        {"{" NAME "," URL ",'sideEffects':'Some','admissionReviewVersions':['v1']}",
	                "webhooks[0].sideEffects: Unsupported value: \"Some\": supported values: \"None\", "
	                "\"NoneOnDryRun\""},
	        {"{" NAME "," URL ",'sideEffects':'None'}",
	                "webhooks[0].admissionReviewVersions: Required value: must specify one of v1, v1beta1"},
	        {"{" NAME "," URL ",'sideEffects':'None','admissionReviewVersions':['v2','v2']}",
	                "webhooks[0].admissionReviewVersions[1]: Invalid value: \"v2\": duplicate "
	                "version\nwebhooks[0].admissionReviewVersions: Invalid value: []string{\"v2\", \"v2\"}: must "
	                "include at least one of v1, v1beta1"},
	        {"{" NAME "," URL "," REST ",'timeoutSeconds':0}",
	                "webhooks[0].timeoutSeconds: Invalid value: 0: the timeout value must be between 1 and 30 "
	                "seconds"},
	        {"{" NAME "," URL "," REST ",'reinvocationPolicy':'Always'}",
	                "webhooks[0].reinvocationPolicy: Unsupported value: \"Always\": supported values: "
	                "\"IfNeeded\", \"Never\""},
	        {"{" NAME "," URL "," REST ",'matchConditions':[{'name':'x','expression':'object.a == 1'}]}", ""},
	        {"{" NAME "," URL "," REST ",'failurePolicy':''}",
	                "webhooks[0].failurePolicy: Unsupported value: \"\": supported values: \"Fail\", \"Ignore\""},
	        {"{" NAME "," URL "," REST ",'matchPolicy':'Odd'}",
	                "webhooks[0].matchPolicy: Unsupported value: \"Odd\": supported values: \"Equivalent\", "
	                "\"Exact\""},
	        /* names and expressions are looked at alike */
	        {"{" NAME "," URL "," REST ",'matchConditions':[{'name':'x','expression':'1'},{'name':'x','expression':"
	         "'params.a'},{}]}",
	                "webhooks[0].matchConditions[1].name: Duplicate value: "
	                "\"x\"\nwebhooks[0].matchConditions[2].expression: Required "
	                "value\nwebhooks[0].matchConditions[2].name: Required "
	                "value\nwebhooks[0].matchConditions[0].expression: Invalid value: \"1\": must evaluate to bool "
	                "but got int\nwebhooks[0].matchConditions[1].expression: Invalid value: \"params.a\": "
	                "compilation "
	                "failed: ERROR: <input>:1:1: undeclared reference to 'params' (in container '')\n | "
	                "params.a\n | ^"},
	        {HOOK(""), "webhooks[0].clientConfig: Required value: exactly one of url or service is required"},
	        {HOOK("'url':'https://h','service':{'name':'n','namespace':'s'}"),
	                "webhooks[0].clientConfig: Required value: exactly one of url or service is required"},
	        {HOOK("'url':'http://h'"), "webhooks[0].clientConfig.url: Invalid value: \"http\": 'https' is the only "
	                                   "allowed URL scheme; "
	                                   "desired format: https://host[/path]"},
	        {HOOK("'url':'https:///p'"),
	                "webhooks[0].clientConfig.url: Invalid value: \"\": host must be specified; desired format: "
	                "https://host[/path]"},
	        {HOOK("'url':'https://u:p@h'"), "webhooks[0].clientConfig.url: Invalid value: \"u:p\": user "
	                                        "information is not permitted in the "
	                                        "URL"},
	        {HOOK("'url':'https://h/p?q=1'"),
	                "webhooks[0].clientConfig.url: Invalid value: \"q=1\": query parameters are not permitted in "
	                "the URL"},
	        {HOOK("'url':'https://h/p#f?x'"),
	                "webhooks[0].clientConfig.url: Invalid value: \"f?x\": fragments are not permitted in the URL"},
	        {HOOK("'url':'https://h/a b'"),
	                "webhooks[0].clientConfig.url: Required value: url must be a valid URL: it has an odd "
	                "character; desired format: https://host[/path]"},
	        {HOOK("'service':{'name':'n','namespace':'s','path':'/a/b/'}"), ""},
	        {HOOK("'service':{'port':70000}"),
	                "webhooks[0].clientConfig.service.name: Required value: service name is "
	                "required\nwebhooks[0].clientConfig.service.namespace: Required value: service namespace is "
	                "required\nwebhooks[0].clientConfig.service.port: Invalid value: 70000: port is not valid: "
	                "must be between 1 and 65535, inclusive"},
	        {HOOK("'service':{'name':'n','namespace':'s','path':'a'}"),
	                "webhooks[0].clientConfig.service.path: Invalid value: \"a\": must start with a "
	                "'/'\nwebhooks[0].clientConfig.service.path: Invalid value: \"a\": segment[0] may not be "
	                "empty"},
	        {HOOK("'service':{'name':'n','namespace':'s','path':'/a//b'}"),
	                "webhooks[0].clientConfig.service.path: Invalid value: \"/a//b\": segment[1] may not be empty"},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		says(rows[i][0], rows[i][1]);
	arena_release(&arena);
}

/* Each of these an older server let in; a configuration that has it may have it again, and no other. */
static void what_was_let_in_may_stay(void **state)
{
	static const char *const rows[][2] = {
	        {"{" NAME "," URL ",'sideEffects':'Some','admissionReviewVersions':['v1']}",
	                "webhooks[0].sideEffects: Unsupported value: \"Some\": supported values: \"None\", "
	                "\"NoneOnDryRun\""},
	        {"{" NAME "," URL ",'sideEffects':'None','admissionReviewVersions':['v2']}",
	                "webhooks[0].admissionReviewVersions: Invalid value: []string{\"v2\"}: must include at least "
	                "one of v1, v1beta1"},
	        {"{" NAME "," URL "," REST "},{" NAME "," URL "," REST "}",
	                "webhooks[1].name: Duplicate value: \"a.b.c\""},
	        {"{" NAME "," URL "," REST ",'objectSelector':{'matchExpressions':[{'key':'a','operator':'In'}]}}",
	                "webhooks[0].objectSelector.matchExpressions[0].values: Required value: must be specified when "
	                "`operator` is 'In' or 'NotIn'"},
	        {"{" NAME "," URL "," REST ",'matchConditions':[{'name':'x','expression':' '}]}",
	                "webhooks[0].matchConditions[0].expression: Required value"},
	};
	const struct json *other = object_of("{" NAME "," URL "," REST "}");
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		says_after(rows[i][0], object_of(rows[i][0]), "");
		says_after(rows[i][0], other, rows[i][1]);
	}
	says_after("{" NAME "," URL ",'sideEffects':'Odd','admissionReviewVersions':['v1']}", object_of(rows[0][0]),
	        "webhooks[0].sideEffects: Unsupported value: \"Odd\": supported values: \"None\", \"NoneOnDryRun\", "
	        "\"Some\", \"Unknown\"");
	arena_release(&arena);
}

static void what_is_absent_is_filled_in(void **state)
{
	struct json *object = parse("{'webhooks':[{'clientConfig':{'service':{}},'rules':[{}]}]}");
	struct json *want =
	        parse("{'clientConfig':{'service':{'port':443}},'rules':[{'scope':'*'}],'failurePolicy':'Fail',"
	              "'matchPolicy':'Equivalent','namespaceSelector':{},'objectSelector':{},"
	              "'timeoutSeconds':10}");
	struct json *validating = json_copy(&arena, object);
	webhook_validating_defaults(&arena, validating);
	assert_true(json_equal(json_at(json_get(validating, "webhooks"), 0), want));
	webhook_mutating_defaults(&arena, object);
	json_set_cstr(&arena, want, "reinvocationPolicy", "Never");
	assert_true(json_equal(json_at(json_get(object, "webhooks"), 0), want));
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(hooks_are_checked),
	        cmocka_unit_test(what_was_let_in_may_stay),
	        cmocka_unit_test(what_is_absent_is_filled_in),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
