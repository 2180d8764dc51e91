/* JSON patches by the examples of RFC 6902, merge patches by those of RFC 7386, and their limits. */
#include "tests/unit/unit_json.h"

#include "api/machinery/patch/patch.h"
#include "base/clock.h"
#include "base/mem/budget.h"

static void assert_json(const struct json *got, const char *want)
{
	struct strbuf text = STRBUF_INIT;
	json_write(&text, got);
	if (!json_equal(got, parse(want)))
		fail_msg("got %s, want %s", strbuf_cstr(&text), want);
	strbuf_release(&text);
}

/* RFC 6902 appendix A, and what it leaves to the reader. want NULL: must fail. */
static void json_patches_follow_rfc_6902(void **state)
{
	static const char *const cases[][3] = {
	        {"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\"}]",
	                "{\"baz\":\"qux\",\"foo\":\"bar\"}"},
	        {"{\"foo\":[\"bar\",\"baz\"]}", "[{\"op\":\"add\",\"path\":\"/foo/1\",\"value\":\"qux\"}]",
	                "{\"foo\":[\"bar\",\"qux\",\"baz\"]}"},
	        {"{\"baz\":\"qux\",\"foo\":\"bar\"}", "[{\"op\":\"remove\",\"path\":\"/baz\"}]", "{\"foo\":\"bar\"}"},
	        {"{\"foo\":[\"bar\",\"qux\",\"baz\"]}", "[{\"op\":\"remove\",\"path\":\"/foo/1\"}]",
	                "{\"foo\":[\"bar\",\"baz\"]}"},
	        {"{\"baz\":\"qux\",\"foo\":\"bar\"}", "[{\"op\":\"replace\",\"path\":\"/baz\",\"value\":\"boo\"}]",
	                "{\"baz\":\"boo\",\"foo\":\"bar\"}"},
	        {"{\"foo\":{\"bar\":\"baz\",\"waldo\":\"fred\"},\"qux\":{\"corge\":\"grault\"}}",
	                "[{\"op\":\"move\",\"from\":\"/foo/waldo\",\"path\":\"/qux/thud\"}]",
	                "{\"foo\":{\"bar\":\"baz\"},\"qux\":{\"corge\":\"grault\",\"thud\":\"fred\"}}"},
	        {"{\"foo\":[\"all\",\"grass\",\"cows\",\"eat\"]}",
	                "[{\"op\":\"move\",\"from\":\"/foo/1\",\"path\":\"/foo/3\"}]",
	                "{\"foo\":[\"all\",\"cows\",\"eat\",\"grass\"]}"},
	        {"{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}",
	                "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"qux\"},{\"op\":\"test\",\"path\":\"/foo/"
	                "1\",\"value\":2}]",
	                "{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}"},
	        {"{\"baz\":\"qux\"}", "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"bar\"}]", NULL},
	        {"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/child\",\"value\":{\"grandchild\":{}}}]",
	                "{\"foo\":\"bar\",\"child\":{\"grandchild\":{}}}"},
	        {"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz/bat\",\"value\":\"qux\"}]", NULL},
	        {"{\"/\":9,\"~1\":10}", "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":10}]", "{\"/\":9,\"~1\":10}"},
	        {"{\"/\":9,\"~1\":10}", "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":\"10\"}]", NULL},
	        {"{\"foo\":[\"bar\"]}", "[{\"op\":\"add\",\"path\":\"/foo/-\",\"value\":[\"abc\",\"def\"]}]",
	                "{\"foo\":[\"bar\",[\"abc\",\"def\"]]}"},
	        {"{\"foo\":[1]}", "[{\"op\":\"add\",\"path\":\"/foo/2\",\"value\":3}]", NULL},
	        {"{\"foo\":[1]}", "[{\"op\":\"remove\",\"path\":\"/foo/1\"}]", NULL},
	        {"{\"foo\":[1]}", "[{\"op\":\"replace\",\"path\":\"/bar\",\"value\":3}]", NULL},
	        {"{\"foo\":1}",
	                "[{\"op\":\"copy\",\"from\":\"/foo\",\"path\":\"/bar\"},{\"op\":\"replace\",\"path\":\"/"
	                "foo\",\"value\":2}]",
	                "{\"foo\":2,\"bar\":1}"},
	        {"{\"foo\":{\"bar\":1}}", "[{\"op\":\"move\",\"from\":\"/foo\",\"path\":\"/foo/bar\"}]", NULL},
	        {"{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"\",\"value\":{\"b\":2}}]", "{\"b\":2}"},
	        {"{\"a\":1}", "[]", "{\"a\":1}"},
	        {"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"a\",\"value\":1}]", NULL},
	        {"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/b\"}]", NULL},
	        {"{\"a\":1}", "[{\"path\":\"/b\",\"value\":1}]", NULL},
	        {"{\"a\":1}", "[7]", NULL},
	        {"{\"a\":1}", "{}", NULL},
	        {"{\"a\":[1]}", "[{\"op\":\"add\",\"path\":\"/a/01\",\"value\":1}]", NULL},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct json *object = parse(cases[i][0]);
		struct err err = ERR_INIT;
		int rc = patch_json_apply(&a, &object, parse(cases[i][1]), &err);
		if (!cases[i][2]) {
			if (rc == 0)
				fail_msg("case %zu applies", i);
			assert_true(err.msg[0] != 0);
			continue;
		}
		if (rc != 0)
			fail_msg("case %zu: %s", i, err.msg);
		assert_json(object, cases[i][2]);
	}
}

