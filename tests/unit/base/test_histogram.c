/* Histograms: what falls into which bucket, the text, several threads at once. */
#include "tests/unit/unit.h"

#include "base/histogram.h"

#include <pthread.h>

enum { THREADS = 4, EACH = 20000, MS = 1000000 };

static struct strbuf text;

static const char *written(const struct histogram *h, const char *labels)
{
	strbuf_reset(&text);
	histogram_write(h, &text, "x_seconds", labels);
	return strbuf_cstr(&text);
}

static int release(void **state)
{
	strbuf_release(&text);
	return 0;
}

static void a_bound_belongs_to_the_bucket_below_it(void **state)
{
	struct histogram h;
	histogram_init_doubling(&h, MS, 2);
	histogram_observe(&h, MS);
	histogram_observe(&h, MS + 1);
	histogram_observe(&h, 2 * MS);
	histogram_observe(&h, 5 * MS);
	assert_int_equal(h.counts[0], 1);
	assert_int_equal(h.counts[1], 2);
	assert_int_equal(h.counts[2], 1);
	assert_int_equal(histogram_count(&h), 4);
}

static void the_text_is_cumulative_and_ends_with_the_count(void **state)
{
	struct histogram h;
	const uint64_t bounds[] = {MS / 10, 5 * MS, 2500 * (uint64_t)MS};
	histogram_init(&h, bounds, 3);
	histogram_observe(&h, MS / 20);
	histogram_observe(&h, MS);
	histogram_observe(&h, 3000 * (uint64_t)MS);
	assert_string_equal(written(&h, ""), "x_seconds_bucket{le=\"0.0001\"} 1\n"
	                                     "x_seconds_bucket{le=\"0.005\"} 2\n"
	                                     "x_seconds_bucket{le=\"2.5\"} 2\n"
	                                     "x_seconds_bucket{le=\"+Inf\"} 3\n"
	                                     "x_seconds_sum 3.00105\n"
	                                     "x_seconds_count 3\n");
}

static void labels_stand_before_the_bound(void **state)
{
	struct histogram h;
	histogram_init_doubling(&h, MS, 1);
	assert_string_equal(written(&h, "To=\"1f\""), "x_seconds_bucket{To=\"1f\",le=\"0.001\"} 0\n"
	                                              "x_seconds_bucket{To=\"1f\",le=\"+Inf\"} 0\n"
	                                              "x_seconds_sum{To=\"1f\"} 0\n"
	                                              "x_seconds_count{To=\"1f\"} 0\n");
}

static void bounds_are_written_as_etcd_writes_them(void **state)
{
	struct histogram h;
	histogram_init_doubling(&h, MS, 14);
	assert_non_null(strstr(written(&h, ""), "le=\"8.192\""));
	histogram_init_doubling(&h, MS / 10, 16);
	assert_non_null(strstr(written(&h, ""), "le=\"0.0128\""));
	assert_non_null(strstr(written(&h, ""), "le=\"3.2768\""));
}

static void *observe_many(void *arg)
{
	for (int i = 0; i < EACH; i++)
		histogram_observe(arg, (uint64_t)i % 4 * MS);
	return NULL;
}

static void nothing_is_lost_between_threads(void **state)
{
	struct histogram h;
	pthread_t threads[THREADS];
	histogram_init_doubling(&h, MS, 2);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, observe_many, &h), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(histogram_count(&h), THREADS * EACH);
	assert_int_equal(h.counts[0], THREADS * EACH / 2);
	assert_int_equal(h.sum_ns, (uint64_t)THREADS * EACH / 4 * 6 * MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_bound_belongs_to_the_bucket_below_it),
	        cmocka_unit_test(the_text_is_cumulative_and_ends_with_the_count),
	        cmocka_unit_test(labels_stand_before_the_bound),
	        cmocka_unit_test(bounds_are_written_as_etcd_writes_them),
	        cmocka_unit_test(nothing_is_lost_between_threads),
	};
	return cmocka_run_group_tests(tests, NULL, release);
}
