/* jepsen/svg: scales, colours, and that no text of a run becomes markup. */
#include "tests/unit/unit.h"

#include "jepsen/svg.h"

static void text_never_becomes_markup(void **state)
{
	CLEANUP(cleanup_strbuf) struct strbuf out = STRBUF_INIT;
	html_text(&out, SLICE("<a href='x'>\"&\"</a>\x01"));
	assert_string_equal(strbuf_cstr(&out), "&lt;a href=&#39;x&#39;&gt;&quot;&amp;&quot;&lt;/a&gt;\xef\xbf\xbd");
	strbuf_reset(&out);
	svg_rect(&out, 0, 0, 1, 1, "op", "a\"b");
	assert_non_null(strstr(strbuf_cstr(&out), "data-t=\"a&quot;b\""));
}

static void scales_map_edges_to_edges_and_clamp(void **state)
{
	struct chart c = {.left = 100, .right = 200, .top = 10, .bottom = 60, .from_ns = 0, .to_ns = 1000, .high = 10};
	assert_float_equal(chart_x(&c, 0), 100, 0.01);
	assert_float_equal(chart_x(&c, 500), 150, 0.01);
	assert_float_equal(chart_x(&c, 5000), 200, 0.01);
	assert_float_equal(chart_y(&c, 0), 60, 0.01);
	assert_float_equal(chart_y(&c, 10), 10, 0.01);
	c.is_log = true;
	c.low = 1;
	c.high = 100;
	assert_float_equal(chart_y(&c, 10), 35, 0.01);
	assert_float_equal(chart_y(&c, 0), 60, 0.01);
}

static void a_family_of_faults_has_one_colour(void **state)
{
	struct history h;
	history_init(&h);
	history_fault_begin(&h, 1, "partition-halves", 1, "");
	history_fault_begin(&h, 2, "partition-ring", 1, "");
	history_fault_begin(&h, 3, "kill", 1, "");
	history_fault_begin(&h, 4, "pause", 1, "");
	assert_string_equal(fault_class(&h, "partition-ring"), "f0");
	assert_string_equal(fault_class(&h, "kill"), "f1");
	assert_string_equal(fault_class(&h, "pause"), "f2");
	history_release(&h);
}

static void axes_of_any_range_have_few_ticks(void **state)
{
	for (double seconds = 0.001; seconds < 1e6; seconds *= 7) {
		CLEANUP(cleanup_strbuf) struct strbuf out = STRBUF_INIT;
		struct chart c = {
		        .out = &out, .right = 100, .bottom = 60, .to_ns = (int64_t)(seconds * 1e9), .high = seconds};
		chart_time_axis(&c, true);
		chart_value_axis(&c, "ops/s");
		int ticks = 0;
		for (const char *p = strbuf_cstr(&out); (p = strstr(p, "<text")); p++)
			ticks++;
		assert_in_range(ticks, 5, 25);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(text_never_becomes_markup),
	        cmocka_unit_test(scales_map_edges_to_edges_and_clamp),
	        cmocka_unit_test(a_family_of_faults_has_one_colour),
	        cmocka_unit_test(axes_of_any_range_have_few_ticks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
