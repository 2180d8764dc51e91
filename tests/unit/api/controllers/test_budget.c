/* Disruption budgets: how many pods must be healthy, and how many may go. */
#include "tests/unit/unit.h"

#include "api/controllers/budget.h"
#include "base/mem/arena.h"

static struct budget_counts of(const char *spec, int64_t expected, int64_t healthy)
{
	struct arena a = ARENA_INIT;
	struct budget_counts k = {.expected = expected, .healthy = healthy};
	budget_compute(json_parse(&a, slice_of(spec), NULL, NULL), &k);
	arena_release(&a);
	return k;
}

static void numbers_and_percentages_are_kept(void **state)
{
	assert_int_equal(of("{\"minAvailable\":2}", 3, 3).desired, 2);
	assert_int_equal(of("{\"minAvailable\":2}", 3, 3).allowed, 1);
	assert_int_equal(of("{\"minAvailable\":\"50%\"}", 5, 5).desired, 3); /* rounded up */
	assert_int_equal(of("{\"maxUnavailable\":1}", 5, 5).desired, 4);
	assert_int_equal(of("{\"maxUnavailable\":\"30%\"}", 5, 5).desired, 3);
	assert_int_equal(of("{\"maxUnavailable\":9}", 5, 0).desired, 0);
}

static void nothing_may_go_below_what_is_desired(void **state)
{
	assert_int_equal(of("{\"maxUnavailable\":1}", 5, 4).allowed, 0);
	assert_int_equal(of("{\"maxUnavailable\":1}", 5, 2).allowed, 0);
	assert_int_equal(of("{\"minAvailable\":0}", 0, 0).allowed, 0); /* there is nothing to go */
	assert_int_equal(of("{}", 3, 3).allowed, 3);
}

static void owners_are_asked_unless_a_number_must_be_there(void **state)
{
	struct arena a = ARENA_INIT;
	assert_true(budget_asks_owners(json_parse(&a, SLICE("{\"maxUnavailable\":1}"), NULL, NULL)));
	assert_true(budget_asks_owners(json_parse(&a, SLICE("{\"minAvailable\":\"5%\"}"), NULL, NULL)));
	assert_false(budget_asks_owners(json_parse(&a, SLICE("{\"minAvailable\":5}"), NULL, NULL)));
	arena_release(&a);
}

static void an_eviction_counts_for_two_minutes(void **state)
{
	assert_int_equal(budget_disrupted_s_left(1000, 1000), 120);
	assert_int_equal(budget_disrupted_s_left(1000, 1119), 1);
	assert_int_equal(budget_disrupted_s_left(1000, 1120), 0);
	assert_int_equal(budget_disrupted_s_left(1000, 9000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(numbers_and_percentages_are_kept),
	        cmocka_unit_test(nothing_may_go_below_what_is_desired),
	        cmocka_unit_test(owners_are_asked_unless_a_number_must_be_there),
	        cmocka_unit_test(an_eviction_counts_for_two_minutes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
