/* When a node is short of something: thresholds, what is to be gained on top, graces, pressures that last. */
#include "tests/unit/unit_json.h"

#include "base/check.h"
#include "node/eviction/eviction_core_int.h"
#include "node/ground/node_record.h"

static struct eviction_core c;
static struct eviction_observation seen[SIGNALS_COUNT];

static void set(const char *tree, uint64_t transition_ms)
{
	struct eviction_thresholds t;
	struct err err = ERR_INIT;
	if (eviction_thresholds_read(parse(tree), &t, &err) != 0)
		fail_msg("%s", err.msg);
	eviction_core_init(&c, &t, transition_ms);
	memset(seen, 0, sizeof seen);
}

static struct eviction_decision look(enum eviction_signal s, int64_t available, uint64_t now_ms)
{
	seen[s] = (struct eviction_observation){true, available, 1000};
	return eviction_core_look(&c, seen, now_ms);
}

static void less_than_the_threshold_is_short(void **state)
{
	set("{\"evictionHard\":{\"memory.available\":\"100\"}}", 0);
	assert_null(look(SIGNAL_MEMORY_AVAILABLE, 100, 1).reclaim);
	struct eviction_decision d = look(SIGNAL_MEMORY_AVAILABLE, 99, 2);
	assert_int_equal(d.pressures, NODE_PRESSURE_MEMORY);
	assert_int_equal(d.reclaim->signal, SIGNAL_MEMORY_AVAILABLE);
	d = look(SIGNAL_MEMORY_AVAILABLE, 100, 3);
	assert_int_equal(d.pressures, 0);
	assert_null(d.reclaim);
}

static void a_share_is_of_the_capacity(void **state)
{
	set("{\"evictionHard\":{\"nodefs.available\":\"7.5%\",\"imagefs.inodesFree\":\"100%\",\"pid.available\":\"0%\"}"
	    "}",
	        0);
	assert_int_equal(c.thresholds.count, 1); /* all or nothing is no threshold */
	assert_null(look(SIGNAL_NODEFS_AVAILABLE, 75, 1).reclaim);
	assert_int_equal(look(SIGNAL_NODEFS_AVAILABLE, 74, 1).pressures, NODE_PRESSURE_DISK);
}

static void it_is_over_when_enough_is_gained(void **state)
{
	set("{\"evictionHard\":{\"nodefs.available\":\"5%\"},\"evictionMinimumReclaim\":{\"nodefs.available\":\"10%\"}"
	    "}",
	        0);
	assert_null(look(SIGNAL_NODEFS_AVAILABLE, 60, 1).reclaim);
	assert_non_null(look(SIGNAL_NODEFS_AVAILABLE, 49, 2).reclaim);
	assert_non_null(look(SIGNAL_NODEFS_AVAILABLE, 149, 3).reclaim);
	assert_null(look(SIGNAL_NODEFS_AVAILABLE, 150, 4).reclaim);
	assert_null(look(SIGNAL_NODEFS_AVAILABLE, 60, 5).reclaim);
}

static void a_soft_one_waits_for_its_grace(void **state)
{
	set("{\"evictionSoft\":{\"memory.available\":\"100\"},\"evictionSoftGracePeriod\":{\"memory.available\":"
	    "\"10s\"}}",
	        0);
	struct eviction_decision d = look(SIGNAL_MEMORY_AVAILABLE, 50, 1000);
	assert_int_equal(d.pressures, NODE_PRESSURE_MEMORY);
	assert_null(d.reclaim);
	assert_null(look(SIGNAL_MEMORY_AVAILABLE, 50, 10999).reclaim);
	assert_non_null(look(SIGNAL_MEMORY_AVAILABLE, 50, 11000).reclaim);
	assert_null(look(SIGNAL_MEMORY_AVAILABLE, 200, 12000).reclaim);
	assert_null(look(SIGNAL_MEMORY_AVAILABLE, 50, 13000).reclaim); /* its time begins anew */
}

static void a_pressure_lasts_for_its_transition(void **state)
{
	set("{\"evictionHard\":{\"pid.available\":\"10\"}}", 5000);
	assert_int_equal(look(SIGNAL_PID_AVAILABLE, 9, 1000).pressures, NODE_PRESSURE_PID);
	assert_int_equal(look(SIGNAL_PID_AVAILABLE, 50, 5999).pressures, NODE_PRESSURE_PID);
	assert_int_equal(look(SIGNAL_PID_AVAILABLE, 50, 6000).pressures, 0);
}

static void memory_goes_first(void **state)
{
	set("{\"evictionHard\":{\"pid.available\":\"10\",\"nodefs.available\":\"10\",\"memory.available\":\"10\"}}", 0);
	seen[SIGNAL_PID_AVAILABLE] = seen[SIGNAL_NODEFS_AVAILABLE] = (struct eviction_observation){true, 1, 1000};
	struct eviction_decision d = look(SIGNAL_MEMORY_AVAILABLE, 1, 1);
	assert_int_equal(d.reclaim->signal, SIGNAL_MEMORY_AVAILABLE);
	assert_int_equal(d.pressures, NODE_PRESSURE_MEMORY | NODE_PRESSURE_DISK | NODE_PRESSURE_PID);
	assert_int_equal(look(SIGNAL_MEMORY_AVAILABLE, 11, 2).reclaim->signal, SIGNAL_PID_AVAILABLE);
}

static void what_is_not_seen_changes_nothing(void **state)
{
	set("{\"evictionHard\":{\"memory.available\":\"10\"}}", 0);
	assert_null(eviction_core_look(&c, seen, 1).reclaim);
	assert_non_null(look(SIGNAL_MEMORY_AVAILABLE, 1, 2).reclaim);
	assert_true(eviction_core_is_short(&c, seen));
	seen[SIGNAL_MEMORY_AVAILABLE].is_known = false;
	assert_non_null(eviction_core_look(&c, seen, 3).reclaim);
	assert_false(eviction_core_is_short(&c, seen));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(less_than_the_threshold_is_short, release),
	        cmocka_unit_test_teardown(a_share_is_of_the_capacity, release),
	        cmocka_unit_test_teardown(it_is_over_when_enough_is_gained, release),
	        cmocka_unit_test_teardown(a_soft_one_waits_for_its_grace, release),
	        cmocka_unit_test_teardown(a_pressure_lasts_for_its_transition, release),
	        cmocka_unit_test_teardown(memory_goes_first, release),
	        cmocka_unit_test_teardown(what_is_not_seen_changes_nothing, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
