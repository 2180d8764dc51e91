/* Tests of the histogram of latencies. */
#include "tests/unit/unit.h"
#include "tools/bench/store/store.h"

#include <stdlib.h>

static struct histogram *fresh(void)
{
	return xcalloc(1, sizeof(struct histogram));
}

static void test_empty_has_no_percentiles(void **state)
{
	struct histogram *h = fresh();
	assert_int_equal(histogram_percentile(h, 50), 0);
	assert_int_equal(histogram_percentile(h, 100), 0);
	free(h);
}

static void test_small_values_are_exact(void **state)
{
	struct histogram *h = fresh();
	for (uint64_t i = 0; i < 64; i++)
		histogram_add(h, i);
	assert_int_equal(histogram_percentile(h, 0), 0);
	assert_int_equal(histogram_percentile(h, 50), 32);
	assert_int_equal(histogram_percentile(h, 100), 63);
	free(h);
}

static void test_percentiles_are_at_most_a_bucket_too_high(void **state)
{
	struct histogram *h = fresh();
	for (uint64_t i = 1; i <= 100000; i++)
		histogram_add(h, i * 1000);
	for (int p = 1; p < 100; p++) {
		double wanted = p * 1e6, got = (double)histogram_percentile(h, p);
		assert_true(got >= wanted && got <= wanted * 1.0157 + 1000);
	}
	free(h);
}

static void test_maximum_is_exact_and_bounds_every_percentile(void **state)
{
	struct histogram *h = fresh();
	histogram_add(h, 123456789);
	assert_int_equal(histogram_percentile(h, 1), 123456789);
	assert_int_equal(histogram_percentile(h, 99.9), 123456789);
	assert_int_equal(histogram_percentile(h, 100), 123456789);
	free(h);
}

static void test_largest_values_have_a_bucket(void **state)
{
	struct histogram *h = fresh();
	for (int bit = 0; bit < 64; bit++) {
		histogram_add(h, UINT64_C(1) << bit);
		histogram_add(h, (UINT64_C(1) << bit) - 1);
	}
	histogram_add(h, UINT64_MAX);
	assert_int_equal(h->total, 129);
	assert_true(histogram_percentile(h, 99.9) == UINT64_MAX);
	free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_empty_has_no_percentiles),
	        cmocka_unit_test(test_small_values_are_exact),
	        cmocka_unit_test(test_percentiles_are_at_most_a_bucket_too_high),
	        cmocka_unit_test(test_maximum_is_exact_and_bounds_every_percentile),
	        cmocka_unit_test(test_largest_values_have_a_bucket),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
