/* When a node says that it is Ready: most of all after a start of ours under which its pods run on. */
#include "tests/unit/unit_json.h"

#include "node/status/readiness_int.h"

#define NODE(ready) \
	"{\"status\":{\"conditions\":[{\"type\":\"MemoryPressure\",\"status\":\"False\"}," \
	"{\"type\":\"Ready\",\"status\":\"" ready "\"}],\"nodeInfo\":{\"bootID\":\"b1\"}}}"

static const struct readiness_facts started = {.boot_id = "b1", .age_ms = 500};

static void runtime_and_network_make_it_ready(void **state)
{
	struct readiness_facts f = {.runtime_ready = true, .network_ready = true, .boot_id = "b1"};
	assert_true(readiness_judge(&f).is_ready);
	assert_string_equal(readiness_judge(&f).message, "kubelet is posting ready status");
	f.network_ready = false;
	assert_non_null(strstr(readiness_judge(&f).message, "NetworkPluginNotReady"));
	f.runtime_ready = false;
	assert_string_equal(readiness_judge(&f).message, "container runtime is not ready");
	assert_string_equal(readiness_judge(&f).reason, "KubeletNotReady");
}

static void a_new_node_is_not(void **state)
{
	struct readiness_facts f = started;
	assert_false(readiness_judge(&f).is_ready);
	f.old = parse("{\"status\":{}}");
	assert_false(readiness_judge(&f).is_ready);
}

static void one_that_was_stays_so_over_a_start_of_ours(void **state)
{
	struct readiness_facts f = started;
	f.old = parse(NODE("True"));
	assert_true(readiness_judge(&f).is_ready);
	f.runtime_ready = true;
	assert_true(readiness_judge(&f).is_ready);
}

static void what_was_not_ready_does_not_become_so(void **state)
{
	struct readiness_facts f = started;
	f.old = parse(NODE("Unknown"));
	assert_false(readiness_judge(&f).is_ready);
	f.old = parse(NODE("False"));
	assert_false(readiness_judge(&f).is_ready);
}

static void not_over_a_boot(void **state)
{
	struct readiness_facts f = started;
	f.old = parse(NODE("True"));
	f.boot_id = "b2";
	assert_false(readiness_judge(&f).is_ready);
	f.old = parse("{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}");
	f.boot_id = "";
	assert_false(readiness_judge(&f).is_ready);
}

static void not_for_ever(void **state)
{
	struct readiness_facts f = started;
	f.old = parse(NODE("True"));
	f.age_ms = 119999;
	assert_true(readiness_judge(&f).is_ready);
	f.age_ms = 120000;
	assert_false(readiness_judge(&f).is_ready);
}

static void what_falls_afterwards_is_told_at_once(void **state)
{
	struct readiness_facts f = started;
	f.old = parse(NODE("True"));
	f.was_ready = true;
	assert_false(readiness_judge(&f).is_ready);
}

static void a_shutdown_goes_before_all(void **state)
{
	struct readiness_facts f = {
	        .runtime_ready = true, .network_ready = true, .is_shutting_down = true, .boot_id = "b1"};
	assert_string_equal(readiness_judge(&f).message, "node is shutting down");
	f.runtime_ready = false;
	f.old = parse(NODE("True"));
	assert_false(readiness_judge(&f).is_ready);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(runtime_and_network_make_it_ready, release),
	        cmocka_unit_test_teardown(a_new_node_is_not, release),
	        cmocka_unit_test_teardown(one_that_was_stays_so_over_a_start_of_ours, release),
	        cmocka_unit_test_teardown(what_was_not_ready_does_not_become_so, release),
	        cmocka_unit_test_teardown(not_over_a_boot, release),
	        cmocka_unit_test_teardown(not_for_ever, release),
	        cmocka_unit_test_teardown(what_falls_afterwards_is_told_at_once, release),
	        cmocka_unit_test_teardown(a_shutdown_goes_before_all, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
