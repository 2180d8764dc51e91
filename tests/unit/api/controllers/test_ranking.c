/* Which pods are deleted first. */
#include "tests/unit/unit.h"

#include "api/controllers/ranking.h"

static struct ranked_pod pod(const char *uid, const char *node, const char *phase, bool ready)
{
	struct ranked_pod r = {0};
	r.pod.meta.uid = slice_of(uid);
	r.pod.node = node ? slice_of(node) : SLICE_NULL;
	r.pod.phase = slice_of(phase);
	r.pod.is_ready = ready;
	r.pod.ready_since_s = 1000;
	r.pod.meta.creation_timestamp = SLICE("1970-01-01T00:16:40Z");
	return r;
}

static void first_is(struct ranked_pod *pods, size_t n, const char *uid)
{
	ranking_sort(pods, n, 5000);
	assert_true(slice_is(pods[0].pod.meta.uid, uid));
}

static void unassigned_pending_and_unready_go_first(void **state)
{
	struct ranked_pod a[] = {pod("ready", "n", "Running", true), pod("unready", "n", "Running", false),
	        pod("pending", "n", "Pending", false), pod("unassigned", NULL, "Pending", false)};
	static const char *const order[] = {"unassigned", "pending", "unready", "ready"};
	ranking_sort(a, 4, 5000);
	for (size_t i = 0; i < 4; i++)
		assert_true(slice_is(a[i].pod.meta.uid, order[i]));
}

static void cheap_then_crowded_then_young(void **state)
{
	struct ranked_pod a[] = {pod("x", "n", "Running", true), pod("cheap", "n", "Running", true)};
	a[1].deletion_cost = -5;
	first_is(a, 2, "cheap");
	struct ranked_pod b[] = {pod("alone", "n", "Running", true), pod("crowded", "m", "Running", true)};
	b[1].neighbours = 3;
	first_is(b, 2, "crowded");
	struct ranked_pod c[] = {pod("old", "n", "Running", true), pod("young", "n", "Running", true)};
	c[1].pod.ready_since_s = 4990;
	first_is(c, 2, "young");
	struct ranked_pod d[] = {pod("calm", "n", "Running", true), pod("restarts", "n", "Running", true)};
	d[1].pod.restarts = 7;
	first_is(d, 2, "restarts");
}

static void deletion_cost_is_read_from_the_annotation(void **state)
{
	assert_int_equal(ranking_deletion_cost(SLICE("{\"controller.kubernetes.io/pod-deletion-cost\":\"-12\"}")), -12);
	assert_int_equal(ranking_deletion_cost(SLICE("{\"controller.kubernetes.io/pod-deletion-cost\":\"x\"}")), 0);
	assert_int_equal(ranking_deletion_cost(SLICE_NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(unassigned_pending_and_unready_go_first),
	        cmocka_unit_test(cheap_then_crowded_then_young),
	        cmocka_unit_test(deletion_cost_is_read_from_the_annotation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
