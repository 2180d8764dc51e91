/* Sharing endpoints out among zones, by CPUs. Upstream:
 * staging/src/k8s.io/endpointslice/topologycache/topologycache_test.go. */
#include "tests/unit/unit.h"

#include "api/controllers/topology.h"

static struct arena a;

static void add(struct topology *t, const char *zone, const char *cpu, const char *labels, const char *ready)
{
	const char *text = arena_printf(&a,
	        "{\"metadata\":{\"labels\":{%s\"topology.kubernetes.io/"
	        "zone\":\"%s\"}},\"status\":{\"allocatable\":{\"cpu\":"
	        "\"%s\"},\"conditions\":[{\"type\":\"Ready\",\"status\":\"%s\"}]}}",
	        labels, zone, cpu, ready);
	struct json *node = json_parse(&a, slice_of(text), NULL, NULL);
	assert_non_null(node);
	topology_add_node(t, &a, node);
}

/* zones: a letter for each endpoint; want: a letter for each hint, or a part of why there are none. */
static void becomes(struct topology *t, const char *zones, const char *want)
{
	size_t n = strlen(zones);
	struct topology_endpoint *list = ARENA_ARRAY(&a, struct topology_endpoint, n + 1);
	char got[64] = "";
	for (size_t i = 0; i < n; i++)
		list[i].zone = zones[i] == '-' ? SLICE_NULL : (struct slice){&zones[i], 1};
	const char *why = topology_share(t, &a, list, n);
	for (size_t i = 0; i < n && !why; i++)
		strncat(got, list[i].hint.ptr, 1);
	if (why ? !strstr(why, want) : strcmp(got, want) != 0)
		fail_msg("%s: \"%s\" instead of \"%s\"", zones, why ? why : got, want);
}

static int reset(void **state)
{
	arena_release(&a);
	return 0;
}

static void zones_with_their_part_keep_their_own(void **state)
{
	struct topology t = {0};
	add(&t, "a", "2", "", "True");
	add(&t, "b", "2000m", "", "True");
	becomes(&t, "aabb", "aabb");
}

static void who_has_more_gives_to_who_has_less(void **state)
{
	struct topology t = {0}, u = {0};
	add(&t, "a", "1", "", "True");
	add(&t, "b", "1", "", "True");
	becomes(&t, "aaaa", "bbaa");
	add(&u, "a", "3", "", "True");
	add(&u, "b", "1", "", "True");
	becomes(&u, "aabbbbbb", "aaaaaabb");
}

static void nodes_that_do_not_count_do_not(void **state)
{
	struct topology t = {0};
	add(&t, "a", "1", "", "True");
	add(&t, "b", "1", "\"node-role.kubernetes.io/control-plane\":\"\",", "True");
	add(&t, "c", "1", "", "False");
	becomes(&t, "aaa", "Nodes only ready in one zone");
}

static void where_hints_would_do_harm_there_are_none(void **state)
{
	struct topology t = {0}, u = {0}, v = {0}, none = {0};
	add(&t, "a", "1", "", "True");
	add(&t, "b", "1", "", "True");
	becomes(&t, "a", "Insufficient number of endpoints (1 endpoints, 2 zones)");
	add(&u, "a", "1", "", "True");
	add(&u, "b", "1", "", "True");
	becomes(&u, "aba-", "One or more endpoints do not have a zone specified");
	add(&v, "a", "10", "", "True");
	add(&v, "b", "1", "", "True");
	add(&v, "c", "1", "", "True");
	becomes(&v, "abc", "without exceeding overload threshold (3 endpoints, 3 zones)");
	becomes(&none, "ab", "Insufficient Node information");
	add(&none, "", "1", "", "True");
	add(&none, "a", "1", "", "True");
	becomes(&none, "ab", "Insufficient Node information");
}

static void a_service_asks_for_it(void **state)
{
	assert_true(topology_is_wanted(json_parse(
	        &a, SLICE("{\"metadata\":{\"annotations\":{\"" TOPOLOGY_MODE "\":\"Auto\"}}}"), NULL, NULL)));
	assert_true(topology_is_wanted(json_parse(
	        &a, SLICE("{\"metadata\":{\"annotations\":{\"" TOPOLOGY_MODE_OLD "\":\"auto\"}}}"), NULL, NULL)));
	assert_false(topology_is_wanted(json_parse(
	        &a, SLICE("{\"metadata\":{\"annotations\":{\"" TOPOLOGY_MODE "\":\"Disabled\"}}}"), NULL, NULL)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(zones_with_their_part_keep_their_own, reset),
	        cmocka_unit_test_teardown(who_has_more_gives_to_who_has_less, reset),
	        cmocka_unit_test_teardown(nodes_that_do_not_count_do_not, reset),
	        cmocka_unit_test_teardown(where_hints_would_do_harm_there_are_none, reset),
	        cmocka_unit_test_teardown(a_service_asks_for_it, reset),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
