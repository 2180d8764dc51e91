/* The kernel's texts as observations. */
#include "tests/unit/unit.h"

#include "node/eviction/observe_int.h"

static void memory_is_what_is_free_and_idle(void **state)
{
	struct eviction_observation o = observe_memory(SLICE("MemTotal:       1000 kB\nMemFree:         300 kB\n"
	                                                     "MemAvailable:    900 kB\nActive(file):     10 kB\n"
	                                                     "Inactive(file):   50 kB\n"));
	assert_true(o.is_known);
	assert_int_equal(o.available, 350 * 1024);
	assert_int_equal(o.capacity, 1000 * 1024);
	assert_false(observe_memory(SLICE("MemTotal: 1000 kB\n")).is_known);
	assert_false(observe_memory(SLICE("MemTotal: x\nMemFree: 1\nInactive(file): 1\n")).is_known);
}

static void processes_are_tasks(void **state)
{
	struct eviction_observation o = observe_pids(SLICE("0.20 0.18 0.12 1/80 11206\n"), 100);
	assert_true(o.is_known);
	assert_int_equal(o.available, 20);
	assert_false(observe_pids(SLICE("0.20 0.18"), 100).is_known);
	assert_false(observe_pids(SLICE("0.20 0.18 0.12 1/80 11206\n"), -1).is_known);
}

static void this_machine_is_seen(void **state)
{
	struct eviction_observation seen[SIGNALS_COUNT];
	bool is_one;
	observe(&(struct observe_paths){"/", "/"}, seen, &is_one);
	assert_true(is_one);
	assert_true(seen[SIGNAL_MEMORY_AVAILABLE].is_known && seen[SIGNAL_MEMORY_AVAILABLE].available > 0);
	assert_true(seen[SIGNAL_PID_AVAILABLE].is_known && seen[SIGNAL_PID_AVAILABLE].available > 0);
	assert_true(seen[SIGNAL_NODEFS_AVAILABLE].is_known);
	assert_int_equal(seen[SIGNAL_NODEFS_AVAILABLE].capacity, seen[SIGNAL_IMAGEFS_AVAILABLE].capacity);
	observe(&(struct observe_paths){"/", "/proc/self"}, seen, &is_one);
	assert_false(is_one);
	observe(&(struct observe_paths){"/no/such", NULL}, seen, &is_one);
	assert_false(seen[SIGNAL_NODEFS_AVAILABLE].is_known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(memory_is_what_is_free_and_idle),
	        cmocka_unit_test(processes_are_tasks),
	        cmocka_unit_test(this_machine_is_seen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
