/* Slices and string buffers. */
#include "tests/unit/unit.h"

#include "base/mem/str.h"

static void slices_compare_by_bytes(void **state)
{
	assert_true(slice_cmp(SLICE("a"), SLICE("b")) < 0);
	assert_true(slice_cmp(SLICE("a"), SLICE("ab")) < 0);
	assert_true(slice_cmp(SLICE("\xff"), SLICE("a")) > 0);
	assert_int_equal(slice_cmp(SLICE("x"), SLICE("x")), 0);
	assert_true(slice_starts(SLICE("abc"), "ab") && !slice_starts(SLICE("a"), "ab"));
	assert_true(slice_ends(SLICE("abc"), "bc") && !slice_ends(SLICE("c"), "bc"));
	assert_true(slice_caseis(SLICE("Content-TYPE"), "content-type"));
}

static void cutting_ends_with_a_null_slice(void **state)
{
	struct slice rest = SLICE("a,,b");
	assert_true(slice_is(slice_cut(&rest, ','), "a"));
	assert_true(slice_is(slice_cut(&rest, ','), ""));
	assert_non_null(rest.ptr);
	assert_true(slice_is(slice_cut(&rest, ','), "b"));
	assert_null(rest.ptr);
	assert_true(slice_is(slice_trim(SLICE(" \t x y\r\n")), "x y"));
}

static void numbers_must_fill_the_slice_and_fit(void **state)
{
	uint64_t u;
	int64_t i;
	assert_true(slice_to_u64(SLICE("18446744073709551615"), &u) && u == UINT64_MAX);
	assert_false(slice_to_u64(SLICE("18446744073709551616"), &u));
	assert_true(slice_to_i64(SLICE("-9223372036854775808"), &i) && i == INT64_MIN);
	assert_false(slice_to_i64(SLICE("9223372036854775808"), &i));
	static const char *const bad[] = {"", "-", "+1", " 1", "1 ", "0x1", "1a", "--1"};
	for (size_t n = 0; n < sizeof bad / sizeof *bad; n++) {
		assert_false(slice_to_i64(slice_of(bad[n]), &i));
		assert_false(slice_to_u64(slice_of(bad[n]), &u));
	}
	assert_false(slice_to_u64(SLICE("-1"), &u));
}

static void a_buffer_grows_and_stays_terminated(void **state)
{
	struct strbuf b = STRBUF_INIT;
	assert_string_equal(strbuf_cstr(&b), "");
	for (int i = 0; i < 5000; i++)
		strbuf_addf(&b, "%d,", i % 10);
	assert_int_equal(b.len, 10000);
	assert_int_equal(strlen(strbuf_cstr(&b)), 10000);
	strbuf_reset(&b);
	strbuf_add_i64(&b, INT64_MIN);
	strbuf_addc(&b, ' ');
	strbuf_add_u64(&b, UINT64_MAX);
	assert_string_equal(strbuf_cstr(&b), "-9223372036854775808 18446744073709551615");
	char *text = strbuf_detach(&b);
	assert_int_equal(b.len, 0);
	free(text);
	text = strbuf_detach(&b);
	assert_string_equal(text, "");
	free(text);
}

/* Of every length around what a buffer has room for. */
static void a_formatted_text_is_whole_wherever_the_buffer_ends(void **state)
{
	char want[200];
	for (size_t before = 0; before < 70; before++)
		for (size_t len = 0; len < sizeof want - 1; len++) {
			struct strbuf b = STRBUF_INIT;
			for (size_t i = 0; i < before; i++)
				strbuf_addc(&b, '-');
			memset(want, 'x', len);
			want[len] = 0;
			strbuf_addf(&b, "%s", want);
			assert_int_equal(b.len, before + len);
			assert_string_equal(strbuf_cstr(&b) + before, want);
			strbuf_release(&b);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(slices_compare_by_bytes),
	        cmocka_unit_test(cutting_ends_with_a_null_slice),
	        cmocka_unit_test(numbers_must_fill_the_slice_and_fit),
	        cmocka_unit_test(a_buffer_grows_and_stays_terminated),
	        cmocka_unit_test(a_formatted_text_is_whole_wherever_the_buffer_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
