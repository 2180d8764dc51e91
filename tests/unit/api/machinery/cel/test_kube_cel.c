/* Functions that know Kubernetes: quantities, named formats, the authorizer; and types from schemas. */
#include "api/machinery/cel/kube_cel.h"

#include "api/machinery/cel/authorizer.h"
#include "api/machinery/cel/schema_type.h"
#include "tests/unit/base/cel/cel_rows.h"

static void rows_hold(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		expect_row(kube_cel_env(), &rows[i], NULL, NULL);
}

static void quantities(void **state)
{
	static const struct row rows[] = {{"quantity('1Gi').isGreaterThan(quantity('500Mi'))", "true"},
	        {"quantity('1000m') == quantity('1')", "true"}, {"isQuantity('1x')", "false"},
	        {"isQuantity('1.5Gi')", "true"}, {"quantity('x')", "error: quantities must match"},
	        {"quantity('50k').asInteger()", "50000"},
	        {"quantity('1.5').asInteger()", "error: cannot convert value to integer"},
	        {"quantity('1.5').isInteger()", "false"}, {"quantity('1.5').asApproximateFloat()", "1.5"},
	        {"quantity('1').add(quantity('2')).add(3).asInteger()", "6"}, {"quantity('1').sub(2).sign()", "-1"},
	        {"sign(quantity('5'))", "1"}, {"quantity('1').compareTo(quantity('2'))", "-1"},
	        {"quantity('1').isLessThan(quantity('2'))", "true"}};
	rows_hold(rows, COUNT_OF(rows));
}

static void named_formats(void **state)
{
	static const struct row rows[] = {{"format.dns1123Label().validate('abc').hasValue()", "false"},
	        {"format.dns1123Label().validate('Abc').value()[0].startsWith('a lowercase RFC 1123 label')", "true"},
	        {"format.dns1123Label().validate('abc-').hasValue()", "true"},
	        {"format.dns1123LabelPrefix().validate('abc-').hasValue()", "false"},
	        {"format.dns1123Subdomain().validate('a.b').hasValue()", "false"},
	        {"format.dns1035Label().validate('1a').hasValue()", "true"},
	        {"format.qualifiedName().validate('a.b/c').hasValue()", "false"},
	        {"format.qualifiedName().validate('a/b/c').hasValue()", "true"},
	        {"format.labelValue().validate('').hasValue()", "false"},
	        {"format.labelValue().validate('-').hasValue()", "true"},
	        {"format.uri().validate('https://a').hasValue()", "false"},
	        {"format.uri().validate('a').hasValue()", "true"},
	        {"format.uuid().validate('123e4567-e89b-12d3-a456-426614174000').hasValue()", "false"},
	        {"format.uuid().validate('x').value()", "[does not match the UUID format]"},
	        {"format.byte().validate('aGk=').hasValue()", "false"},
	        {"format.date().validate('2024-02-30').hasValue()", "true"},
	        {"format.datetime().validate('2024-02-29T00:00:00Z').hasValue()", "false"},
	        {"format.named('dns1123Label').value() == format.dns1123Label()", "true"},
	        {"format.named('nope').hasValue()", "false"}, {"format.nope()", "compile: undeclared reference"}};
	rows_hold(rows, COUNT_OF(rows));
}

static void answer(void *arg, struct arena *a, const struct kube_question *q, struct kube_answer *ret)
{
	ret->allowed = slice_is(q->verb, "get") && (slice_is(q->resource, "pods") || slice_is(q->path, "/healthz"));
	ret->reason =
	        arena_printf(a, "%.*s/%.*s/%.*s", SLICE_FMT(q->ns), SLICE_FMT(q->name), SLICE_FMT(q->service_account));
}

static void an_authorizer_is_asked(void **state)
{
	static const struct row rows[] = {{"a.path('/healthz').check('get').allowed()", "true"},
	        {"a.group('').resource('pods').namespace('n').name('x').check('get').reason()", "n/x/"},
	        {"a.serviceAccount('ns', 'sa').group('').resource('secrets').check('get').allowed()", "false"},
	        {"a.serviceAccount('ns', 'sa').group('').resource('secrets').check('get').reason()", "//sa"},
	        {"a.group('').resource('pods').check('get').errored()", "false"},
	        {"a.group('').check('get')", "compile: no matching overload"},
	        {"a.path('/a').check('get').allowed() || a.path('/b').check('get').allowed() || "
	         "a.path('/c').check('get').allowed()",
	                "error: " CEL_OVER_BUDGET}};
	struct kube_authorizer z = {.check = answer};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct arena a = ARENA_INIT;
		struct strbuf words = STRBUF_INIT;
		const struct cel_variable vars[] = {{"a", &kube_authorizer_type}};
		struct cel_value value = kube_authorizer_value(&a, &z);
		const struct cel_program *p = cel_compile(&a, kube_cel_env(), vars, 1, slice_of(rows[i].text), &words);
		struct cel_run r = {.arena = &a, .variables = &value, .cost_max = KUBE_CEL_CALL_COST_MAX};
		struct cel_value v = p ? cel_run(p, &r) : cel_null();
		const char *got = !p ? arena_printf(&a, "compile: %s", strbuf_cstr(&words)) : cel_show(&r, v);
		const char *want = strstr(rows[i].result, ": ");
		if (want && v.kind == CEL_ERROR)
			assert_string_equal(got, want + 2);
		else if (want)
			assert_non_null(strstr(got, want + 2));
		else
			assert_string_equal(got, rows[i].result);
		strbuf_release(&words);
		arena_release(&a);
	}
}

static void schemas_give_types_with_their_sizes(void **state)
{
	static const struct {
		const char *schema, *type;
		uint64_t size_max;
	} rows[] = {{"{\"type\":\"string\",\"maxLength\":5}", "string", 20},
	        {"{\"type\":\"string\",\"enum\":[\"a\",\"abc\"]}", "string", 3},
	        {"{\"type\":\"string\"}", "string", 3145726},
	        {"{\"type\":\"string\",\"format\":\"date-time\"}", "google.protobuf.Timestamp", 32},
	        {"{\"type\":\"string\",\"format\":\"byte\",\"maxLength\":7}", "bytes", 7},
	        {"{\"type\":\"integer\"}", "int", 1},
	        {"{\"type\":\"array\",\"maxItems\":3,\"items\":{\"type\":\"number\"}}", "list(double)", 3},
	        {"{\"type\":\"array\",\"items\":{\"type\":\"boolean\"}}", "list(bool)", 629145},
	        {"{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\"},\"maxProperties\":4}",
	                "map(string, string)", 4},
	        {"{\"x-kubernetes-int-or-string\":true}", "dyn", 3145726},
	        {"{\"x-kubernetes-preserve-unknown-fields\":true}", NULL, 0},
	        {"{\"type\":\"array\",\"items\":{\"x-kubernetes-preserve-unknown-fields\":true}}", NULL, 0}};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct arena a = ARENA_INIT;
		const struct cel_type *t =
		        schema_cel_type(&a, json_parse(&a, slice_of(rows[i].schema), NULL, NULL), false);
		assert_int_equal(t != NULL, rows[i].type != NULL);
		if (t) {
			assert_string_equal(cel_type_text(&a, t), rows[i].type);
			assert_int_equal(t->size_max, rows[i].size_max);
		}
		arena_release(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(quantities),
	        cmocka_unit_test(named_formats),
	        cmocka_unit_test(an_authorizer_is_asked),
	        cmocka_unit_test(schemas_give_types_with_their_sizes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
