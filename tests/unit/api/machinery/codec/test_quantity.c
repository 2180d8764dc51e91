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
	struct quantity sum = {0, QUANTITY_DECIMAL_SI};
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
	        cmocka_unit_test(what_is_no_quantity_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
