/* What /metrics/resource says, and the node's own from the kernel's texts. */
#include "node/server/resource_metrics_int.h"

#include "base/mem/arena.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char meminfo[] = "MemTotal:        1000 kB\nMemFree:          200 kB\nInactive(file):   300 kB\n"
                              "SwapTotal:        50 kB\nSwapFree:          20 kB\n";

static void a_node_is_read_from_the_kernels_texts(void **state)
{
	struct resource_usage u;
	assert_true(resource_usage_of_node(
	        SLICE("cpu  100 10 50 9999 7777 5 4 31 80 0\ncpu0 1 1\n"), SLICE(meminfo), 100, 77, &u));
	assert_int_equal(u.cpu_ns, 2000000000); /* 200 ticks; not idle, waiting, or guests twice */
	assert_int_equal(u.memory_bytes, 500 * 1024);
	assert_int_equal(u.swap_bytes, 30 * 1024);
	assert_int_equal(u.cpu_at_ms, 77);
	assert_false(resource_usage_of_node(SLICE("intr 5\n"), SLICE(meminfo), 100, 77, &u));
	assert_false(resource_usage_of_node(SLICE("cpu  1 x\n"), SLICE(meminfo), 100, 77, &u));
	assert_false(resource_usage_of_node(SLICE("cpu  1 1 1 1 1\n"), SLICE("MemTotal: x\n"), 100, 77, &u));
}

static void has_line(const struct strbuf *b, const char *line)
{
	if (!strstr(b->data, line))
		fail_msg("no '%s' in: %s", line, b->data);
}

static void samples_have_upstreams_names_and_their_times(void **state)
{
	const struct resource_usage node = {.cpu_at_ms = 5,
	        .memory_at_ms = 6,
	        .cpu_ns = 1500000000,
	        .memory_bytes = 7,
	        .has_swap = true,
	        .swap_bytes = 3};
	const struct resource_usage rows[] = {
	        {"d", "p", "a", 1234567, 1000, 2000, 250000000, 10, true, 4},
	        {"d", "p", "b", 0, 1500, 1900, 1000000000, 20, true, 1},
	        {"d", "q", "a", 1000, 0, 3000, 0, 5, false, 0},
	};
	struct strbuf b = STRBUF_INIT;
	resource_metrics_write(&b, &node, rows, 3);
	has_line(&b,
	        "\ncontainer_cpu_usage_seconds_total{container=\"a\",namespace=\"d\",pod=\"p\"} 0.250000000 1000\n");
	has_line(&b, "\ncontainer_memory_working_set_bytes{container=\"b\",namespace=\"d\",pod=\"p\"} 20 1900\n");
	has_line(&b, "\ncontainer_start_time_seconds{container=\"a\",namespace=\"d\",pod=\"p\"} 1234.567\n");
	has_line(&b, "\nnode_cpu_usage_seconds_total 1.500000000 5\n");
	has_line(&b, "\nnode_memory_working_set_bytes 7 6\n");
	has_line(&b, "\npod_cpu_usage_seconds_total{namespace=\"d\",pod=\"p\"} 1.250000000 1500\n");
	has_line(&b, "\npod_memory_working_set_bytes{namespace=\"d\",pod=\"p\"} 30 2000\n");
	has_line(&b, "\npod_memory_working_set_bytes{namespace=\"d\",pod=\"q\"} 5 3000\n");
	has_line(&b, "\ncontainer_swap_usage_bytes{container=\"a\",namespace=\"d\",pod=\"p\"} 4 2000\n");
	has_line(&b, "\nnode_swap_usage_bytes 3 6\n");
	has_line(&b, "\npod_swap_usage_bytes{namespace=\"d\",pod=\"p\"} 5 2000\n");
	assert_null(strstr(b.data, "swap_usage_bytes{namespace=\"d\",pod=\"q\"}")); /* its runtime does not tell */
	has_line(&b, "\nresource_scrape_error 0\n");
	assert_null(strstr(b.data, "usage_seconds_total{namespace=\"d\",pod=\"q\"}")); /* it was not measured */
	assert_null(strstr(b.data, "start_time_seconds{container=\"b\""));
	strbuf_release(&b);
}

static void a_node_that_cannot_be_read_is_an_error(void **state)
{
	struct strbuf b = STRBUF_INIT;
	resource_metrics_write(&b, NULL, NULL, 0);
	has_line(&b, "\nresource_scrape_error 1\n");
	assert_null(strstr(b.data, "\nnode_cpu"));
	strbuf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_node_is_read_from_the_kernels_texts),
	        cmocka_unit_test(samples_have_upstreams_names_and_their_times),
	        cmocka_unit_test(a_node_that_cannot_be_read_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
