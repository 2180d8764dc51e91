/* Quantities: canonical text, values, refusals. */
#include "api/machinery/codec/quantity.h"
#include "tests/unit/unit.h"

static void canonical(const char *in, const char *want)
{
	struct quantity q;
	struct err err = ERR_INIT;
	char out[QUANTITY_TEXT_MAX];
	assert_int_equal(quantity_parse(slice_of(in), &q, &err), 0);
	size_t len = quantity_format(&q, out);
	assert_int_equal(len, strlen(out));
	assert_string_equal(out, want);
	/* the canonical form is a fixed point */
	assert_int_equal(quantity_parse(slice_of(out), &q, &err), 0);
	quantity_format(&q, out);
	assert_string_equal(out, want);
}

static void texts_become_canonical_as_upstream_writes_them(void **state)
{
	canonical("0", "0");
	canonical("-0", "0");
	canonical("1000m", "1");
	canonical("0.5", "500m");
	canonical(".5", "500m");
	canonical("1.", "1");
	canonical("1.5", "1500m");
	canonical("1024Mi", "1Gi");
	canonical("1.5Gi", "1536Mi");
	canonical("1000Ki", "1000Ki");
	canonical("1024", "1024");
	canonical("0.5Ki", "512");
	canonical("1Ki", "1Ki");
	canonical("0.0001Ki", "102400u");
	canonical("1e3", "1e3");
	canonical("1000e3", "1e6");
	canonical("12E", "9223372036854775807");
	canonical("1E", "1E");
	canonical("100k", "100k");
	canonical("1000k", "1M");
	canonical("-5m", "-5m");
	canonical("+5", "5");
	canonical("1n", "1n");
	canonical("0.1n", "1n");
	canonical("1e-10", "1e-9");
	canonical("16Ei", "9223372036854775807");
	canonical("1234567890123456789012345678n", "1234567890123456789012345678n"); /* what we write we read */
}

static void values_are_rounded_up(void **state)
{
	assert_int_equal(quantity_text_value(SLICE("1500m")), 2);
	assert_int_equal(quantity_text_value(SLICE("1Gi")), 1073741824);
	assert_int_equal(quantity_text_milli(SLICE("1500m")), 1500);
	assert_int_equal(quantity_text_milli(SLICE("2")), 2000);
	assert_int_equal(quantity_text_milli(SLICE("1u")), 1);
	assert_int_equal(quantity_text_value(SLICE("nonsense")), 0);
}

static void sums_keep_their_format(void **state)
{
	struct quantity sum = {0};
	struct quantity one;
	char out[QUANTITY_TEXT_MAX];
	quantity_parse(SLICE("512Mi"), &one, NULL);
	quantity_add(&sum, &one);
	quantity_add(&sum, &one);
	quantity_format(&sum, out);
	assert_string_equal(out, "1Gi");
	assert_true(quantity_cmp(&sum, &one) > 0);
	quantity_sub(&sum, &one);
	assert_int_equal(quantity_cmp(&sum, &one), 0);
}

/* Where whole and nanos meet, both signs, and where they are full. */
static void sums_carry_borrow_and_stop_at_the_cap(void **state)
{
	static const struct {
		const char *a, *b, *sum, *difference;
	} rows[] = {
	        {"999999999n", "1n", "1", "999999998n"},
	        {"1", "1n", "1000000001n", "999999999n"},
	        {"1500m", "-600m", "900m", "2100m"},
	        {"-1500m", "600m", "-900m", "-2100m"},
	        {"1", "-2", "-1", "3"},
	        {"500m", "500m", "1", "0"},
	        {"-500m", "500m", "0", "-1"},
	        {"9223372036854775806", "1", "9223372036854775807", "9223372036854775805"},
	        {"9223372036854775807", "1", "9223372036854775807", "9223372036854775806"},
	        {"-9223372036854775807", "1n", "-9223372036854775806999999999n", "-9223372036854775807"},
	        {"9223372036854775806999999999n", "1n", "9223372036854775807", "9223372036854775806999999998n"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct quantity a, b, c;
		char text[QUANTITY_TEXT_MAX];
		assert_int_equal(quantity_parse(slice_of(rows[i].a), &a, NULL), 0);
		assert_int_equal(quantity_parse(slice_of(rows[i].b), &b, NULL), 0);
		c = a;
		quantity_add(&c, &b);
		quantity_format(&c, text);
		assert_string_equal(text, rows[i].sum);
		quantity_sub(&a, &b);
		quantity_format(&a, text);
		assert_string_equal(text, rows[i].difference);
	}
}

static void fractions_of_binary_suffixes_are_exact(void **state)
{
	static const struct {
		const char *text, *canonical;
	} rows[] = {{"0.5Ki", "512"}, {"1.0009765625Ki", "1025"}, {"0.1Ki", "102400m"}, {"0.0000000001Ki", "103n"},
	        {".55789998000181929727991099489Pi", "628139535511550139385491n"}, {"1.5Ei", "1536Pi"},
	        {"0.99999999999999999999999999Ei", "1152921504606846975999999989n"},
	        {"7.99999999999999999Ei", "9223372036854775796470784954n"}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct quantity q;
		char text[QUANTITY_TEXT_MAX];
		assert_int_equal(quantity_parse(slice_of(rows[i].text), &q, NULL), 0);
		quantity_format(&q, text);
		assert_string_equal(text, rows[i].canonical);
	}
}

static void what_is_no_quantity_is_refused(void **state)
{
	static const char *const bad[] = {
	        "", "x", "1x", "1.2.3", "--1", "1 Gi", "Gi", "1ee3", "1e", "1mm", ".", "1KI", "0x10"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct quantity q;
		struct err err = ERR_INIT;
		if (quantity_parse(slice_of(bad[i]), &q, &err) != ERR_INVAL)
			fail_msg("%s was taken", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(texts_become_canonical_as_upstream_writes_them),
	        cmocka_unit_test(values_are_rounded_up),
	        cmocka_unit_test(sums_keep_their_format),
	        cmocka_unit_test(sums_carry_borrow_and_stop_at_the_cap),
	        cmocka_unit_test(fractions_of_binary_suffixes_are_exact),
	        cmocka_unit_test(what_is_no_quantity_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
