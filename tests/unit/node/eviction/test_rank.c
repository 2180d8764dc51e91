/* Who goes first when the node is short, and what he is told. */
#include "tests/unit/unit_json.h"

#include "base/check.h"
#include "node/eviction/rank_int.h"

static const char *order(enum eviction_signal s, struct eviction_candidate *list, size_t n)
{
	const char *text = "";
	eviction_rank(s, list, n);
	for (size_t i = 0; i < n; i++)
		text = arena_printf(&a, "%s%s", text, list[i].uid);
	return text;
}

static void who_exceeds_goes_before_who_does_not(void **state)
{
	struct eviction_candidate list[] = {
	        {.uid = "a", .priority = 0, .is_measured = true, .amount = 90, .request = 100},
	        {.uid = "b", .priority = 9, .is_measured = true, .amount = 11, .request = 10},
	        {.uid = "c", .priority = 0, .is_measured = true, .amount = 12, .request = 10},
	        {.uid = "d", .priority = 0, .is_measured = true, .amount = 50, .request = 0},
	        {.uid = "e", .priority = 5, .is_measured = false},
	};
	assert_string_equal(order(SIGNAL_MEMORY_AVAILABLE, list, COUNT_OF(list)), "edcba");
	assert_string_equal(order(SIGNAL_NODEFS_AVAILABLE, list, COUNT_OF(list)), "edcba");
}

static void of_processes_the_number_counts(void **state)
{
	struct eviction_candidate list[] = {
	        {.uid = "a", .priority = 7, .is_measured = true, .amount = 900},
	        {.uid = "b", .priority = 0, .is_measured = true, .amount = 3},
	        {.uid = "c", .priority = 0, .is_measured = true, .amount = 40},
	};
	assert_string_equal(order(SIGNAL_PID_AVAILABLE, list, COUNT_OF(list)), "cba");
}

static void the_system_is_spared(void **state)
{
	assert_true(eviction_spares(parse("{\"priority\":2000000000}"), false));
	assert_true(eviction_spares(parse("{\"priority\":2000001000}"), false));
	assert_true(eviction_spares(parse("{}"), true));
	assert_false(eviction_spares(parse("{\"priority\":1999999999}"), false));
}

static void the_words_are_upstreams(void **state)
{
	struct eviction_threshold t = {.signal = SIGNAL_MEMORY_AVAILABLE, .below = {0, 100 << 20}};
	struct eviction_observation seen = {true, 95 << 20, 1 << 30};
	struct eviction_use uses[] = {{"c", 3 << 20, 1 << 20}, {"d", 1 << 20, 1 << 20}};
	struct eviction_candidate p = {.uid = "a", .containers = uses, .containers_count = 2};
	assert_string_equal(eviction_message(&a, &t, &seen, &p),
	        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 95Mi. Container c was "
	        "using 3Mi, request is 1Mi, has larger consumption of memory. ");
	t = (struct eviction_threshold){.signal = SIGNAL_PID_AVAILABLE, .below = {0.5, 0}};
	seen = (struct eviction_observation){true, 3, 20};
	assert_string_equal(eviction_message(&a, &t, &seen, &p),
	        "The node was low on resource: pids. Threshold quantity: 10, available: 3. ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(who_exceeds_goes_before_who_does_not, release),
	        cmocka_unit_test_teardown(of_processes_the_number_counts, release),
	        cmocka_unit_test_teardown(the_system_is_spared, release),
	        cmocka_unit_test_teardown(the_words_are_upstreams, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
