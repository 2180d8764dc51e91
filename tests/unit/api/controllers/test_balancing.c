/* Which nodes answer for services of type LoadBalancer. */
#include "tests/unit/unit.h"

#include "api/controllers/balancing.h"

static struct arena arena;
static const int none[] = {0}, api_port[] = {6443, 0};

static struct balancing_node node(const char *name, const char *labels, bool is_ready)
{
	struct balancing_node n;
	const char *text = arena_printf(&arena,
	        "{\"metadata\":{\"name\":\"%s\",\"labels\":{%s}},\"status\":{\"addresses\":[{\"type\":\"InternalIP\","
	        "\"address\":"
	        "\"10.0.0.1\"}],\"conditions\":[{\"type\":\"Ready\",\"status\":\"%s\"}]}}",
	        name, labels, is_ready ? "True" : "False");
	balancing_read_node(slice_of(text), &arena, &n);
	return n;
}

static const struct json *service(const char *labels, const char *ports)
{
	const char *text =
	        arena_printf(&arena, "{\"metadata\":{\"labels\":{%s}},\"spec\":{\"ports\":[%s]}}", labels, ports);
	struct json *v = json_parse(&arena, slice_of(text), NULL, NULL);
	assert_non_null(v);
	return v;
}

#define PORT(n) "{\"port\":" #n ",\"protocol\":\"TCP\"}"
#define ON(label, value) "\"svccontroller.k3s.cattle.io/" label "\":\"" value "\""

/* Places one; the names of its nodes with blanks between. */
static const char *place(
        struct balancing *b, const char *key, const struct json *s, const struct map *local, const char **conflict)
{
	struct balancing_answer k;
	const char *out = "";
	balancing_place(b, &arena, slice_of(key), s, local, &k);
	for (size_t i = 0; i < k.n; i++)
		out = arena_printf(&arena, "%s%s%.*s", out, i ? " " : "", SLICE_FMT(k.nodes[i]->name));
	if (conflict)
		*conflict = k.conflict;
	return out;
}

static void nodes_that_are_ready_serve(void **state)
{
	const struct balancing_node nodes[] = {node("a", "", true), node("b", "", false),
	        node("c", "\"node.kubernetes.io/exclude-from-external-load-balancers\":\"\"", true),
	        node("d", "", true)};
	struct balancing b;
	balancing_init(&b, nodes, 4, none);
	assert_string_equal(place(&b, "n/s", service("", PORT(80)), NULL, NULL), "a d");
	balancing_release(&b);
	arena_release(&arena);
}

static void a_nodes_addresses_are_told_by_family(void **state)
{
	struct balancing_node n;
	balancing_read_node(
	        SLICE("{\"metadata\":{\"name\":\"a\"},\"status\":{\"addresses\":[{\"type\":\"InternalIP\","
	              "\"address\":\"10.0.0.1\"},{\"type\":\"InternalIP\",\"address\":\"fd99::1\"},{\"type\":"
	              "\"ExternalIP\",\"address\":\"2001:db8::1\"},{\"type\":\"ExternalIP\",\"address\":"
	              "\"example.org\"}]}}"),
	        &arena, &n);
	assert_true(slice_is(n.internal[IP_V4], "10.0.0.1") && slice_is(n.internal[IP_V6], "fd99::1"));
	assert_true(!n.external[IP_V4].len && slice_is(n.external[IP_V6], "2001:db8::1"));
	arena_release(&arena);
}

static void a_port_is_one_services(void **state)
{
	const struct balancing_node nodes[] = {node("a", "", true)};
	const char *conflict;
	struct balancing b;
	balancing_init(&b, nodes, 1, api_port);
	assert_string_equal(place(&b, "n/old", service("", PORT(80) "," PORT(443)), NULL, &conflict), "a");
	assert_null(conflict);
	assert_string_equal(place(&b, "n/young", service("", PORT(8080) "," PORT(443)), NULL, &conflict), "");
	assert_string_equal(conflict, "the older service n/old");
	assert_string_equal(
	        place(&b, "n/udp", service("", "{\"port\":443,\"protocol\":\"UDP\"}"), NULL, &conflict), "a");
	assert_string_equal(place(&b, "n/third", service("", PORT(8080)), NULL, &conflict), "a"); /* it was not taken */
	assert_string_equal(place(&b, "n/api", service("", PORT(6443)), NULL, &conflict), "");
	assert_string_equal(conflict, "the cluster's own servers");
	balancing_release(&b);
	arena_release(&arena);
}

static void labels_and_pools_choose(void **state)
{
	const struct balancing_node nodes[] = {node("a", ON("enablelb", "true") "," ON("lbpool", "x"), true),
	        node("b", ON("enablelb", "true") "," ON("lbpool", "y"), true), node("c", "", true)};
	struct balancing b;
	balancing_init(&b, nodes, 3, none);
	assert_string_equal(place(&b, "n/any", service("", PORT(1)), NULL, NULL), "a b");
	assert_string_equal(place(&b, "n/x", service(ON("lbpool", "x"), PORT(2)), NULL, NULL), "a");
	assert_string_equal(place(&b, "n/z", service(ON("lbpool", "z"), PORT(3)), NULL, NULL), "");
	balancing_release(&b);
	arena_release(&arena);
}

static void local_services_are_where_endpoints_are(void **state)
{
	const struct balancing_node nodes[] = {node("a", "", true), node("b", "", true)};
	struct map local = MAP_INIT;
	struct balancing b;
	map_put(&local, SLICE("b"), &local);
	balancing_init(&b, nodes, 2, none);
	assert_string_equal(place(&b, "n/s", service("", PORT(1)), &local, NULL), "b");
	balancing_release(&b);
	map_release(&local);
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(nodes_that_are_ready_serve),
	        cmocka_unit_test(a_nodes_addresses_are_told_by_family),
	        cmocka_unit_test(a_port_is_one_services),
	        cmocka_unit_test(labels_and_pools_choose),
	        cmocka_unit_test(local_services_are_where_endpoints_are),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
