/* Which CPUs are taken, on a machine of two sockets with two cores of two threads each. */
#include "tests/unit/unit.h"

#include "node/cpus/cpu_plan_int.h"

/* Threads of a core are n and n + 4, as on real machines: socket 0 has 0 4 1 5, socket 1 has 2 6 3 7. */
static struct cpu_topology machine(void)
{
	struct cpu_topology t = {.count = 8};
	for (unsigned i = 0; i < 8; i++)
		t.list[i] = (struct cpu_place){i, i % 4, i % 4 / 2};
	return t;
}

static const char *taken(const char *from, unsigned n)
{
	static struct arena a;
	struct cpu_topology t = machine();
	struct cpu_set f, s;
	assert_true(cpu_set_parse(slice_of(from), &f));
	return cpu_plan_take(&t, &f, n, &s) ? cpu_set_text(&s, &a) : "none";
}

static void whole_sockets_go_first(void **state)
{
	assert_string_equal(taken("0-7", 4), "0-1,4-5");
	assert_string_equal(taken("1-7", 4), "2-3,6-7");
	assert_string_equal(taken("0-7", 8), "0-7");
}

static void then_whole_cores(void **state)
{
	assert_string_equal(taken("0-7", 2), "0,4");
	assert_string_equal(taken("1-7", 2), "1,5"); /* of the socket that is broken already */
	assert_string_equal(taken("0-7", 6), "0-2,4-6");
}

static void then_single_ones_next_to_them(void **state)
{
	assert_string_equal(taken("0-7", 1), "0");
	assert_string_equal(taken("1-7", 1), "4"); /* its sibling is gone already */
	assert_string_equal(taken("0-7", 3), "0-1,4");
	assert_string_equal(taken("0-7", 5), "0-2,4-5");
}

static void there_may_be_too_few(void **state)
{
	assert_string_equal(taken("0-2", 4), "none");
	assert_string_equal(taken("", 1), "none");
	assert_string_equal(taken("900", 1), "none"); /* the machine has no such one */
	assert_string_equal(taken("3", 0), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(whole_sockets_go_first),
	        cmocka_unit_test(then_whole_cores),
	        cmocka_unit_test(then_single_ones_next_to_them),
	        cmocka_unit_test(there_may_be_too_few),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
