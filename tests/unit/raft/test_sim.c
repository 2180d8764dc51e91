/* raft/ as a whole: clusters in the simulator survive some hundreds of seeds, and fail once a workaround is taken away
 * (those whose absence shows often in libraft as Debian builds it; the others need thousands of seeds or its
 * assertions). */
#include "tests/sim/sim.h"

#include "raft/adapter/adapter.h"

#include "base/buggify.h"
#include "base/check.h"

#include "tests/unit/unit.h"

static void clusters_agree_whatever_happens(void **state)
{
	struct sim_options o = {0};
	struct sim_totals t = {0};
	for (uint64_t seed = 1; seed <= 300; seed++)
		assert_int_equal(sim_run_seed(seed, &o, &t), 0);
	assert_true(t.crashes > 500 && t.reads > 1000 && t.changes > 100 && t.snapshots > 1000);
	for (int i = 0; i < BUGGIFY_POINT_COUNT; i++) /* the rare branches that are forced were reached */
		if (t.rare[i] < 100)
			fail_msg("%s was taken %llu times", buggify_name((enum buggify_point)i),
			        (unsigned long long)t.rare[i]);
}

static void stores_agree_whatever_happens(void **state)
{
	struct sim_options o = {.with_store = 1};
	struct sim_totals t = {0};
	for (uint64_t seed = 1; seed <= 40; seed++)
		assert_int_equal(sim_run_seed(seed, &o, &t), 0);
	assert_true(t.crashes > 50 && t.installs > 50);
}

static void a_seed_runs_the_same_way_twice(void **state)
{
	struct sim_options o = {0};
	struct sim_totals first = {0}, second = {0};
	assert_int_equal(sim_run_seed(7, &o, &first), 0);
	assert_int_equal(sim_run_seed(7, &o, &second), 0);
	assert_memory_equal(&first, &second, sizeof first);
}

/* Seeds until one fails: which one does changes with every change of the simulation, that one does must not. */
static void a_workaround_taken_away_is_noticed(void **state)
{
	static const int known[] = {1, 2, 3, 8, 9, 10, 13};
	struct sim_totals t = {0};
	for (size_t i = 0; i < COUNT_OF(known); i++) {
		struct sim_options o = {.workarounds_off = WORKAROUND(known[i]), .quiet = 1};
		uint64_t seed = 1;
		while (seed <= 2000 && sim_run_seed(seed, &o, &t) == 0)
			seed++;
		assert_true(seed <= 2000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(clusters_agree_whatever_happens),
	        cmocka_unit_test(stores_agree_whatever_happens),
	        cmocka_unit_test(a_seed_runs_the_same_way_twice),
	        cmocka_unit_test(a_workaround_taken_away_is_noticed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
