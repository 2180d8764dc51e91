/* When a volume is attached, told and detached: api/controllers/attach_plan.c. */
#include "tests/unit/unit.h"

#include "api/controllers/attach_plan.h"

static enum attach_step next(struct attach_facts f)
{
	uint64_t wait;
	return attach_next(&f, &wait);
}

static void a_volume_that_is_wanted_is_attached_and_then_told(void **state)
{
	assert_int_equal(next((struct attach_facts){.is_wanted = true}), ATTACH_MAKE);
	assert_int_equal(next((struct attach_facts){.is_wanted = true, .is_there = true}), ATTACH_REST);
	assert_int_equal(
	        next((struct attach_facts){.is_wanted = true, .is_there = true, .is_attached = true}), ATTACH_TELL);
	assert_int_equal(
	        next((struct attach_facts){.is_wanted = true, .is_there = true, .is_attached = true, .is_told = true}),
	        ATTACH_REST);
}

static void a_volume_that_is_lost_is_untold_before_it_is_made_again(void **state)
{
	struct attach_facts f = {.is_wanted = true, .is_told = true};
	assert_int_equal(next(f), ATTACH_UNTELL);
	f.is_there = f.is_attached = f.is_leaving = true;
	assert_int_equal(next(f), ATTACH_UNTELL);
	f.is_told = false;
	assert_int_equal(next(f), ATTACH_REST);
}

static void only_an_exclusive_volume_is_blocked_by_another_node(void **state)
{
	struct attach_facts f = {.is_wanted = true, .is_elsewhere = true};
	assert_int_equal(next(f), ATTACH_MAKE);
	f.is_exclusive = true;
	assert_int_equal(next(f), ATTACH_BLOCKED);
	f.is_there = true; /* it was attached before the other: nothing is taken away */
	assert_int_equal(next(f), ATTACH_REST);
}

static void nothing_is_attached_to_a_node_that_is_gone(void **state)
{
	assert_int_equal(next((struct attach_facts){.is_wanted = true, .node_is_gone = true}), ATTACH_REST);
}

static void a_volume_in_use_is_not_detached(void **state)
{
	struct attach_facts f = {
	        .is_there = true, .is_attached = true, .is_told = true, .is_in_use = true, .node_is_healthy = true};
	uint64_t wait;
	f.unwanted_ms = 10 * ATTACH_FORCE_MS; /* a healthy node is waited for without end */
	assert_int_equal(attach_next(&f, &wait), ATTACH_REST);
	assert_int_equal(wait, 0);
	f.is_in_use = false;
	assert_int_equal(attach_next(&f, &wait), ATTACH_UNTELL);
}

static void a_volume_is_untold_and_looked_at_again_before_it_is_detached(void **state)
{
	struct attach_facts f = {.is_there = true, .is_attached = true, .node_is_healthy = true};
	assert_int_equal(next(f), ATTACH_REMOVE);
	f.is_in_use = true; /* the kubelet was quicker */
	assert_int_equal(next(f), ATTACH_REST);
	f.is_in_use = false;
	f.is_leaving = true;
	assert_int_equal(next(f), ATTACH_REST);
}

static void a_node_that_is_not_healthy_is_waited_for_six_minutes(void **state)
{
	struct attach_facts f = {.is_there = true, .is_in_use = true, .unwanted_ms = 60000};
	uint64_t wait;
	assert_int_equal(attach_next(&f, &wait), ATTACH_REST);
	assert_int_equal(wait, ATTACH_FORCE_MS - 60000);
	f.unwanted_ms = ATTACH_FORCE_MS;
	assert_int_equal(attach_next(&f, &wait), ATTACH_REMOVE);
}

static void a_node_out_of_service_or_gone_is_not_waited_for(void **state)
{
	struct attach_facts f = {.is_there = true, .is_in_use = true, .node_is_out_of_service = true};
	assert_int_equal(next(f), ATTACH_REMOVE);
	f.node_is_out_of_service = false;
	f.node_is_gone = f.is_told = true;
	assert_int_equal(next(f), ATTACH_REMOVE);
}

static void names_are_upstreams(void **state)
{
	struct arena a = ARENA_INIT;
	/* sha256 of "vol-1csi.example.comnode-1" */
	assert_string_equal(attach_name(&a, SLICE("vol-1"), SLICE("csi.example.com"), SLICE("node-1")),
	        "csi-b74c7fc125891ffa0d0f2e0d645733e3fae7fba3066e76500a771ea08be9da28");
	assert_string_equal(attach_unique_name(&a, SLICE("csi.example.com"), SLICE("vol-1")),
	        "kubernetes.io/csi/csi.example.com^vol-1");
	arena_release(&a);
}

static void a_volume_is_exclusive_when_no_mode_is_for_many_nodes(void **state)
{
	struct arena a = ARENA_INIT;
	assert_true(attach_is_exclusive(json_literal(&a, "[\"ReadWriteOnce\"]")));
	assert_true(attach_is_exclusive(json_literal(&a, "[\"ReadWriteOncePod\"]")));
	assert_false(attach_is_exclusive(json_literal(&a, "[\"ReadWriteOnce\",\"ReadOnlyMany\"]")));
	assert_false(attach_is_exclusive(json_literal(&a, "[\"ReadWriteMany\"]")));
	assert_false(attach_is_exclusive(NULL));
	arena_release(&a);
}

static void a_pod_is_over_when_it_ended_or_goes_and_nothing_runs(void **state)
{
	struct arena a = ARENA_INIT;
	assert_false(attach_pod_is_over(json_literal(&a, "{\"status\":{\"phase\":\"Running\"}}")));
	assert_true(attach_pod_is_over(json_literal(&a, "{\"status\":{\"phase\":\"Failed\"}}")));
	assert_false(attach_pod_is_over(json_literal(&a,
	        "{\"metadata\":{\"deletionTimestamp\":\"x\"},\"status\":{\"containerStatuses\":[{\"state\":{"
	        "\"running\":{}}}]}}")));
	assert_true(attach_pod_is_over(json_literal(&a,
	        "{\"metadata\":{\"deletionTimestamp\":\"x\"},\"status\":{\"containerStatuses\":[{\"state\":{"
	        "\"terminated\":{}}}]}}")));
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_volume_that_is_wanted_is_attached_and_then_told),
	        cmocka_unit_test(a_volume_that_is_lost_is_untold_before_it_is_made_again),
	        cmocka_unit_test(only_an_exclusive_volume_is_blocked_by_another_node),
	        cmocka_unit_test(nothing_is_attached_to_a_node_that_is_gone),
	        cmocka_unit_test(a_volume_in_use_is_not_detached),
	        cmocka_unit_test(a_volume_is_untold_and_looked_at_again_before_it_is_detached),
	        cmocka_unit_test(a_node_that_is_not_healthy_is_waited_for_six_minutes),
	        cmocka_unit_test(a_node_out_of_service_or_gone_is_not_waited_for),
	        cmocka_unit_test(names_are_upstreams),
	        cmocka_unit_test(a_volume_is_exclusive_when_no_mode_is_for_many_nodes),
	        cmocka_unit_test(a_pod_is_over_when_it_ended_or_goes_and_nothing_runs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
