/* The text format, as kubelets write it and as nobody should. */
#include "net/metrics/exposition.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct exposition e;
static struct err err;

static void begin(const char *text)
{
	err = ERR_INIT;
	exposition_init(&e, slice_of(text));
}

static void wants_label(const char *name, const char *value)
{
	assert_true(slice_is(exposition_label(&e, name), value));
}

static void samples_come_one_by_one(void **state)
{
	begin("# HELP node_cpu_usage_seconds_total [STABLE] Cumulative cpu time\n"
	      "# TYPE node_cpu_usage_seconds_total counter\n"
	      "node_cpu_usage_seconds_total 357.35491 1633253809720\n"
	      "\n"
	      "container_memory_working_set_bytes{container=\"a b\",namespace=\"x\",pod=\"p-0\"} 1.253376e+06 7\n");
	assert_true(exposition_next(&e, &err));
	assert_true(slice_is(e.name, "node_cpu_usage_seconds_total"));
	assert_true(fabs(e.value - 357.35491) < 1e-9);
	assert_int_equal(e.timestamp_ms, 1633253809720);
	assert_int_equal(e.n_labels, 0);
	assert_true(exposition_next(&e, &err));
	wants_label("container", "a b");
	wants_label("namespace", "x");
	wants_label("pod", "p-0");
	assert_null(exposition_label(&e, "none").ptr);
	assert_true(e.value == 1253376);
	assert_int_equal(e.timestamp_ms, 7);
	assert_false(exposition_next(&e, &err));
	assert_int_equal(err.code, 0);
}

static void timestamps_and_last_newlines_may_be_missing(void **state)
{
	begin("a 1\r\nb{} +Inf\n  c { x = \"1\" , } NaN 5");
	assert_true(exposition_next(&e, &err));
	assert_false(e.has_timestamp);
	assert_true(exposition_next(&e, &err) && isinf(e.value));
	assert_true(exposition_next(&e, &err) && isnan(e.value));
	wants_label("x", "1");
	assert_true(e.has_timestamp && e.timestamp_ms == 5);
	assert_false(exposition_next(&e, &err));
	assert_int_equal(err.code, 0);
}

static void quotes_may_be_escaped(void **state)
{
	begin("a{x=\"say \\\"hi\\\" \\\\\",y=\"} 3\"} 4\n");
	assert_true(exposition_next(&e, &err));
	wants_label("x", "say \\\"hi\\\" \\\\");
	wants_label("y", "} 3");
	assert_true(e.value == 4);
}

static void what_is_none_is_told_with_its_line(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {{"{x=\"1\"} 1\n", "line 1: a metric has no name"},
	        {"# fine\na{x=\"1\" y=\"2\"} 1\n", "line 2: no comma and no brace behind a label"},
	        {"a{=\"1\"} 1\n", "line 1: a label has no name"},
	        {"a{x=1} 1\n", "line 1: a label's value is not in quotes"},
	        {"a{x=\"1} 1\n", "line 1: a label's value does not end"},
	        {"a{x=\"1\\", "line 1: a label's value does not end"}, {"a\n", "line 1: a metric's value is no number"},
	        {"a 0x10\n", "line 1: a metric's value is no number"},
	        {"a 1e\n", "line 1: a metric's value is no number"},
	        {"a 1 1.5\n", "line 1: a timestamp is no number of milliseconds"},
	        {"a 1 2 3\n", "line 1: something stands behind the timestamp"},
	        {"<html>", "line 1: a metric has no name"}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		begin(cases[i].text);
		assert_false(exposition_next(&e, &err));
		assert_int_equal(err.code, ERR_INVAL);
		assert_string_equal(err.msg, cases[i].message);
		assert_false(exposition_next(&e, &err)); /* and no more */
	}
}

static void labels_are_bounded(void **state)
{
	struct strbuf b = STRBUF_INIT;
	strbuf_adds(&b, "a{");
	for (unsigned i = 0; i <= METRICS_LABELS_MAX; i++)
		strbuf_addf(&b, "l%u=\"\",", i);
	strbuf_adds(&b, "} 1\n");
	begin(strbuf_cstr(&b));
	assert_false(exposition_next(&e, &err));
	assert_string_equal(err.msg, "line 1: too many labels");
	strbuf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(samples_come_one_by_one),
	        cmocka_unit_test(timestamps_and_last_newlines_may_be_missing),
	        cmocka_unit_test(quotes_may_be_escaped),
	        cmocka_unit_test(what_is_none_is_told_with_its_line),
	        cmocka_unit_test(labels_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
