/* Rates from two scrapes, and what is not told. */
#include "net/metrics/samples.h"

#include "base/limits.h"
#include "base/mem/arena.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { T0 = 1700000000 };
static struct samples *s;
static struct samples_usage u;

static int setup(void **state)
{
	s = samples_new(15000);
	return 0;
}

static int teardown(void **state)
{
	samples_free(s);
	return 0;
}

static void take(const char *node, int at_s, const char *text)
{
	struct err err = ERR_INIT;
	assert_int_equal(samples_take(s, slice_of(node), slice_of(text), (T0 + at_s) * 1000LL, &err), 0);
}

/* A container that started at start_s, seconds behind T0. */
static const char *container(struct arena *a, const char *pod, const char *name, int start_s, double cpu_s, long memory)
{
	const char *labels = arena_printf(a, "{container=\"%s\",namespace=\"d\",pod=\"%s\"}", name, pod);
	return arena_printf(a,
	        "container_start_time_seconds%s %d\ncontainer_cpu_usage_seconds_total%s %.6f\n"
	        "container_memory_working_set_bytes%s %ld\n",
	        labels, T0 + start_s, labels, cpu_s, labels, memory);
}

static bool node_usage(const char *node)
{
	int64_t taken;
	const struct samples_series *x = samples_node(s, slice_of(node), &taken);
	return x && samples_usage(x, &u);
}

static bool first_usage(const char *pod)
{
	const struct samples_pod *p = samples_pod(s, slice_of(pod));
	return p && samples_usage(&p->containers[0].series, &u);
}

static void a_node_is_told_from_its_second_scrape_on(void **state)
{
	take("n", 0,
	        "node_cpu_usage_seconds_total 100 1700000000000\nnode_memory_working_set_bytes 4096 1700000000000\n");
	assert_false(node_usage("n"));
	take("n", 15, "node_cpu_usage_seconds_total 107.5 1700000015000\nnode_memory_working_set_bytes 8192\n");
	assert_true(node_usage("n"));
	assert_int_equal(u.cpu_nanocores, 500000000);
	assert_int_equal(u.memory_bytes, 8192);
	assert_int_equal(u.window_ms, 15000);
	assert_int_equal(u.at_ms, 1700000015000);
}

static void a_kubelet_that_measured_nothing_new_does_not_end_the_rate(void **state)
{
	take("n", 0, "node_cpu_usage_seconds_total 100 1700000000000\nnode_memory_working_set_bytes 1\n");
	take("n", 15, "node_cpu_usage_seconds_total 115 1700000015000\nnode_memory_working_set_bytes 1\n");
	take("n", 30, "node_cpu_usage_seconds_total 115 1700000015000\nnode_memory_working_set_bytes 1\n");
	assert_true(node_usage("n"));
	assert_int_equal(u.cpu_nanocores, 1000000000);
	assert_int_equal(u.at_ms, 1700000015000);
}

static void counters_that_went_back_are_no_rate(void **state)
{
	take("n", 0, "node_cpu_usage_seconds_total 100\nnode_memory_working_set_bytes 1\n");
	take("n", 15, "node_cpu_usage_seconds_total 3\nnode_memory_working_set_bytes 1\n");
	assert_false(node_usage("n"));
}

static void what_lacks_cpu_or_memory_is_left_out(void **state)
{
	struct arena a = ARENA_INIT;
	take("n", 0, "node_cpu_usage_seconds_total 100\n");
	take("n", 15, "node_cpu_usage_seconds_total 110\n");
	assert_false(node_usage("n"));
	take("n", 30,
	        arena_printf(&a, "%scontainer_cpu_usage_seconds_total{container=\"b\",namespace=\"d\",pod=\"p\"} 1\n",
	                container(&a, "p", "a", 0, 1, 1)));
	assert_null(samples_pod(s, SLICE("d/p")));
	take("n", 45, "container_cpu_usage_seconds_total{pod=\"p\"} 1\n");
	assert_int_equal(samples_pods(s), 0);
	arena_release(&a);
}

static void containers_have_their_own_rates(void **state)
{
	struct arena a = ARENA_INIT;
	take("n", 0,
	        arena_printf(&a, "%s%s", container(&a, "p", "a", -99, 5, 10), container(&a, "p", "b", -99, 1, 20)));
	assert_false(first_usage("d/p"));
	take("n", 10,
	        arena_printf(&a, "%s%s", container(&a, "p", "b", -99, 2, 30), container(&a, "p", "a", -99, 6, 40)));
	const struct samples_pod *p = samples_pod(s, SLICE("d/p"));
	assert_int_equal(p->n_containers, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_true(samples_usage(&p->containers[i].series, &u));
		assert_int_equal(u.cpu_nanocores, 100000000);
		assert_int_equal(u.memory_bytes, *p->containers[i].name == 'a' ? 40 : 30);
	}
	arena_release(&a);
}

