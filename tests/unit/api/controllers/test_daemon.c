/* Daemon sets: which nodes get a pod, which pods go, what an update takes away at once. */
#include "tests/unit/unit.h"

#include "api/controllers/daemon.h"
#include "base/mem/arena.h"

static struct json *parsed(struct arena *a, const char *text)
{
	struct json *v = json_parse(a, slice_of(text), NULL, NULL);
	assert_non_null(v);
	return v;
}

/* ---- nodes ---- */

static struct daemon_verdict judge(const char *spec, const char *taints)
{
	struct arena a = ARENA_INIT;
	struct json *tree = parsed(&a, spec);
	daemon_tolerate(&a, tree);
	const char *node = arena_printf(&a,
	        "{\"metadata\":{\"name\":\"n1\",\"labels\":{\"disk\":\"ssd\"}},\"spec\":{\"taints\":[%s]}}", taints);
	struct daemon_verdict v = daemon_judge_node(tree, slice_of(node));
	arena_release(&a);
	return v;
}

static void assert_verdict(struct daemon_verdict v, bool runs, bool stays)
{
	assert_int_equal(v.runs, runs);
	assert_int_equal(v.stays, stays);
}

static void nodes_are_judged_by_selectors_and_taints(void **state)
{
	assert_verdict(judge("{}", ""), true, true);
	assert_verdict(judge("{\"nodeSelector\":{\"disk\":\"ssd\"}}", ""), true, true);
	assert_verdict(judge("{\"nodeSelector\":{\"disk\":\"hdd\"}}", ""), false, false);
	assert_verdict(judge("{\"nodeName\":\"n2\"}", ""), false, false);
	assert_verdict(judge("{\"affinity\":{\"nodeAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":{"
	                     "\"nodeSelectorTerms\":[{\"matchFields\":[{\"key\":\"metadata.name\",\"operator\":\"In\","
	                     "\"values\":[\"n2\"]}]}]}}}}",
	                       ""),
	        false, false);
	assert_verdict(judge("{}", "{\"key\":\"a\",\"effect\":\"NoSchedule\"}"), false, true);
	assert_verdict(judge("{}", "{\"key\":\"a\",\"effect\":\"NoExecute\"}"), false, false);
	assert_verdict(judge("{}", "{\"key\":\"a\",\"effect\":\"PreferNoSchedule\"}"), true, true);
	assert_verdict(
	        judge("{\"tolerations\":[{\"operator\":\"Exists\"}]}", "{\"key\":\"a\",\"effect\":\"NoExecute\"}"),
	        true, true);
}

static void daemons_bear_what_comes_with_conditions(void **state)
{
	assert_verdict(judge("{}", "{\"key\":\"node.kubernetes.io/unschedulable\",\"effect\":\"NoSchedule\"},"
	                           "{\"key\":\"node.kubernetes.io/not-ready\",\"effect\":\"NoExecute\"}"),
	        true, true);
	const char *no_network = "{\"key\":\"node.kubernetes.io/network-unavailable\",\"effect\":\"NoSchedule\"}";
	assert_verdict(judge("{}", no_network), false, true);
	assert_verdict(judge("{\"hostNetwork\":true}", no_network), true, true);
}

static void a_second_round_of_tolerations_adds_nothing(void **state)
{
	struct arena a = ARENA_INIT;
	struct json *spec = parsed(&a, "{\"hostNetwork\":true}");
	daemon_tolerate(&a, spec);
	daemon_tolerate(&a, spec);
	assert_int_equal(json_get(spec, "tolerations")->count, 7);
	arena_release(&a);
}

static void a_pinned_pod_says_where_it_belongs(void **state)
{
	struct arena a = ARENA_INIT;
	struct strbuf text = STRBUF_INIT;
	struct json *pod = parsed(&a, "{\"spec\":{\"affinity\":{\"nodeAffinity\":{"
	                              "\"requiredDuringSchedulingIgnoredDuringExecution\":{\"nodeSelectorTerms\":[{"
	                              "\"matchExpressions\":[{\"key\":\"x\",\"operator\":\"Exists\"}]}]}}}}}");
	daemon_pin(&a, json_get(pod, "spec"), SLICE("n7"));
	json_write(&text, pod);
	assert_true(slice_is(daemon_node_of(&a, slice_of(strbuf_cstr(&text))), "n7"));
	assert_true(slice_is(daemon_node_of(&a, SLICE("{\"spec\":{\"nodeName\":\"n1\"}}")), "n1"));
	assert_int_equal(daemon_node_of(&a, SLICE("{\"spec\":{}}")).len, 0);
	strbuf_release(&text);
	arena_release(&a);
}

/* ---- pods ---- */

enum { OLD = 1, NEW = 2, READY = 4, DYING = 8, FAILED = 16, DONE = 32, BOUND = 64 };

static struct daemon_pod pod(unsigned what)
{
	struct daemon_pod p = {.is_new = what & NEW, .is_available = what & READY};
	p.view.is_ready = what & READY;
	p.view.phase = what & FAILED ? SLICE("Failed") : what & DONE ? SLICE("Succeeded") : SLICE("Running");
	p.view.meta.deletion_timestamp = what & DYING ? SLICE("2026-01-01T00:00:00Z") : SLICE_NULL;
	p.view.node = what & BOUND ? SLICE("n") : SLICE_NULL;
	return p;
}

/* Times are whole seconds: a pod that a surge put beside another may be as old as that one. */
static void of_two_pods_of_one_second_the_ready_one_counts(void **state)
{
	struct daemon_pod two[] = {pod(BOUND | NEW), pod(BOUND | READY)};
	two[0].view.meta.name = SLICE("a");
	two[1].view.meta.name = SLICE("b");
	two[0].view.meta.creation_timestamp = two[1].view.meta.creation_timestamp = SLICE("2026-01-01T00:00:00Z");
	daemon_sort(two, 2);
	struct daemon_node on = {.exists = true, .verdict = {true, true}, .pods = two, .count = 2};
	assert_int_equal(daemon_count(&on, 1).available, 1);
	two[1].view.meta.creation_timestamp = SLICE("2025-01-01T00:00:00Z");
	daemon_sort(two, 2);
	assert_int_equal(daemon_count(&on, 1).available, 0);
}

static bool yes(void *arg, const struct daemon_pod *p)
{
	return true;
}

static bool no(void *arg, const struct daemon_pod *p)
{
	return false;
}

static struct daemon_node node(struct daemon_pod *pods, size_t n, bool runs, bool stays)
{
	return (struct daemon_node){.exists = true, .verdict = {runs, stays}, .pods = pods, .count = n};
}

static void what_is_missing_is_made_and_what_is_too_much_goes(void **state)
{
	struct daemon_pod two[] = {pod(NEW | READY), pod(NEW | READY)}, strange[] = {pod(NEW)},
	                  lost[] = {pod(0), pod(BOUND)};
	struct daemon_node nodes[] = {node(NULL, 0, true, true), node(two, 2, true, true),
	        node(strange, 1, false, false), node(NULL, 0, false, true), node(lost, 2, false, false)};
	nodes[4].exists = false;
	daemon_manage(nodes, 5, false, yes, NULL);
	assert_true(nodes[0].makes);
	assert_false(nodes[1].makes);
	assert_false(two[0].is_doomed);
	assert_true(two[1].is_doomed);
	assert_true(strange[0].is_doomed);
	assert_false(nodes[3].makes);
	assert_true(lost[0].is_doomed);  /* nobody will ever bind it */
	assert_false(lost[1].is_doomed); /* for who cleans up after nodes */
}

static void ended_pods_go_and_failed_ones_when_they_may(void **state)
{
	struct daemon_pod a[] = {pod(FAILED)}, b[] = {pod(DONE)};
	struct daemon_node nodes[] = {node(a, 1, true, true), node(b, 1, true, true)};
	daemon_manage(nodes, 2, false, no, NULL);
	assert_false(a[0].is_doomed);
	assert_true(b[0].is_doomed);
	assert_int_equal(b[0].why, DAEMON_SUCCEEDED);
	daemon_manage(nodes, 2, false, yes, NULL);
	assert_true(a[0].is_doomed);
	assert_int_equal(a[0].why, DAEMON_FAILED);
}

static void updates_in_place_keep_to_max_unavailable(void **state)
{
	struct daemon_pod p[] = {pod(OLD | READY), pod(OLD | READY), pod(OLD | READY), pod(NEW)};
	struct daemon_node nodes[4];
	for (size_t i = 0; i < 4; i++)
		nodes[i] = node(&p[i], 1, true, true);
	daemon_roll(nodes, 4, 0, 1);
	assert_false(p[0].is_doomed || p[1].is_doomed || p[2].is_doomed); /* the new one isn't available yet */
	daemon_roll(nodes, 4, 0, 2);
	assert_int_equal(p[0].is_doomed + p[1].is_doomed + p[2].is_doomed, 1);
	p[0] = pod(OLD); /* broken ones may go beyond it */
	p[1] = pod(OLD | READY);
	daemon_roll(nodes, 4, 0, 1);
	assert_true(p[0].is_doomed);
	assert_false(p[1].is_doomed || p[2].is_doomed);
}

static void updates_with_a_surge_make_first(void **state)
{
	struct daemon_pod a[] = {pod(OLD | READY)}, b[] = {pod(OLD | READY)},
	                  c[] = {pod(OLD | READY), pod(NEW | READY)};
	struct daemon_node nodes[] = {node(a, 1, true, true), node(b, 1, true, true), node(c, 2, true, true)};
	daemon_roll(nodes, 3, 1, 0);
	assert_int_equal(nodes[0].makes + nodes[1].makes, 1);
	assert_false(a[0].is_doomed || b[0].is_doomed);
	assert_true(c[0].is_doomed);
	assert_false(c[1].is_doomed);
}

static void a_surge_keeps_the_old_pod_while_it_is_ready(void **state)
{
	struct daemon_pod a[] = {pod(OLD | READY), pod(NEW)}, b[] = {pod(OLD), pod(NEW)};
	struct daemon_node nodes[] = {node(a, 2, true, true), node(b, 2, true, true)};
	daemon_manage(nodes, 2, true, yes, NULL);
	assert_false(a[0].is_doomed || a[1].is_doomed);
	assert_true(b[0].is_doomed);
	assert_false(b[1].is_doomed);
	struct daemon_pod dying[] = {pod(OLD | DYING)};
	struct daemon_node one = node(dying, 1, true, true);
	daemon_manage(&one, 1, true, yes, NULL);
	assert_true(one.makes); /* with a surge it needs not wait */
	one.makes = false;
	daemon_manage(&one, 1, false, yes, NULL);
	assert_false(one.makes);
}

static void fenceposts_are_rounded_up_and_not_both_nothing(void **state)
{
	struct arena a = ARENA_INIT;
	int64_t surge, unavailable;
	daemon_fenceposts(parsed(&a, "{\"rollingUpdate\":{\"maxUnavailable\":\"10%\",\"maxSurge\":0}}"), 11, &surge,
	        &unavailable);
	assert_int_equal(unavailable, 2);
	assert_int_equal(surge, 0);
	daemon_fenceposts(parsed(&a, "{\"rollingUpdate\":{\"maxUnavailable\":\"10%\"}}"), 0, &surge, &unavailable);
	assert_int_equal(unavailable, 1);
	arena_release(&a);
}

static void counts_are_of_the_oldest_pod_of_each_node(void **state)
{
	struct daemon_pod a[] = {pod(OLD | READY), pod(NEW)}, b[] = {pod(NEW | READY)}, c[] = {pod(NEW)};
	struct daemon_node nodes[] = {
	        node(a, 2, true, true), node(b, 1, true, true), node(NULL, 0, true, true), node(c, 1, false, true)};
	struct daemon_counts k = daemon_count(nodes, 4);
	assert_int_equal(k.desired, 3);
	assert_int_equal(k.current, 2);
	assert_int_equal(k.ready, 2);
	assert_int_equal(k.available, 2);
	assert_int_equal(k.updated, 1);
	assert_int_equal(k.misscheduled, 1);
}

static void failures_wait_longer_and_longer(void **state)
{
	struct daemon_backoff b = {0};
	uint64_t now = 5000;
	assert_int_equal(daemon_backoff_next(&b, now), 0);
	assert_int_equal(daemon_backoff_next(&b, now + 400), 600);
	assert_int_equal(daemon_backoff_next(&b, now + 1000), 0);
	assert_int_equal(daemon_backoff_next(&b, now + 1500), 1500);
	for (int i = 0; i < 20; i++)
		now += (uint64_t)daemon_backoff_next(&b, now + 1000) + 1000;
	assert_int_equal(b.delay_ms, 15 * 60 * 1000);
	assert_false(daemon_backoff_is_over(&b, now));
	assert_true(daemon_backoff_is_over(&b, now + 31 * 60 * 1000));
	assert_int_equal(daemon_backoff_next(&b, now + 31 * 60 * 1000), 0);
	assert_int_equal(b.delay_ms, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(nodes_are_judged_by_selectors_and_taints),
	        cmocka_unit_test(daemons_bear_what_comes_with_conditions),
	        cmocka_unit_test(a_second_round_of_tolerations_adds_nothing),
	        cmocka_unit_test(a_pinned_pod_says_where_it_belongs),
	        cmocka_unit_test(of_two_pods_of_one_second_the_ready_one_counts),
	        cmocka_unit_test(what_is_missing_is_made_and_what_is_too_much_goes),
	        cmocka_unit_test(ended_pods_go_and_failed_ones_when_they_may),
	        cmocka_unit_test(updates_in_place_keep_to_max_unavailable),
	        cmocka_unit_test(updates_with_a_surge_make_first),
	        cmocka_unit_test(a_surge_keeps_the_old_pod_while_it_is_ready),
	        cmocka_unit_test(fenceposts_are_rounded_up_and_not_both_nothing),
	        cmocka_unit_test(counts_are_of_the_oldest_pod_of_each_node),
	        cmocka_unit_test(failures_wait_longer_and_longer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
