/* One place out of many wishes, on a machine of four nodes of memory. */
#include "tests/unit/unit.h"

#include "base/check.h"
#include "node/topology/merge_int.h"

static struct arena a;
enum { ALL = 15 };

static int release(void **state)
{
	arena_release(&a);
	return 0;
}

/* Wishes apart by "|", hints by blanks: "1! 2! 3" are nodes 0, or 1, preferred, or both; "0!" makes no difference, "0"
 * is hopeless. The answer in the same words, "-" before it when it is not let in. */
static const char *merged(enum topology_policy policy, const char *text)
{
	struct numa_wishes w = {.arena = &a};
	struct slice rest = slice_of(text);
	struct numa_hint best;
	while (rest.len) {
		struct slice wish = slice_trim(slice_cut(&rest, '|'));
		struct numa_hint list[32];
		size_t n = 0;
		while (wish.len) {
			struct slice hint = slice_cut(&wish, ' ');
			uint64_t nodes;
			list[n].is_preferred = slice_ends(hint, "!");
			hint.len -= list[n].is_preferred;
			assert_true(slice_to_u64(hint, &nodes));
			list[n++].nodes = nodes;
		}
		numa_wish_add(&w, list, n);
	}
	bool may = topology_merge(policy, &w, ALL, &best);
	return arena_printf(
	        &a, "%s%llu%s", may ? "" : "-", (unsigned long long)best.nodes, best.is_preferred ? "!" : "");
}

#define ONE "1! 2! 4! 8! 3 5 6 9 10 12 7 11 13 14 15"
#define TWO "3! 5! 6! 9! 10! 12! 7 11 13 14 15"

static void without_a_policy_nobody_is_asked(void **state)
{
	assert_string_equal(merged(TOPOLOGY_NONE, "2! 3"), "0");
}

static void who_wishes_nothing_lies_anywhere(void **state)
{
	assert_string_equal(merged(TOPOLOGY_BEST_EFFORT, ""), "15!");
	assert_string_equal(merged(TOPOLOGY_RESTRICTED, "0!"), "15!");
	assert_string_equal(merged(TOPOLOGY_SINGLE_NODE, ""), "0!");
}

static void the_narrowest_that_all_prefer(void **state)
{
	assert_string_equal(merged(TOPOLOGY_RESTRICTED, ONE), "1!");
	assert_string_equal(merged(TOPOLOGY_RESTRICTED, TWO), "3!");
	assert_string_equal(merged(TOPOLOGY_RESTRICTED, ONE "|4! 8! 12"), "4!");
	assert_string_equal(merged(TOPOLOGY_SINGLE_NODE, ONE "|4! 8! 12|0!"), "4!");
}

/* Who needs two nodes and who needs one are preferred apart, not together. */
static void what_is_preferred_must_be_the_same_for_all(void **state)
{
	assert_string_equal(merged(TOPOLOGY_BEST_EFFORT, "1! 2! 3|3!"), "3");
	assert_string_equal(merged(TOPOLOGY_RESTRICTED, "1! 2! 3|3!"), "-3");
	assert_string_equal(merged(TOPOLOGY_SINGLE_NODE, "1! 2! 3|3!"), "-0");
	assert_string_equal(merged(TOPOLOGY_BEST_EFFORT, "1!|2!"), "15"); /* nothing in common */
}

static void as_wide_as_who_needs_the_most(void **state)
{
	assert_string_equal(merged(TOPOLOGY_BEST_EFFORT, "3 7 11|15"), "7"); /* one wish needs 4 */
	assert_string_equal(merged(TOPOLOGY_BEST_EFFORT, "1 3|7 11"), "3");
	assert_string_equal(merged(TOPOLOGY_BEST_EFFORT, "7 15"), "7");
}

static void who_cannot_have_it_is_let_in_by_best_effort_alone(void **state)
{
	assert_string_equal(merged(TOPOLOGY_BEST_EFFORT, "0|1! 2!"), "1");
	assert_string_equal(merged(TOPOLOGY_RESTRICTED, "0|1! 2!"), "-1");
	assert_string_equal(merged(TOPOLOGY_SINGLE_NODE, "0|1! 2!"), "-0");
}

/* Upstream looks at 15 to the power of twelve choices here. */
static void many_wishes_take_no_time(void **state)
{
	const char *text = ONE;
	for (int i = 0; i < 11; i++)
		text = arena_printf(&a, "%s|%s", text, i == 5 ? "8! 12" : ONE);
	assert_string_equal(merged(TOPOLOGY_RESTRICTED, text), "8!");
}

#define T(name) cmocka_unit_test_teardown(name, release)

int main(void)
{
	const struct CMUnitTest tests[] = {T(without_a_policy_nobody_is_asked), T(who_wishes_nothing_lies_anywhere),
	        T(the_narrowest_that_all_prefer), T(what_is_preferred_must_be_the_same_for_all),
	        T(as_wide_as_who_needs_the_most), T(who_cannot_have_it_is_let_in_by_best_effort_alone),
	        T(many_wishes_take_no_time)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
