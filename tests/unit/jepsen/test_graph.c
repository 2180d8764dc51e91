/* jepsen/graph: components and shortest paths. */
#include "tests/unit/unit.h"

#include "jepsen/graph.h"

static struct graph g;
static uint32_t component[1000];
static uint32_t scratch[2000];

static void begin(uint32_t nodes)
{
	graph_init(&g, nodes);
	memset(scratch, 0xff, sizeof scratch);
}

static void edge(uint32_t from, uint32_t to, uint32_t kind)
{
	graph_add(&g, (struct graph_edge){.from = from, .to = to, .kind = kind});
}

static void a_line_has_no_components(void **state)
{
	begin(4);
	edge(0, 1, 1);
	edge(1, 2, 1);
	edge(2, 3, 1);
	edge(3, 3, 1);
	graph_index(&g);
	assert_int_equal(graph_components(&g, 1, component), 0);
	assert_int_equal(component[3], UINT32_MAX);
	graph_release(&g);
}

static void components_need_the_edges_of_the_mask(void **state)
{
	begin(5);
	edge(0, 1, 1);
	edge(1, 0, 2);
	edge(2, 3, 1);
	edge(3, 4, 1);
	edge(4, 2, 1);
	graph_index(&g);
	assert_int_equal(graph_components(&g, 1, component), 1);
	assert_int_equal(component[0], UINT32_MAX);
	assert_int_equal(component[2], component[4]);
	assert_int_equal(graph_components(&g, 3, component), 2);
	assert_int_equal(component[0], component[1]);
	assert_true(component[0] != component[2]);
	graph_release(&g);
}

static void a_long_cycle_is_found_without_recursion(void **state)
{
	begin(1000);
	for (uint32_t i = 0; i < 1000; i++)
		edge(i, (i + 1) % 1000, 1);
	graph_index(&g);
	assert_int_equal(graph_components(&g, 1, component), 1);
	struct arena a = ARENA_INIT;
	uint32_t *path;
	assert_int_equal(graph_path(&g, 1, component, 5, 4, scratch, &a, &path), 999);
	assert_int_equal(g.edges[path[0]].from, 5);
	assert_int_equal(g.edges[path[998]].to, 4);
	arena_release(&a);
	graph_release(&g);
}

static void the_shortest_path_wins_and_the_scratch_is_left_clean(void **state)
{
	begin(5);
	edge(0, 1, 1);
	edge(1, 2, 1);
	edge(2, 3, 1);
	edge(0, 3, 2);
	edge(3, 0, 1);
	graph_index(&g);
	assert_int_equal(graph_components(&g, 3, component), 1);
	struct arena a = ARENA_INIT;
	uint32_t *path;
	assert_int_equal(graph_path(&g, 3, component, 0, 3, scratch, &a, &path), 1);
	assert_int_equal(graph_path(&g, 1, component, 0, 3, scratch, &a, &path), 3);
	assert_int_equal(graph_path(&g, 2, component, 1, 3, scratch, &a, &path), 0);
	for (size_t i = 0; i < 10; i++)
		assert_int_equal(scratch[i], UINT32_MAX);
	arena_release(&a);
	graph_release(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_line_has_no_components),
	        cmocka_unit_test(components_need_the_edges_of_the_mask),
	        cmocka_unit_test(a_long_cycle_is_found_without_recursion),
	        cmocka_unit_test(the_shortest_path_wins_and_the_scratch_is_left_clean),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
