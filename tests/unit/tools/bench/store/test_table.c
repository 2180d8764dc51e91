/* Tests of the table of two systems: medians, ratios and their direction, the JSON file. */
#include "tests/unit/unit.h"
#include "tools/bench/store/store.h"

#include "base/json_lib.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void add(struct figures *f, const char *key, enum bench_better better, const double *ours, const double *theirs)
{
	for (int i = 0; i < 3; i++) {
		figures_add(f, TRIO_K3X, key, "what", "unit", better, 0, ours[i]);
		figures_add(f, TRIO_ETCD, key, "what", "unit", better, 0, theirs[i]);
	}
}

static void test_runs_of_one_key_share_a_row(void **state)
{
	struct figures f = {0};
	add(&f, "a", BENCH_HIGHER, (double[]){1, 2, 3}, (double[]){1, 2, 3});
	add(&f, "b", BENCH_HIGHER, (double[]){1, 2, 3}, (double[]){1, 2, 3});
	assert_int_equal(f.count, 2);
	assert_int_equal(f.rows[0].runs[TRIO_K3X].count, 3);
	figures_release(&f);
}

static void test_ratio_is_of_medians(void **state)
{
	struct figures f = {0};
	add(&f, "puts", BENCH_HIGHER, (double[]){1000, 10, 40}, (double[]){20, 1, 3000});
	assert_float_equal(figure_ratio(&f.rows[0]), 2, 1e-9);
	figures_release(&f);
}

static void test_ratio_above_one_is_better_for_latencies_too(void **state)
{
	struct figures f = {0};
	add(&f, "ms", BENCH_LOWER, (double[]){1, 1, 1}, (double[]){3, 3, 3});
	assert_float_equal(figure_ratio(&f.rows[0]), 3, 1e-9);
	figures_release(&f);
}

static void test_no_ratio_without_the_other_side(void **state)
{
	struct figures f = {0};
	figures_add(&f, TRIO_K3X, "alone", "what", "unit", BENCH_HIGHER, 2, 7);
	assert_float_equal(figure_ratio(&f.rows[0]), 0, 0);
	figures_release(&f);
}

static void test_latencies_become_three_rows_in_milliseconds(void **state)
{
	struct figures f = {0};
	struct histogram *h = xcalloc(1, sizeof *h);
	histogram_add(h, 5000000);
	figures_add_latency(&f, TRIO_K3X, "put", "put", h, 3);
	assert_int_equal(f.count, 3);
	assert_string_equal(f.rows[1].key, "put_p99_ms");
	assert_float_equal(f.rows[2].runs[TRIO_K3X].values[0], 5, 1e-9);
	free(h);
	figures_release(&f);
}

static void test_json_file_reads_back(void **state)
{
	struct figures f = {0};
	struct err err = ERR_INIT;
	char dir[] = "/tmp/k3x-test-XXXXXX", path[64], text[4096] = "";
	assert_non_null(mkdtemp(dir));
	add(&f, "put_per_s", BENCH_HIGHER, (double[]){30, 10, 20}, (double[]){5, 5, 5});
	add(&f, "third", BENCH_HIGHER, (double[]){1.0 / 3, 1, 1}, (double[]){1, 1, 1});
	assert_int_equal(figures_write(&f, dir, "t", "how, \"quoted\"", &err), 0);
	snprintf(path, sizeof path, "%s/t.json", dir);
	FILE *in = fopen(path, "re");
	assert_non_null(in);
	size_t n = fread(text, 1, sizeof text - 1, in);
	fclose(in);
	json_auto_t *j = json_lib_parse((struct slice){text, n}, &err);
	assert_true(slice_is(json_lib_get_str(j, "method"), "how, \"quoted\""));
	json_t *row = json_object_get(j, "put_per_s"), *runs = json_object_get(row, "k3x_runs");
	assert_float_equal(json_real_value(json_object_get(row, "k3x")), 20, 1e-9);
	assert_float_equal(json_real_value(json_object_get(row, "etcd")), 5, 1e-9);
	assert_float_equal(json_real_value(json_object_get(row, "ratio")), 4, 1e-9);
	assert_true(slice_is(json_lib_get_str(row, "unit"), "unit"));
	assert_int_equal(json_array_size(runs), 3);
	assert_float_equal(json_real_value(json_array_get(runs, 2)), 30, 1e-9); /* sorted, for the median */
	assert_non_null(strstr(text, "0.3333,")); /* four decimals, not what a double makes of them */
	unlink(path);
	rmdir(dir);
	figures_release(&f);
}

static void test_a_bare_table_is_a_column_and_no_part_of_the_ratio(void **state)
{
	struct figures f = {0};
	struct err err = ERR_INIT;
	char dir[] = "/tmp/k3x-test-XXXXXX", path[64], text[4096] = "";
	assert_non_null(mkdtemp(dir));
	add(&f, "bytes", BENCH_LOWER, (double[]){10, 10, 10}, (double[]){20, 20, 20});
	add(&f, "plain", BENCH_LOWER, (double[]){10, 10, 10}, (double[]){20, 20, 20});
	figures_add(&f, TRIO_TABLE, "bytes", "what", "unit", BENCH_LOWER, 0, 50);
	assert_float_equal(figure_ratio(&f.rows[0]), 2, 1e-9);
	assert_int_equal(figures_write(&f, dir, "t", "how", &err), 0);
	snprintf(path, sizeof path, "%s/t.json", dir);
	FILE *in = fopen(path, "re");
	assert_non_null(in);
	size_t n = fread(text, 1, sizeof text - 1, in);
	fclose(in);
	json_auto_t *j = json_lib_parse((struct slice){text, n}, &err);
	assert_float_equal(json_real_value(json_object_get(json_object_get(j, "bytes"), "table")), 50, 1e-9);
	assert_null(json_object_get(json_object_get(j, "plain"), "table"));
	unlink(path);
	rmdir(dir);
	figures_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_runs_of_one_key_share_a_row),
	        cmocka_unit_test(test_ratio_is_of_medians),
	        cmocka_unit_test(test_ratio_above_one_is_better_for_latencies_too),
	        cmocka_unit_test(test_no_ratio_without_the_other_side),
	        cmocka_unit_test(test_latencies_become_three_rows_in_milliseconds),
	        cmocka_unit_test(test_json_file_reads_back),
	        cmocka_unit_test(test_a_bare_table_is_a_column_and_no_part_of_the_ratio),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
