/* How fast nodes of a zone may be tainted: by how many of them are not ready, and never when all zones are down. */
#include "tests/unit/unit.h"

#include "api/controllers/node_zones.h"

enum { NODES_MAX = 100 };

static struct node_zones z;
static struct node_place nodes[NODES_MAX];

static int begin(void **state)
{
	z = (struct node_zones){.rate = 0.1, .secondary_rate = 0.01, .threshold = 0.55, .large = 50};
	memset(nodes, 0, sizeof nodes);
	return 0;
}

static int end(void **state)
{
	node_zones_release(&z);
	return 0;
}

/* Nodes from `first` on. */
static unsigned zone(const char *name, int first, int ready, int not_ready)
{
	unsigned news = 0;
	for (int i = 0; i < ready + not_ready; i++)
		news |= node_zones_set(
		        &z, &nodes[first + i], slice_of(name), i < ready ? NODE_COUNTED_READY : NODE_COUNTED_NOT_READY);
	return news;
}

static int64_t wait_of(int node, uint64_t now_ms)
{
	int64_t wait_ms;
	return node_zones_may_taint(&z, &nodes[node], now_ms, &wait_ms) ? 0 : wait_ms;
}

static void in_a_healthy_zone_one_after_the_other(void **state)
{
	zone("a", 0, 8, 2);
	assert_int_equal(wait_of(8, 1000), 0);
	assert_int_equal(wait_of(9, 1000), 10000);
	assert_int_equal(wait_of(9, 6000), 5000);
	assert_int_equal(wait_of(9, 11000), 0);
}

static void each_zone_has_a_pace_of_its_own(void **state)
{
	zone("a", 0, 8, 1);
	zone("b", 20, 8, 1);
	assert_int_equal(wait_of(8, 1000), 0);
	assert_int_equal(wait_of(28, 1000), 0);
}

static void a_small_zone_that_is_mostly_down_keeps_its_pods(void **state)
{
	zone("a", 0, 2, 2);
	zone("b", 20, 2, 4);
	assert_int_equal(wait_of(2, 1000), 0); /* two are never a disruption */
	assert_int_equal(wait_of(24, 1000), -1);
}

static void a_large_one_goes_on_slowly(void **state)
{
	zone("b", 60, 1, 0);
	zone("a", 0, 20, 40);
	assert_int_equal(wait_of(30, 1000), 0);
	assert_int_equal(wait_of(31, 1000), 100000);
}

static void a_zone_that_is_gone_goes_at_full_pace(void **state)
{
	zone("a", 0, 5, 0);
	zone("b", 20, 0, 5);
	assert_int_equal(wait_of(20, 1000), 0);
	assert_int_equal(wait_of(21, 1000), 10000);
}

static void when_all_zones_are_gone_nobody_is_tainted(void **state)
{
	zone("a", 0, 1, 0);
	assert_int_equal(zone("b", 20, 0, 2), 0);
	assert_false(node_zones_all_down(&z));
	assert_int_equal(zone("a", 0, 0, 1), NODE_ZONES_ALL_DOWN);
	assert_true(node_zones_all_down(&z));
	assert_int_equal(wait_of(20, 1000), -1);
	assert_int_equal(zone("b", 20, 1, 1), NODE_ZONES_ANY_UP);
	assert_int_equal(wait_of(0, 1000), 0);
}

static void more_pace_is_news(void **state)
{
	zone("b", 20, 1, 0);
	zone("a", 0, 2, 4);
	assert_int_equal(node_zones_set(&z, &nodes[2], SLICE("a"), NODE_COUNTED_READY), NODE_ZONES_PACE);
	assert_int_equal(node_zones_set(&z, &nodes[2], SLICE("a"), NODE_COUNTED_READY), 0);
}

static void nodes_move_and_go(void **state)
{
	zone("a", 0, 1, 1);
	node_zones_set(&z, &nodes[0], SLICE("b"), NODE_COUNTED_READY);
	assert_int_equal(z.zones.count, 2);
	assert_int_equal(z.n_full, 1);
	node_zones_set(&z, &nodes[0], SLICE_NULL, NODE_NOT_COUNTED);
	assert_true(node_zones_all_down(&z));
	node_zones_set(&z, &nodes[1], SLICE_NULL, NODE_NOT_COUNTED);
	assert_int_equal(z.zones.count, 0);
	assert_int_equal(z.n_full, 0);
	assert_false(node_zones_all_down(&z));
	assert_int_equal(wait_of(5, 1000), 0); /* one that is not counted is its own affair */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(in_a_healthy_zone_one_after_the_other, begin, end),
	        cmocka_unit_test_setup_teardown(each_zone_has_a_pace_of_its_own, begin, end),
	        cmocka_unit_test_setup_teardown(a_small_zone_that_is_mostly_down_keeps_its_pods, begin, end),
	        cmocka_unit_test_setup_teardown(a_large_one_goes_on_slowly, begin, end),
	        cmocka_unit_test_setup_teardown(a_zone_that_is_gone_goes_at_full_pace, begin, end),
	        cmocka_unit_test_setup_teardown(when_all_zones_are_gone_nobody_is_tainted, begin, end),
	        cmocka_unit_test_setup_teardown(more_pace_is_news, begin, end),
	        cmocka_unit_test_setup_teardown(nodes_move_and_go, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
