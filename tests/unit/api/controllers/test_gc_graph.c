/* Owners and dependents. */
#include "tests/unit/unit.h"

#include "api/controllers/gc_graph.h"
#include "base/check.h"

static const char one[] =
        "[{\"apiVersion\":\"v1\",\"kind\":\"X\",\"name\":\"a\",\"uid\":\"A\",\"blockOwnerDeletion\":true}]";
static const char two[] = "[{\"apiVersion\":\"v1\",\"kind\":\"X\",\"name\":\"a\",\"uid\":\"A\"},{\"apiVersion\":\"v1\","
                          "\"kind\":\"X\",\"name\":\"b\",\"uid\":\"B\"}]";

static size_t dependents(struct gc_graph *g, const char *uid, size_t *blocking)
{
	size_t n = 0;
	*blocking = 0;
	GC_DEPENDENTS_FOREACH(e, gc_graph_owner(g, slice_of(uid)))
	{
		n++;
		*blocking += e->blocks;
	}
	return n;
}

static void edges_follow_the_references(void **state)
{
	struct gc_graph g;
	size_t blocking;
	gc_graph_init(&g);
	gc_graph_set(&g, 3, SLICE("ns/p"), SLICE("P"), slice_of(one));
	gc_graph_set(&g, 3, SLICE("ns/q"), SLICE("Q"), slice_of(two));
	assert_int_equal(dependents(&g, "A", &blocking), 2);
	assert_int_equal(blocking, 1);
	assert_int_equal(dependents(&g, "B", &blocking), 1);
	assert_true(slice_is(gc_graph_object(&g, SLICE("P"))->key, "ns/p"));
	gc_graph_set(&g, 3, SLICE("ns/q"), SLICE("Q"), slice_of(one)); /* B is no longer an owner */
	assert_null(gc_graph_owner(&g, SLICE("B")));
	gc_graph_remove(&g, SLICE("P"));
	gc_graph_set(&g, 3, SLICE("ns/q"), SLICE("Q"), SLICE("[]")); /* an orphan is not in the graph */
	assert_null(gc_graph_owner(&g, SLICE("A")));
	assert_int_equal(g.objects.count, 0);
	gc_graph_release(&g);
}

static void broken_references_are_no_edges(void **state)
{
	struct gc_graph g;
	gc_graph_init(&g);
	gc_graph_set(&g, 0, SLICE("p"), SLICE("P"), SLICE("[{\"kind\":\"X\"}]"));
	gc_graph_set(&g, 0, SLICE("p"), SLICE("P"), SLICE("[{"));
	gc_graph_remove(&g, SLICE("unknown"));
	assert_int_equal(g.objects.count, 0);
	gc_graph_set(&g, 0, SLICE("p"), SLICE("P"), slice_of(two));
	gc_graph_release(&g); /* with edges left */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(edges_follow_the_references), cmocka_unit_test(broken_references_are_no_edges)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
