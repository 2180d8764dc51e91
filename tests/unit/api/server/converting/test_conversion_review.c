/* ConversionReviews: the question as it is written, and what of an answer is taken. */
#include "api/server/converting/conversion_review.h"

#include "base/check.h"
#include "tests/unit/unit.h"

#define FRAME "{'kind':'ConversionReview','apiVersion':'apiextensions.k8s.io/v1','response':"
#define OK "'result':{'status':'Success'}"
#define ORIGINAL \
	"{'apiVersion':'g/" \
	"v1','kind':'K','metadata':{'name':'n','namespace':'s','uid':'u','generation':3,'labels':{'l':'1'}}}"

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

static void a_question_is_written(void **state)
{
	CLEANUP(cleanup_strbuf) struct strbuf b = STRBUF_INIT;
	conversion_review_write(&b, "v1", "id", "g/v2", SLICE("{},{}"));
	assert_true(slice_eq(strbuf_slice(&b),
	        quoted("{'kind':'ConversionReview','apiVersion':'apiextensions.k8s.io/v1','request':{'uid':'id',"
	               "'desiredAPIVersion':'g/v2','objects':[{},{}]}}")));
	assert_string_equal(conversion_review_version(parse("['v9','v1beta1','v1']")), "v1beta1");
	assert_null(conversion_review_version(parse("['v9']")));
	assert_null(conversion_review_version(NULL));
	arena_release(&arena);
}

static void answers_are_checked(void **state)
{
	static const struct {
		const char *text, *version, *want; /* the error; NULL: none */
	} rows[] = {
	        {FRAME "{'uid':'id'," OK ",'convertedObjects':[{}]}}", "v1", NULL},
	        {FRAME "{'uid':'id'," OK "}}", "v1", NULL},
	        {FRAME "{'uid':'id'," OK ",'convertedObjects':null}}", "v1", NULL},
	        {FRAME "{'uid':'id'," OK ",'convertedObjects':{}}}", "v1",
	                "response.convertedObjects is of type object, expected array"},
	        {FRAME "{'uid':'x'," OK "}}", "v1", "expected response.uid=\"id\", got \"x\""},
	        {FRAME "{" OK "}}", "v1", "expected response.uid=\"id\", got \"\""},
	        {FRAME "null}", "v1", "no response provided"},
	        {FRAME "{'uid':'id'}}", "v1", "response.result.status was '', not 'Success'"},
	        {FRAME "{'uid':'id','result':{'status':'Failure','message':'why'}}}", "v1", "why"},
	        {FRAME "{'uid':'id'," OK "}}", "v1beta1",
	                "expected webhook response of apiextensions.k8s.io/v1beta1, Kind=ConversionReview, got "
	                "apiextensions.k8s.io/v1, Kind=ConversionReview"},
	        {"{'kind':'ConversionReview','apiVersion':'apiextensions.k8s.io/v1beta1','response':{" OK "}}",
	                "v1beta1", NULL},
	        {"[]", "v1",
	                "expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got , Kind="},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct json *list = NULL;
		err = ERR_INIT;
		int rc = conversion_review_read(&arena, quoted(rows[i].text), rows[i].version, "id", &list, &err);
		assert_int_equal(rc, rows[i].want ? ERR_INTERNAL : 0);
		assert_string_equal(err.msg, rows[i].want ? rows[i].want : "");
		assert_true(rc != 0 || json_is(list, JSON_ARRAY));
	}
	arena_release(&arena);
}

static void an_object_keeps_what_is_the_servers(void **state)
{
	struct json *now =
	        parse("{'apiVersion':'g/v2','kind':'K','metadata':{'name':'n','namespace':'s','uid':'u',"
	              "'generation':9,'finalizers':['x'],'labels':{'l':'2'},'annotations':{'a':'b'}},'spec':1}");
	err = ERR_INIT;
	assert_int_equal(conversion_review_take(&arena, parse(ORIGINAL), "g/v2", now, 0, &err), 0);
	assert_true(json_equal(
	        now, parse("{'apiVersion':'g/v2','kind':'K','metadata':{'name':'n','namespace':'s',"
	                   "'uid':'u','generation':3,'labels':{'l':'2'},'annotations':{'a':'b'}},'spec':1}")));
	now = parse("{'apiVersion':'g/v2','kind':'K','metadata':{'name':'n','namespace':'s','uid':'u'}}");
	assert_int_equal(conversion_review_take(&arena, parse(ORIGINAL), "g/v2", now, 0, &err), 0);
	assert_null(json_path(now, "metadata", "labels", NULL)); /* taken away */
	arena_release(&arena);
}

static void another_object_is_refused(void **state)
{
	static const struct {
		const char *members, *want;
	} rows[] = {
	        {"'apiVersion':'g/v1','kind':'K'",
	                "returned invalid object at index 7: invalid groupVersion (expected g/v2, received g/v1)"},
	        {"'apiVersion':'g/v2','kind':'L'",
	                "returned invalid object at index 7: invalid kind (expected K, received L)"},
	        {"'apiVersion':'g/v2','kind':'K'", "returned invalid object: must have the same name: n != "},
	        {"'apiVersion':'g/v2','kind':'K','metadata':{'name':'n','namespace':'s','uid':'x'}",
	                "returned invalid object: must have the same UID: u != x"},
	        {"'apiVersion':'g/v2','kind':'K','metadata':{'name':'n','namespace':'s','uid':'u','labels':[]}",
	                "returned invalid metadata: invalid metadata.labels of type array in converted object"},
	        {"'apiVersion':'g/"
	         "v2','kind':'K','metadata':{'name':'n','namespace':'s','uid':'u','annotations':{'a':1}}",
	                "returned invalid metadata: metadata.annotations[a] must be a string, but is number in "
	                "converted "
	                "object"},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct json *now = parse(arena_printf(&arena, "{%s}", rows[i].members));
		err = ERR_INIT;
		assert_int_equal(conversion_review_take(&arena, parse(ORIGINAL), "g/v2", now, 7, &err), ERR_INTERNAL);
		assert_string_equal(err.msg, rows[i].want);
	}
	err = ERR_INIT; /* what was there may be odd; what is new may not */
	struct json *odd = parse("{'apiVersion':'g/v2','kind':'K','metadata':{'name':'n','namespace':'s','uid':'u',"
	                         "'labels':{'!':'1'}}}");
	assert_int_equal(conversion_review_take(&arena, parse(ORIGINAL), "g/v2", odd, 0, &err), ERR_INTERNAL);
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_question_is_written),
	        cmocka_unit_test(answers_are_checked),
	        cmocka_unit_test(an_object_keeps_what_is_the_servers),
	        cmocka_unit_test(another_object_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
