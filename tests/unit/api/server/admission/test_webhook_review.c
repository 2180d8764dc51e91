/* AdmissionReviews: the question as it is written, answers that are taken and refused, refusals made of them. */
#include "api/server/admission/webhooks/webhook_review.h"

#include "base/check.h"
#include "tests/unit/unit.h"

#define FRAME "{'kind':'AdmissionReview','apiVersion':'admission.k8s.io/v1','response':"

static struct arena arena;
static struct err err;

static struct slice quoted(const char *text)
{
	char *copy = arena_strdup(&arena, text);
	for (char *p = copy; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	return slice_of(copy);
}

static struct json *parse(const char *text)
{
	struct json *v = json_parse(&arena, quoted(text), NULL, &err);
	assert_non_null(v);
	return v;
}

static void a_question_has_what_is_there(void **state)
{
	CLEANUP(cleanup_strbuf) struct strbuf b = STRBUF_INIT;
	webhook_review_write(
	        &b, "v1", "id", parse("{'subResource':'','name':'x','dryRun':false}"), parse("{'a':1}"), NULL);
	assert_true(slice_eq(strbuf_slice(&b),
	        quoted("{'kind':'AdmissionReview','apiVersion':'admission.k8s.io/v1','request':{'uid':'id','name':'x',"
	               "'dryRun':false,'object':{'a':1},'oldObject':null}}")));
	arena_release(&arena);
}

static void answers_are_checked(void **state)
{
	static const struct {
		const char *text, *version;
		bool may_patch;
		const char *want; /* the error; NULL: none */
	} rows[] = {
	        {FRAME "{'uid':'u','allowed':true}}", "v1", true, NULL},
	        {FRAME "{'uid':'u'}}", "v1", true, NULL},
	        {FRAME "{'uid':'u','allowed':true,'status':null,'warnings':null}}", "v1", true, NULL},
	        {FRAME "{'uid':'other','allowed':true}}", "v1", true, "expected response.uid=\"u\", got \"other\""},
	        {FRAME "null}", "v1", true, "webhook response was absent"},
	        {"{'response':{'uid':'u','allowed':true}}", "v1", true,
	                "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got , Kind="},
	        {"{'response':{'allowed':true,'patch':'W10='}}", "v1beta1", true, NULL},
	        {FRAME "{'uid':'u','allowed':true,'patch':'W10='}}", "v1", true,
	                "webhook returned response.patch but not response.patchType"},
	        {FRAME "{'uid':'u','allowed':true,'patchType':'JSONPatch'}}", "v1", true,
	                "webhook returned response.patchType but not response.patch"},
	        {FRAME "{'uid':'u','allowed':true,'patchType':'Merge','patch':'W10='}}", "v1", true,
	                "invalid value of response.patchType \"Merge\", expected \"JSONPatch\""},
	        {FRAME "{'uid':'u','allowed':true,'patchType':'JSONPatch','patch':'W10='}}", "v1", true, NULL},
	        {FRAME "{'uid':'u','allowed':true,'patchType':'JSONPatch','patch':'W10='}}", "v1", false,
	                "validating webhook may not return response.patch"},
	        {FRAME "{'uid':'u','allowed':true,'patchType':'JSONPatch'}}", "v1", false,
	                "validating webhook may not return response.patchType"},
	        {FRAME "{'uid':'u','allowed':true,'patch':'*'}}", "v1", true, "response.patch is not base64"},
	        {FRAME "{'uid':'u','allowed':'true'}}", "v1", true,
	                "response.allowed is of type string, expected bool"},
	        {FRAME "{'uid':'u','allowed':true,'warnings':[1]}}", "v1", true,
	                "response.warnings has a value of type number, expected string"},
	        {FRAME "{'uid':'u','allowed':true,'auditAnnotations':{'a':{}}}}", "v1", true,
	                "response.auditAnnotations has a value of type object, expected string"},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct webhook_answer answer;
		err = ERR_INIT;
		int rc = webhook_answer_read(
		        &arena, quoted(rows[i].text), rows[i].version, "u", rows[i].may_patch, &answer, &err);
		assert_int_equal(rc, rows[i].want ? ERR_INVAL : 0);
		assert_string_equal(err.msg, rows[i].want ? rows[i].want : "");
	}
	arena_release(&arena);
}

static void an_answer_is_read(void **state)
{
	struct webhook_answer answer;
	err = ERR_INIT;
	assert_int_equal(webhook_answer_read(&arena,
	                         quoted(FRAME "{'uid':'u','allowed':true,'patchType':'JSONPatch','patch':'W10=',"
	                                      "'warnings':['w'],'auditAnnotations':{'k':'v'},'status':{'code':3}}}"),
	                         "v1", "u", true, &answer, &err),
	        0);
	assert_true(answer.is_allowed && slice_is(answer.patch, "[]"));
	assert_true(slice_is(json_str(json_at(answer.warnings, 0)), "w"));
	assert_true(slice_is(json_get_str(answer.annotations, "k"), "v"));
	assert_int_equal(json_get_int(answer.status, "code", 0), 3);
	arena_release(&arena);
}

static void a_refusal_is_a_failure_with_an_errors_code(void **state)
{
	static const struct {
		const char *status, *message;
		int code;
	} rows[] = {
	        {"null", "admission webhook \"w.x.y\" denied the request without explanation", 400},
	        {"{'code':200,'status':'Success'}",
	                "admission webhook \"w.x.y\" denied the request without explanation", 400},
	        {"{'code':403,'reason':'Forbidden'}", "admission webhook \"w.x.y\" denied the request: Forbidden", 403},
	        {"{'code':422,'reason':'Invalid','message':'no'}", "admission webhook \"w.x.y\" denied the request: no",
	                422},
	        {"{'code':9999}", "admission webhook \"w.x.y\" denied the request without explanation", 500},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct json *s = webhook_rejection(&arena, "w.x.y", parse(rows[i].status));
		assert_string_equal(json_cstr(&arena, json_get(s, "message")), rows[i].message);
		assert_int_equal(json_get_int(s, "code", 0), rows[i].code);
		assert_true(slice_is(json_get_str(s, "status"), "Failure"));
	}
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_question_has_what_is_there),
	        cmocka_unit_test(answers_are_checked),
	        cmocka_unit_test(an_answer_is_read),
	        cmocka_unit_test(a_refusal_is_a_failure_with_an_errors_code),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