/* RFC 7386 appendix A. */
static void merge_patches_follow_rfc_7386(void **state)
{
	static const char *const cases[][3] = {
	        {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
	        {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
	        {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
	        {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
	        {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
	        {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
	        {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
	        {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
	        {"{\"a\":\"foo\"}", "null", "null"},
	        {"{\"a\":\"foo\"}", "\"bar\"", "\"bar\""},
	        {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
	        {"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
	        {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_json(patch_merge_apply(&a, parse(cases[i][0]), parse(cases[i][1])), cases[i][2]);
}

/* Copies double the object each time: they must end before memory does. */
static void copies_cannot_grow_without_end(void **state)
{
	struct strbuf text = STRBUF_INIT;
	struct err err = ERR_INIT;
	struct json *object = parse("{\"a\":{\"text\":\"0123456789012345678901234567890123456789\"}}");
	strbuf_adds(&text, "[");
	for (int i = 0; i < 60; i++)
		strbuf_addf(&text, "%s{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/c%d\"}", i ? "," : "", i);
	strbuf_adds(&text, "]");
	assert_int_not_equal(patch_json_apply(&a, &object, parse(strbuf_cstr(&text)), &err), 0);
	strbuf_release(&text);
}

/* Objects as large as a body can be: anything quadratic takes minutes. */
static void large_objects_take_linear_time(void **state)
{
	enum { MEMBERS = 60000 };
	struct strbuf one = STRBUF_INIT, other = STRBUF_INIT, test = STRBUF_INIT;
	struct err err = ERR_INIT;
	strbuf_adds(&one, "{\"o\":{");
	strbuf_adds(&other, "{\"o\":{");
	strbuf_adds(&test, "[{\"op\":\"test\",\"path\":\"/o\",\"value\":{");
	for (int i = 0; i < MEMBERS; i++) {
		strbuf_addf(&one, "%s\"k%d\":0", i ? "," : "", i);
		strbuf_addf(&other, "%s\"n%d\":0,\"k%d\":null", i ? "," : "", i, MEMBERS - 1 - i);
		strbuf_addf(&test, "%s\"k%d\":0", i ? "," : "", MEMBERS - 1 - i);
	}
	strbuf_adds(&one, "}}");
	strbuf_adds(&other, "}}");
	strbuf_adds(&test, "}}]");
	uint64_t began = clock_mono_ms();
	struct json *object = parse(strbuf_cstr(&one));
	assert_int_equal(patch_json_apply(&a, &object, parse(strbuf_cstr(&test)), &err), 0);
	object = patch_merge_apply(&a, object, parse(strbuf_cstr(&other)));
	assert_int_equal(json_get(object, "o")->count, MEMBERS);
	assert_true(clock_mono_ms() - began < 10000);
	strbuf_release(&one);
	strbuf_release(&other);
	strbuf_release(&test);
}

static void what_an_operation_needs_is_named(void **state)
{
	static const char *const bad[][2] = {
	        {"[{\"op\":\"move\",\"path\":\"/a\"}]", "\"from\""},
	        {"[{\"op\":\"copy\",\"path\":\"/a\",\"from\":7}]", "\"from\""},
	        {"[{\"op\":\"add\",\"path\":\"/a\"}]", "\"value\""},
	        {"[{\"op\":\"remove\"}]", "\"path\""},
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err err = ERR_INIT;
		struct json *object = parse("{\"a\":1}");
		assert_int_equal(patch_json_apply(&a, &object, parse(bad[i][0]), &err), ERR_INVAL);
		assert_non_null(strstr(err.msg, bad[i][1]));
	}
}

static void a_patch_is_given_up_when_its_time_is_over(void **state)
{
	struct err err = ERR_INIT;
	struct budget over = BUDGET(0, 1);
	struct json *object = parse("{}"), *patch = parse("[{\"op\":\"add\",\"path\":\"/a\",\"value\":1}]");
	a.budget = &over;
	assert_int_equal(patch_json_apply(&a, &object, patch, &err), ERR_TIMEOUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(json_patches_follow_rfc_6902, release),
	        cmocka_unit_test_teardown(merge_patches_follow_rfc_7386, release),
	        cmocka_unit_test_teardown(copies_cannot_grow_without_end, release),
	        cmocka_unit_test_teardown(large_objects_take_linear_time, release),
	        cmocka_unit_test_teardown(what_an_operation_needs_is_named, release),
	        cmocka_unit_test_teardown(a_patch_is_given_up_when_its_time_is_over, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
