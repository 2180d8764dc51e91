/* FieldsV1 in and out. */
#include "tests/unit/api/machinery/fields/unit_fields.h"

static void what_is_read_is_written_in_order(void **state)
{
	static const char *const cases[][2] = {
	        {"{}", "{}"},
	        {"{'f:b':{},'f:a':{}}", "{'f:a':{},'f:b':{}}"},
	        {"{'f:a':{'f:b':{},'.':{}}}", "{'f:a':{'.':{},'f:b':{}}}"},
	        {"{'f:a':{'.':{}}}", "{'f:a':{}}"},
	        {"{'.':{}}", "{}"}, /* the object itself is nobody's */
	        {"{'f:a\\\"b\\n':{}}", "{'f:a\\\"b\\n':{}}"},
	        {"{'k:{ \\\"b\\\": 1, \\\"a\\\":\\\"x\\\" }':{}}", "{'k:{\\\"a\\\":\\\"x\\\",\\\"b\\\":1}':{}}"},
	        {"{'v: \\\"x\\\"':{},'v:7':{},'i:0':{}}", "{'i:0':{},'v:\\\"x\\\"':{},'v:7':{}}"},
	        {"{'f:':{}}", "{'f:':{}}"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_set(set_of(cases[i][0]), cases[i][1]);
}

static void what_is_no_fields_v1_is_refused(void **state)
{
	static const char *const bad[] = {"[]", "7", "", "{'f:a':1}", "{'f:a':[]}", "{'x:a':{}}", "{'a':{}}", "{'':{}}",
	        "{'.':{'f:a':{}}}", "{'.':1}", "{'k:x':{}}", "{'k:{}':{}}", "{'k:[1]':{}}", "{'k:{\\\"a\\\":[]}':{}}",
	        "{'v:':{}}", "{'v:{':{}}", "{'i:x':{}}", "{'f:a':{},'f:a':{}}", "{'f:a':{}"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err err = ERR_INIT;
		struct json_scan scan;
		json_scan_init(&scan, slice_of(quoted(bad[i])));
		if (fields_v1_read(&a, &scan, false, &err))
			fail_msg("%s is taken", bad[i]);
		assert_int_equal(err.code, ERR_INVAL);
		assert_true(err.msg[0] != 0);
	}
}

static void depth_is_bounded(void **state)
{
	for (int depth = 60; depth <= 70; depth++) {
		struct strbuf text = STRBUF_INIT;
		struct json_scan scan;
		for (int i = 1; i < depth; i++)
			strbuf_adds(&text, "{\"f:a\":");
		strbuf_adds(&text, "{}");
		for (int i = 1; i < depth; i++)
			strbuf_addc(&text, '}');
		json_scan_init(&scan, strbuf_slice(&text));
		assert_int_equal(fields_v1_read(&a, &scan, false, NULL) != NULL, depth <= API_TREE_DEPTH_MAX);
		strbuf_release(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(what_is_read_is_written_in_order, release),
	        cmocka_unit_test_teardown(what_is_no_fields_v1_is_refused, release),
	        cmocka_unit_test_teardown(depth_is_bounded, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
