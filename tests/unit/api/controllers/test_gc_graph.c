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

static bool not_solid(void *arg, const struct gc_object *o)
{
	return !slice_is(o->uid, arg);
}

/* a is owned by b, b by c, c by a; d by c alone. */
static void owners_in_a_circle_are_found(void **state)
{
	static const char owned[] = "[{\"kind\":\"X\",\"name\":\"x\",\"uid\":\"%s\",\"blockOwnerDeletion\":true}]";
	static const char *const pairs[][2] = {{"a", "b"}, {"b", "c"}, {"c", "a"}, {"d", "c"}};
	struct gc_graph g;
	gc_graph_init(&g);
	for (size_t i = 0; i < 4; i++) {
		char owners[200];
		snprintf(owners, sizeof owners, owned, pairs[i][1]);
		gc_graph_set(&g, 0, slice_of(pairs[i][0]), slice_of(pairs[i][0]), slice_of(owners));
	}
	const struct gc_object *a = gc_graph_object(&g, SLICE("a")), *d = gc_graph_object(&g, SLICE("d"));
	assert_true(gc_graph_leads_back(&g, a, SLICE("b"), not_solid, "none"));
	assert_true(gc_graph_leads_back(&g, a, SLICE("a"), not_solid, "none"));
	assert_false(gc_graph_leads_back(&g, d, SLICE("c"), not_solid, "none"));
	assert_false(gc_graph_leads_back(&g, a, SLICE("b"), not_solid, "c")); /* c stays: it is waited for */
	assert_false(gc_graph_leads_back(&g, a, SLICE("b"), not_solid, "a"));
	gc_graph_release(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(edges_follow_the_references),
	        cmocka_unit_test(owners_in_a_circle_are_found), cmocka_unit_test(broken_references_are_no_edges)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
