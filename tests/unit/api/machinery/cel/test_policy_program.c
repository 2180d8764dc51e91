/* Expressions of admission policies: what is told of them, variables that wait to be asked for, conditions, types. */
#include "api/machinery/cel/policy_program.h"

#include "api/machinery/cel/kube_cel.h"
#include "api/machinery/cel/policy_types.h"
#include "base/check.h"
#include "tests/unit/unit.h"

static struct arena arena;

/* ' stands for ", ` for '. */
static struct json *parse(const char *text)
{
	char *quoted = arena_strdup(&arena, text);
	struct err err = ERR_INIT;
	for (char *p = quoted; *p; p++)
		*p = *p == '\'' ? '"' : *p == '`' ? '\'' : *p;
	struct json *v = json_parse(&arena, slice_of(quoted), NULL, &err);
	if (!v)
		fail_msg("%s: %s", text, err.msg);
	return v;
}

static void collect(void *arg, const char *field, struct slice expression, const char *words)
{
	strbuf_addf(arg, "%s: %.*s\n", field, (int)strcspn(words, "\n"), words);
}

static void faults_are_told_where_they_are(void **state)
{
	static const struct {
		const char *spec, *want;
	} rows[] = {
	        {"{'validations':[{'expression':'object.a == 1'},{'expression':'1'}]}",
	                "validations[1].expression: must evaluate to bool but got int\n"},
	        {"{'validations':[{'expression':'true','messageExpression':'authorizer.path(`/x`)'}]}",
	                "validations[0].messageExpression: compilation failed: ERROR: <input>:1:1: undeclared "
	                "reference to "
	                "'authorizer' (in container '')\n"},
	        {"{'validations':[{'expression':'params.x == 1'}]}",
	                "validations[0].expression: compilation failed: ERROR: <input>:1:1: undeclared reference to "
	                "'params' (in "
	                "container '')\n"},
	        {"{'paramKind':{'kind':'X'},'validations':[{'expression':'params.x == 1'}]}", ""},
	        {"{'variables':[{'name':'a','expression':'variables.b'},{'name':'b','expression':'1'}]}",
	                "variables[0].expression: compilation failed: ERROR: <input>:1:10: undefined field 'b'\n"},
	        {"{'variables':[{'name':'b','expression':'1'},{'name':'a','expression':'variables.b + "
	         "1'}],'validations':[{'expression':"
	         "'variables.a == 2'}]}",
	                ""},
	        {"{'auditAnnotations':[{'key':'k','valueExpression':'1'}]}",
	                "auditAnnotations[0].valueExpression: must evaluate to one of [string null_type] but got "
	                "int\n"},
	        {"{'matchConditions':[{'name':'c','expression':'request.nope'}]}",
	                "matchConditions[0].expression: compilation failed: ERROR: <input>:1:8: undefined field "
	                "'nope'\n"},
	        {"{'validations':[{'expression':'request.namespace == `x` && "
	         "authorizer.requestResource.check(`get`).allowed()'}]}",
	                ""},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		CLEANUP(cleanup_strbuf) struct strbuf b = STRBUF_INIT;
		struct policy_faults faults = {collect, &b};
		policy_program_new(&arena, parse(rows[i].spec), NULL, NULL, &faults);
		assert_string_equal(strbuf_cstr(&b), rows[i].want);
	}
	arena_release(&arena);
}

static void variables_are_evaluated_once_and_when_asked(void **state)
{
	const struct policy_program *p = policy_program_new(&arena,
	        parse("{'variables':[{'name':'bad','expression':'1/0'},{'name':'n','expression':'[1,2,3].map(x, x * "
	              "2).sum()'},{'name':"
	              "'m','expression':'variables.n + 1'}],'validations':[{'expression':'variables.m == 13 && "
	              "variables.n == "
	              "12'},{'expression':'variables.n == 12'},{'expression':'variables.bad == 1'}]}"),
	        NULL, NULL, NULL);
	struct cel_value values[POLICY_VARIABLES_MAX] = {0};
	struct cel_run r = {.arena = &arena, .variables = values, .cost_max = KUBE_CEL_CALL_COST_MAX};
	values[POLICY_VARIABLES] = policy_variables(&arena, p, values);
	assert_true(cel_is_true(cel_run(p->checks[0].program, &r)));
	uint64_t first = r.cost;
	r.cost = 0;
	assert_true(cel_is_true(cel_run(p->checks[1].program, &r)));
	assert_true(first > 40 && r.cost < 10);
	assert_string_equal(cel_error_text(cel_run(p->checks[2].program, &r)),
	        "composited variable \"bad\" fails to evaluate: division by zero");
	arena_release(&arena);
}

static void a_false_condition_decides_over_errors(void **state)
{
	static const struct {
		const char *list;
		enum match_verdict want;
	} rows[] = {{"[]", MATCH_HOLDS}, {"[{'name':'a','expression':'true'}]", MATCH_HOLDS},
	        {"[{'name':'a','expression':'1/0 == 1'},{'name':'b','expression':'false'}]", MATCH_FAILS},
	        {"[{'name':'a','expression':'1/0 == 1'},{'name':'b','expression':'true'}]", MATCH_ERROR},
	        {"[{'name':'a','expression':'nope'}]", MATCH_ERROR},
	        {"[{'name':'a','expression':'[1,2,3].all(x, x < 3)'}]", MATCH_FAILS}};
	struct cel_value values[POLICY_VARIABLES_MAX] = {0};
	struct policy_env env;
	policy_env_init(&env, false, true);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const char *why = NULL;
		const struct match_conditions *m = match_conditions_new(&arena, &env, parse(rows[i].list), NULL, NULL);
		assert_int_equal(match_conditions_ask(m, &arena, values, &why), rows[i].want);
		assert_int_equal(why != NULL, rows[i].want == MATCH_ERROR);
	}
	arena_release(&arena);
}

static void types_of_kinds_are_checked(void **state)
{
	const char *spec =
	        "{'matchConstraints':{'resourceRules':[{'apiGroups':['apps'],'apiVersions':['v1'],'operations':['*'],"
	        "'resources':['deployments','deployments/scale']}]},'validations':[{'expression':'object.spec.replicas "
	        "> "
	        "1'},{'expression':'object.spec.replica > 1'}]}";
	struct json *out = policy_type_check(&arena, parse(spec)), *list = json_get(out, "expressionWarnings");
	assert_int_equal(list->count, 1);
	assert_true(slice_is(json_get_str(list->first, "fieldRef"), "spec.validations[1].expression"));
	assert_true(slice_starts(json_get_str(list->first, "warning"),
	        "apps/v1, Kind=Deployment: ERROR: <input>:1:12: undefined field 'replica'"));
	/* a star names nothing, and a type may hold itself */
	out = policy_type_check(&arena,
	        parse("{'matchConstraints':{'resourceRules':[{'apiGroups':['*','apiextensions.k8s.io'],'apiVersions':['"
	              "v1'],'resources':["
	              "'customresourcedefinitions','*']}]},'validations':[{'expression':'object.spec.versions.all(v, "
	              "has(v.schema.openAPIV3Schema.properties))'}]}"));
	assert_null(json_get(out, "expressionWarnings"));
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(faults_are_told_where_they_are),
	        cmocka_unit_test(variables_are_evaluated_once_and_when_asked),
	        cmocka_unit_test(a_false_condition_decides_over_errors),
	        cmocka_unit_test(types_of_kinds_are_checked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
