/* Numbers of labels' values: one for each value, kept with the nodes until their labels change. */
#include "tests/unit/unit.h"

#include "api/scheduler/scheduler_int.h"

static void put(struct cache *k, const char *name, const char *labels)
{
	char text[256];
	snprintf(text, sizeof text, "{\"metadata\":{\"name\":\"%s\",\"labels\":%s},\"spec\":{},\"status\":{}}", name,
	        labels);
	struct rcbuf *json = rcbuf_copy(text, strlen(text));
	cache_node_set(k, slice_of(name), json);
	rcbuf_unref(json);
}

static struct node_info *node_of(struct cache *k, const char *name)
{
	return map_get(&k->nodes, slice_of(name));
}

static void nodes_of_one_value_have_one_number(void **state)
{
	struct cache k;
	cache_init(&k);
	put(&k, "a", "{\"zone\":\"x\"}");
	put(&k, "b", "{\"zone\":\"y\"}");
	put(&k, "c", "{\"zone\":\"x\"}");
	put(&k, "d", "{}");
	struct topology *t = topology_need(&k, "zone");
	assert_ptr_equal(t, topology_need(&k, "zone"));
	assert_int_equal(t->count, 2);
	uint32_t x = topology_number(t, node_of(&k, "a")), y = topology_number(t, node_of(&k, "b"));
	assert_true(x && y && x != y && x <= 2 && y <= 2);
	assert_int_equal(topology_number(t, node_of(&k, "c")), x);
	assert_int_equal(topology_number(t, node_of(&k, "d")), 0);
	struct topology *other = topology_need(&k, "rack");
	assert_int_equal(topology_number(other, node_of(&k, "a")), 0);
	assert_int_equal(topology_number(t, node_of(&k, "a")), x);
	cache_release(&k);
}

static void labels_that_change_are_looked_at_again(void **state)
{
	struct cache k;
	cache_init(&k);
	put(&k, "a", "{\"zone\":\"x\"}");
	put(&k, "b", "{\"zone\":\"y\"}");
	struct topology *t = topology_need(&k, "zone");
	uint32_t y = topology_number(t, node_of(&k, "b"));
	put(&k, "a", "{\"zone\":\"y\"}");
	assert_int_equal(topology_number(t, node_of(&k, "a")), y);
	static const char text[] = "{\"metadata\":{\"name\":\"a\",\"labels\":{}},\"spec\":{},\"status\":{}}";
	struct rcbuf *json = rcbuf_copy(text, sizeof text - 1);
	cache_node_touch(&k, SLICE("a"), json);
	rcbuf_unref(json);
	assert_int_equal(topology_number(t, node_of(&k, "a")), 0);
	cache_node_remove(&k, SLICE("b"));
	put(&k, "b", "{\"zone\":\"z\"}");
	t = topology_need(&k, "zone");
	assert_int_not_equal(topology_number(t, node_of(&k, "b")), y);
	cache_release(&k);
}

/* Nodes that come and go under names of their own. */
static void what_piles_up_is_forgotten(void **state)
{
	struct cache k;
	char label[64];
	cache_init(&k);
	for (int i = 0; i < 5000; i++) {
		snprintf(label, sizeof label, "{\"host\":\"h%d\"}", i);
		put(&k, "a", label);
		assert_true(topology_number(topology_need(&k, "host"), node_of(&k, "a")) > 0);
		topologies_trim(&k);
	}
	assert_true(topology_need(&k, "host")->count < 4200);
	for (int i = 0; i < 1000; i++) {
		snprintf(label, sizeof label, "key%d", i);
		topology_need(&k, label);
		topologies_trim(&k);
	}
	assert_true(k.n_topologies <= 65);
	cache_release(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(nodes_of_one_value_have_one_number),
	        cmocka_unit_test(labels_that_change_are_looked_at_again),
	        cmocka_unit_test(what_piles_up_is_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