static void a_container_that_started_again_begins_anew(void **state)
{
	struct arena a = ARENA_INIT;
	take("n", 0, container(&a, "p", "a", -99, 5, 10));
	take("n", 15, container(&a, "p", "a", 13, 9, 10));
	assert_false(first_usage("d/p"));
	arena_release(&a);
}

static void a_fresh_container_is_measured_from_its_start(void **state)
{
	struct arena a = ARENA_INIT;
	take("n", 0, container(&a, "p", "a", -12, 6, 10));
	assert_true(first_usage("d/p"));
	assert_int_equal(u.window_ms, 12000);
	assert_int_equal(u.cpu_nanocores, 500000000);
	take("n", 0, container(&a, "q", "a", -9, 6, 10));
	assert_false(first_usage("d/q"));
	arena_release(&a);
}

static void what_a_node_speaks_of_no_more_is_gone(void **state)
{
	struct arena a = ARENA_INIT;
	take("n", 0,
	        arena_printf(&a, "%s%s", container(&a, "p", "a", -99, 5, 10), container(&a, "q", "a", -99, 5, 10)));
	assert_int_equal(samples_pods(s), 2);
	take("n", 15, container(&a, "q", "a", -99, 6, 10));
	assert_null(samples_pod(s, SLICE("d/p")));
	assert_true(first_usage("d/q"));
	samples_drop_node(s, SLICE("n"));
	assert_int_equal(samples_pods(s) + samples_nodes(s), 0);
	arena_release(&a);
}

static void of_a_pod_on_two_nodes_the_younger_counts(void **state)
{
	struct arena a = ARENA_INIT;
	take("old", 0, container(&a, "p", "a", -500, 5, 10));
	take("new", 20, container(&a, "p", "a", 19, 1, 77));
	take("old", 21, container(&a, "p", "a", -500, 6, 10));
	assert_int_equal(samples_pod(s, SLICE("d/p"))->containers[0].series.last.memory_bytes, 77);
	take("old", 36, "");
	assert_true(slice_is(samples_pod(s, SLICE("d/p"))->node, "new"));
	arena_release(&a);
}

static void a_broken_scrape_changes_nothing(void **state)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	take("n", 0, container(&a, "p", "a", -99, 5, 10));
	const char *text = arena_printf(&a, "%s!\n", container(&a, "q", "a", 0, 1, 1));
	assert_int_equal(samples_take(s, SLICE("n"), slice_of(text), (T0 + 15) * 1000LL, &err), ERR_INVAL);
	assert_string_equal(err.msg, "line 4: a metric has no name");
	assert_non_null(samples_pod(s, SLICE("d/p")));
	assert_null(samples_pod(s, SLICE("d/q")));
	arena_release(&a);
}

static void pods_and_containers_are_bounded(void **state)
{
	struct strbuf b = STRBUF_INIT;
	struct err err = ERR_INIT;
	for (unsigned i = 0; i <= METRICS_POD_CONTAINERS_MAX; i++)
		strbuf_addf(&b, "container_start_time_seconds{container=\"c%u\",namespace=\"d\",pod=\"p\"} 1\n", i);
	assert_int_equal(samples_take(s, SLICE("n"), strbuf_slice(&b), 1, &err), ERR_TOO_BIG);
	strbuf_reset(&b);
	for (unsigned i = 0; i <= METRICS_NODE_PODS_MAX; i++)
		strbuf_addf(&b, "container_start_time_seconds{container=\"c\",namespace=\"d\",pod=\"p%u\"} 1\n", i);
	err = ERR_INIT;
	assert_int_equal(samples_take(s, SLICE("n"), strbuf_slice(&b), 1, &err), ERR_TOO_BIG);
	assert_int_equal(samples_pods(s), 0);
	strbuf_release(&b);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(a_node_is_told_from_its_second_scrape_on),
	        TEST(a_kubelet_that_measured_nothing_new_does_not_end_the_rate),
	        TEST(counters_that_went_back_are_no_rate),
	        TEST(what_lacks_cpu_or_memory_is_left_out),
	        TEST(containers_have_their_own_rates),
	        TEST(a_container_that_started_again_begins_anew),
	        TEST(a_fresh_container_is_measured_from_its_start),
	        TEST(what_a_node_speaks_of_no_more_is_gone),
	        TEST(of_a_pod_on_two_nodes_the_younger_counts),
	        TEST(a_broken_scrape_changes_nothing),
	        TEST(pods_and_containers_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
