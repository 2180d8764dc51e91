/* Sets of completion indexes: their text, and what is asked of them. */
#include "tests/unit/unit_json.h"

#include "api/machinery/rules/groups/batch/job_indexes.h"

static const char *again(const char *text, int64_t completions)
{
	struct job_indexes x = job_indexes_parse(&a, slice_of(text), completions);
	return job_indexes_text(&a, &x);
}

static void a_text_is_read_and_written_the_same(void **state)
{
	static const char *const texts[] = {"", "0", "0,2", "1,3-5,7", "0-99"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		assert_string_equal(again(texts[i], 100), texts[i]);
}

static void two_neighbours_are_a_list_and_three_a_range(void **state)
{
	int64_t two[] = {4, 5}, three[] = {4, 5, 5, 6, 9};
	struct job_indexes x = job_indexes_of(&a, two, 2), y = job_indexes_of(&a, three, 5);
	assert_string_equal(job_indexes_text(&a, &x), "4,5");
	assert_string_equal(job_indexes_text(&a, &y), "4-6,9");
}

static void what_no_longer_fits_is_left_out(void **state)
{
	assert_string_equal(again("1,3-9", 5), "1,3,4");
	assert_string_equal(again("7", 5), "");
	assert_string_equal(again("x,2,1-,-3,4", 5), "2,4");
}

static void sets_join_and_are_counted(void **state)
{
	struct job_indexes x = job_indexes_parse(&a, SLICE("0-2,8"), 20),
	                   y = job_indexes_parse(&a, SLICE("2-4,6,9"), 20);
	struct job_indexes both = job_indexes_join(&a, &x, &y);
	assert_string_equal(job_indexes_text(&a, &both), "0-4,6,8,9");
	assert_int_equal(job_indexes_total(&both), 8);
	assert_int_equal(job_indexes_common(&x, &y), 1);
	assert_true(job_indexes_has(&both, 6) && job_indexes_has(&both, 0) && job_indexes_has(&both, 9));
	assert_false(job_indexes_has(&both, 5) || job_indexes_has(&both, 7) || job_indexes_has(&both, 10));
}

static void free_indexes_are_the_first_that_are_missing(void **state)
{
	struct job_indexes x = job_indexes_parse(&a, SLICE("0,2,3,6"), 8), none = {0};
	int64_t out[8];
	assert_int_equal(job_indexes_free(&x, 8, 8, out), 4);
	assert_true(out[0] == 1 && out[1] == 4 && out[2] == 5 && out[3] == 7);
	assert_int_equal(job_indexes_free(&x, 8, 2, out), 2);
	assert_int_equal(job_indexes_free(&x, 3, 8, out), 1);
	assert_int_equal(job_indexes_free(&none, 3, 8, out), 3);
}

static void the_first_that_two_share(void **state)
{
	struct job_indexes x = job_indexes_parse(&a, SLICE("0,2-4,8"), 10),
	                   y = job_indexes_parse(&a, SLICE("1,4-9"), 10),
	                   z = job_indexes_parse(&a, SLICE("1,5-7,9"), 10);
	assert_int_equal(job_indexes_first_common(&x, &y), 4);
	assert_int_equal(job_indexes_first_common(&x, &z), -1);
}

static void a_wrong_text_is_refused_with_its_reason(void **state)
{
	static const char *const cases[][2] = {{"a", "cannot convert string to integer for index: \"a\""},
	        {"1-b", "cannot convert string to integer for index: \"b\""},
	        {"1,", "cannot convert string to integer for index: \"\""},
	        {"1-2-3", "the fragment \"1-2-3\" violates the requirement that an index interval can have at most "
	                  "two parts separated by '-'"},
	        {"10-11", "too large index: \"10\""}, {"1,1", "non-increasing order, previous: 1, current: 1"},
	        {"3-2", "non-increasing order, previous: 3, current: 2"}, {"1,10", "too large index: \"10\""}};
	int64_t total;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *got = job_indexes_check(&a, slice_of(cases[i][0]), 10, &total);
		assert_non_null(got);
		assert_string_equal(got, cases[i][1]);
	}
	assert_null(job_indexes_check(&a, SLICE("0,2-4"), 10, &total));
	assert_int_equal(total, 4);
	assert_null(job_indexes_check(&a, SLICE(""), 10, &total));
	assert_int_equal(total, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(a_text_is_read_and_written_the_same, release),
	        cmocka_unit_test_teardown(two_neighbours_are_a_list_and_three_a_range, release),
	        cmocka_unit_test_teardown(what_no_longer_fits_is_left_out, release),
	        cmocka_unit_test_teardown(sets_join_and_are_counted, release),
	        cmocka_unit_test_teardown(free_indexes_are_the_first_that_are_missing, release),
	        cmocka_unit_test_teardown(the_first_that_two_share, release),
	        cmocka_unit_test_teardown(a_wrong_text_is_refused_with_its_reason, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
