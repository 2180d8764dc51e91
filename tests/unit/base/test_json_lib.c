/* The JSON of all that is no API object: what it refuses, and that what it writes can be read. */
#include "base/json_lib.h"

#include "base/limits.h"
#include "base/mem/arena.h"

#include "tests/unit/unit.h"

#include <math.h>

static const char *refusal(struct slice text)
{
	static struct err err;
	err = ERR_INIT;
	assert_null(json_lib_parse(text, &err));
	assert_int_equal(err.code, ERR_INVAL);
	return err.msg;
}

static char *nested(int depth)
{
	static char text[4096];
	memset(text, '[', (size_t)depth);
	memset(text + depth, ']', (size_t)depth);
	text[2 * depth] = 0;
	return text;
}

static void bad_text_is_refused_with_its_place(void **state)
{
	assert_non_null(strstr(refusal(SLICE("")), "offset"));
	assert_non_null(strstr(refusal(SLICE("{\"a\":1,\"a\":2}")), "duplicate"));
	assert_non_null(strstr(refusal(SLICE("{\"a\":1} x")), "offset"));
	assert_non_null(strstr(refusal(SLICE("\"\\u0000\"")), "NUL"));
	assert_non_null(strstr(refusal(SLICE("\"\xff\"")), "decode byte"));
	assert_non_null(strstr(refusal(SLICE("[9223372036854775808]")), "too big"));
	refusal((struct slice){"[1]\0", 4});
	refusal(SLICE("{'a':1}"));
	refusal(SLICE("[1,]"));
	refusal(SLICE("[01]"));
	refusal(SLICE("[1"));
	refusal(SLICE_NULL);
}

static void depth_has_a_limit(void **state)
{
	struct err err = ERR_INIT;
	json_t *v = json_lib_parse(slice_of(nested(API_TREE_DEPTH_MAX)), &err);
	assert_non_null(v);
	json_decref(v);
	assert_non_null(strstr(refusal(slice_of(nested(API_TREE_DEPTH_MAX + 1))), "nested deeper"));
	assert_non_null(strstr(refusal(slice_of(nested(2000))), "offset 64: nested deeper"));
	/* Brackets in a string are text, also behind an escaped quote. */
	json_auto_t *text = json_object();
	json_lib_set_cstr(text, "a\"", nested(500));
	CLEANUP(cleanup_strbuf) struct strbuf b = STRBUF_INIT;
	json_lib_write(&b, text);
	json_auto_t *again = json_lib_parse(strbuf_slice(&b), &err);
	assert_true(again && json_equal(text, again));
}

static void whole_numbers_keep_64_bits(void **state)
{
	struct err err = ERR_INIT;
	json_auto_t *v = json_lib_parse(SLICE("{\"a\":9223372036854775807,\"b\":-9223372036854775808,\"c\":"
	                                      "9007199254740993,\"d\":3.0,\"e\":3e2,"
	                                      "\"f\":1.5,\"g\":1e19,\"h\":\"7\",\"i\":null}"),
	        &err);
	assert_non_null(v);
	assert_int_equal(json_lib_get_int(v, "a", 0), INT64_MAX);
	assert_int_equal(json_lib_get_int(v, "b", 0), INT64_MIN);
	assert_int_equal(json_lib_get_int(v, "c", 0), 9007199254740993);
	assert_int_equal(json_lib_get_int(v, "d", 0), 3);
	assert_int_equal(json_lib_get_int(v, "e", 0), 300);
	for (int i = 0; i < 4; i++)
		assert_int_equal(json_lib_get_int(v, (const char *[]){"f", "g", "h", "i"}[i], -7), -7);
	assert_int_equal(json_lib_get_int(v, "none", -7), -7);
	assert_int_equal(json_lib_get_int(NULL, "none", -7), -7);
}

static void members_keep_their_order_and_texts_are_mended(void **state)
{
	CLEANUP(cleanup_strbuf) struct strbuf b = STRBUF_INIT;
	json_auto_t *v = json_object();
	json_lib_set_cstr(v, "z", "a \"quoted\" \\ path\n");
	json_lib_set_fmt(v, "m\xff", "%04x \xc3(", 7u);
	json_lib_set_bool(v, "y", true);
	json_lib_set_str(v, "empty", SLICE_NULL);
	json_lib_set_real(v, "real", 12.3);
	json_lib_set_real(v, "none", (double)NAN);
	json_lib_set_int(v, "a", -5);
	json_lib_set_int(v, "z", 1); /* in its old place */
	json_lib_write(&b, v);
	assert_string_equal(strbuf_cstr(&b),
	        "{\"z\":1,\"m\xef\xbf\xbd\":\"0007 "
	        "\xef\xbf\xbd(\",\"y\":true,\"empty\":\"\",\"real\":12.3,\"none\":null,\"a\":-5}");
	assert_true(json_lib_get_bool(v, "y", false));
	assert_true(json_lib_get_bool(v, "a", true));
	assert_true(slice_is(json_lib_get_str(v, "empty"), ""));
	assert_null(json_lib_get_str(v, "y").ptr);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(bad_text_is_refused_with_its_place),
	        cmocka_unit_test(depth_has_a_limit),
	        cmocka_unit_test(whole_numbers_keep_64_bits),
	        cmocka_unit_test(members_keep_their_order_and_texts_are_mended),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
