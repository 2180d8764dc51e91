/* The scanner, above all where its fast path over plain characters begins and ends. */
#include "tests/unit/unit.h"

#include "base/json/json.h"
#include "base/json/scan.h"

static bool scans(const char *text, size_t len)
{
	struct json_scan s;
	json_scan_init(&s, (struct slice){text, len});
	return json_scan_skip(&s) && json_scan_at_end(&s);
}

/* Every byte at every place of strings long enough for the fast path, by scanner and tree. */
static void each_byte_is_judged_alike_at_every_place_of_a_string(void **state)
{
	char text[34];
	for (size_t at = 1; at < 25; at++)
		for (int c = 0; c < 256; c++) {
			memset(text, 'x', sizeof text);
			text[0] = text[25] = '"';
			text[at] = (char)c;
			bool want = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
			if (c == '\\') /* \x is no escape, \" leaves the string open */
				want = false;
			struct arena a = ARENA_INIT;
			assert_int_equal(scans(text, 26), want);
			assert_int_equal(json_parse(&a, (struct slice){text, 26}, NULL, NULL) != NULL, want);
			arena_release(&a);
		}
}

static void strings_of_every_length_are_found_whole(void **state)
{
	char text[80];
	for (size_t len = 0; len < 70; len++) {
		memset(text, 'y', sizeof text);
		text[0] = text[len + 1] = '"';
		struct json_scan s;
		json_scan_init(&s, (struct slice){text, len + 2});
		assert_int_equal(json_scan_next(&s), JSON_TOKEN_STRING);
		assert_int_equal(s.text.len, len);
		assert_true(json_scan_at_end(&s));
		assert_false(scans(text, len + 1)); /* unterminated */
	}
}

static void broken_texts_are_refused(void **state)
{
	static const char *const bad[] = {"", " ", "{", "}", "[1,]", "[,1]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
	        "{a:1}", "01", "1.", ".5", "-", "1e", "+1", "nul", "truee", "\"\\u12\"", "\"\\q\"", "\"\xc3\"",
	        "\"\xed\xa0\x80\"", "\"\xf5\x80\x80\x80\"", "\"\xc0\xaf\"", "1 2", "[1}", "{\"a\":1]"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct arena a = ARENA_INIT;
		assert_false(scans(bad[i], strlen(bad[i])));
		assert_null(json_parse(&a, slice_of(bad[i]), NULL, NULL));
		arena_release(&a);
	}
}

static void depth_is_limited(void **state)
{
	char text[2 * JSON_DEPTH_MAX + 3];
	for (int extra = 0; extra < 2; extra++) {
		size_t n = JSON_DEPTH_MAX + (size_t)extra;
		memset(text, '[', n);
		memset(text + n, ']', n);
		assert_int_equal(scans(text, 2 * n), extra == 0);
	}
}

static void a_value_is_found_by_its_path(void **state)
{
	struct slice text = SLICE("{\"a\":{\"x\":[1],\"b\":\"v\\n\",\"n\":null},\"metadata\":{\"name\":\"me\"}}");
	assert_true(slice_is(json_find(text, "metadata", "name", NULL), "me"));
	assert_true(slice_is(json_find(text, "a", "b", NULL), "v\\n"));
	assert_true(slice_is(json_find(text, "a", "x", NULL), "[1]"));
	assert_null(json_find(text, "a", "n", NULL).ptr);
	assert_null(json_find(text, "a", "b", "c", NULL).ptr);
	assert_null(json_find(text, "z", NULL).ptr);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(each_byte_is_judged_alike_at_every_place_of_a_string),
	        cmocka_unit_test(strings_of_every_length_are_found_whole),
	        cmocka_unit_test(broken_texts_are_refused),
	        cmocka_unit_test(depth_is_limited),
	        cmocka_unit_test(a_value_is_found_by_its_path),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
