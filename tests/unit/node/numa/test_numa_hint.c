/* Where so many CPUs or devices could lie. */
#include "tests/unit/unit.h"

#include "base/check.h"
#include "node/numa/numa_hint.h"

static struct arena a;

static int release(void **state)
{
	arena_release(&a);
	return 0;
}

/* Units as a text of their nodes: "0011" are two of node 0 and two of node 1; an "x" behind one: it is taken, "h": held
 * by the pod; "-": near to none. Hints: their nodes as masks, "!" behind those that are preferred. */
static const char *hints(const char *text, uint64_t all, size_t wanted)
{
	struct numa_unit units[32];
	struct numa_wishes w = {.arena = &a};
	size_t n = 0;
	const char *out = "";
	for (const char *c = text; *c; c++)
		if (*c == 'x')
			units[n - 1].is_free = false;
		else if (*c == 'h')
			units[n - 1].is_held = true, units[n - 1].is_free = false;
		else
			units[n++] = (struct numa_unit){*c == '-' ? 0 : UINT64_C(1) << (*c - '0'), true, false};
	numa_wish_add_units(&w, all, units, n, wanted);
	assert_int_equal(w.count, 1);
	for (size_t i = 0; i < w.list[0].count; i++)
		out = arena_printf(&a, "%s%s%llu%s", out, i ? " " : "", (unsigned long long)w.list[0].list[i].nodes,
		        w.list[0].list[i].is_preferred ? "!" : "");
	return out;
}

static void sets_that_are_enough(void **state)
{
	assert_string_equal(hints("0011", 3, 1), "1! 2! 3");
	assert_string_equal(hints("0011", 3, 3), "3!");
	assert_string_equal(hints("0x0x11", 3, 2), "2! 3");
	assert_string_equal(hints("0x01x1", 3, 2), "3"); /* one node would do if it were free */
	assert_string_equal(hints("0x0x1x1x", 3, 1), "0");
	assert_string_equal(hints("00112233", 15, 4), "3! 5! 6! 7 9! 10! 11 12! 13 14 15");
}

static void what_the_pod_holds_must_be_near(void **state)
{
	assert_string_equal(hints("0h011", 3, 1), "1! 3");
	assert_string_equal(hints("0h01h1", 3, 2), "3");
	assert_string_equal(hints("-h011", 3, 1), "1! 2! 3");
}

static void who_is_near_to_none_does_not_count(void **state)
{
	assert_string_equal(hints("--0", 1, 1), "1!");
	assert_string_equal(hints("--0", 1, 2), "0");
}

static void sets_are_all_and_each_once(void **state)
{
	uint64_t all = 0xa5, set = 0;
	unsigned n = 0;
	while ((set = numa_next_set(all, set))) {
		assert_int_equal(set & ~all, 0);
		n++;
	}
	assert_int_equal(n, 15);
}

#define T(name) cmocka_unit_test_teardown(name, release)

int main(void)
{
	const struct CMUnitTest tests[] = {T(sets_that_are_enough), T(what_the_pod_holds_must_be_near),
	        T(who_is_near_to_none_does_not_count), T(sets_are_all_and_each_once)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
