/* From services and endpoint slices to ports. */
#include "tests/unit/unit.h"

#include "base/limits.h"
#include "net/proxy/proxy_build_int.h"

static struct arena arena;

static int teardown(void **state)
{
	arena_release(&arena);
	return 0;
}

static struct json *parse(const char *text)
{
	struct err err = ERR_INIT;
	struct json *v = json_parse(&arena, slice_of(text), NULL, &err);
	assert_non_null(v);
	return v;
}

static size_t build(const char *key, const char *service, const char *slice, struct proxy_port **ports)
{
	struct json *slices[] = {parse(slice)};
	struct proxy_service v = {.key = slice_of(key),
	        .service = parse(service),
	        .slices = slices,
	        .slices_count = 1,
	        .node_name = "node1",
	        .zone = "a",
	        .serves = {true, true}};
	return proxy_build(&v, &arena, ports);
}

#define SLICE_TEXT \
	"{\"ports\":[{\"name\":\"http\",\"protocol\":\"TCP\",\"port\":8080}],\"endpoints\":[{\"addresses\":[\"10.42." \
	"0.5\"]," \
	"\"nodeName\":\"node1\"},{\"addresses\":[\"10.42.1.6\"],\"nodeName\":\"node2\"},{\"addresses\":[\"10.42.1." \
	"7\"]," \
	"\"conditions\":{\"ready\":false}},{\"addresses\":[\"evil; flush ruleset\"]}]}"

static void ready_endpoints_are_led_to(void **state)
{
	struct proxy_port *p;
	assert_int_equal(
	        build("default/web",
	                "{\"spec\":{\"clusterIP\":\"10.43.0.9\",\"externalTrafficPolicy\":\"Local\",\"ports\":[{"
	                "\"name\":\"http\",\"protocol\":\"TCP\",\"port\":80,\"nodePort\":30080}]}}",
	                SLICE_TEXT, &p),
	        1);
	assert_int_equal(p->n_internal, 2);
	assert_int_equal(p->n_external, 1);
	assert_string_equal(p->external[0].ip, "10.42.0.5");
	assert_int_equal(p->node_port, 30080);
	assert_string_equal(p->comment, "default/web:http");
}

static void each_family_has_its_own_addresses_and_endpoints(void **state)
{
	static const char both[] =
	        "{\"spec\":{\"clusterIP\":\"fd00:43::9\",\"clusterIPs\":[\"fd00:43::9\",\"10.43.0.9\"],"
	        "\"externalIPs\":[\"2001:db8::1\",\"192.0.2.1\"],\"ports\":[{\"port\":80,\"nodePort\":30080}],"
	        "\"loadBalancerSourceRanges\":[\"10.0.0.0/8\"]},"
	        "\"status\":{\"loadBalancer\":{\"ingress\":[{\"ip\":\"fd99::1\"},{\"ip\":\"10.99.0.1\"}]}}}";
	struct json *slices[] = {parse("{\"ports\":[{\"port\":8080}],\"endpoints\":[{\"addresses\":[\"10.42.0.5\"]}]}"),
	        parse("{\"ports\":[{\"port\":8080}],\"endpoints\":[{\"addresses\":[\"fd00:42::5\"]}]}")};
	struct proxy_service v = {.key = SLICE("a/b"),
	        .service = parse(both),
	        .slices = slices,
	        .slices_count = 2,
	        .node_name = "node1",
	        .zone = "",
	        .serves = {true, true}};
	struct proxy_port *p;
	assert_int_equal(proxy_build(&v, &arena, &p), 2);
	assert_int_equal(p[0].family->family, IP_V4);
	assert_int_equal(p[0].n_addresses, 3);
	assert_string_equal(p[0].addresses[0], "10.43.0.9");
	assert_string_equal(p[0].internal[0].ip, "10.42.0.5");
	assert_string_equal(p[0].sources[0], "10.0.0.0/8");
	assert_int_equal(p[1].family->family, IP_V6);
	assert_int_equal(p[1].n_internal, 1);
	assert_string_equal(p[1].addresses[1], "2001:db8::1");
	assert_string_equal(p[1].addresses[2], "fd99::1");
	assert_string_equal(p[1].internal[0].ip, "fd00:42::5");
	assert_string_equal(p[1].sources[0], "ff00::/128"); /* nobody's: the ranges are of the other family */
	v.serves[IP_V6] = false;
	assert_int_equal(proxy_build(&v, &arena, &p), 1);
	v.service = parse("{\"spec\":{\"clusterIP\":\"fd00:43::9\",\"ports\":[{\"port\":80,\"nodePort\":30080}]}}");
	assert_int_equal(proxy_build(&v, &arena, &p), 0); /* no node port of a family that it has not */
}

#define WEB \
	"{\"spec\":{\"clusterIP\":\"10.43.0.9\",%s\"ports\":[{\"name\":\"http\",\"protocol\":\"TCP\",\"port\":80}]}}"

/* Endpoints of node1, node2, ...: "ready", "leaving" (serving, terminating) or "gone", with a hint's zone. */
static const char *endpoints(const char *const (*rows)[2], size_t n)
{
	struct strbuf b = STRBUF_INIT;
	strbuf_adds(&b, "{\"ports\":[{\"name\":\"http\",\"protocol\":\"TCP\",\"port\":8080}],\"endpoints\":[");
	for (size_t i = 0; i < n; i++) {
		bool ready = rows[i][0][0] == 'r', leaving = rows[i][0][0] == 'l';
		strbuf_addf(&b,
		        "%s{\"addresses\":[\"10.42.0.%zu\"],\"nodeName\":\"node%zu\",\"conditions\":{\"ready\":%s,"
		        "\"serving\":%s,\"terminating\":%s}",
		        i ? "," : "", i + 1, i + 1, ready ? "true" : "false", ready || leaving ? "true" : "false",
		        ready ? "false" : "true");
		if (rows[i][1])
			strbuf_addf(&b, ",\"hints\":{\"forZones\":[{\"name\":\"%s\"}]}", rows[i][1]);
		strbuf_adds(&b, "}");
	}
	strbuf_adds(&b, "]}");
	const char *text = arena_strdup(&arena, b.data);
	strbuf_release(&b);
	return text;
}

/* The last bytes of the addresses. */
static const char *last_of(const struct proxy_endpoint *list, size_t n)
{
	const char *text = "";
	for (size_t i = 0; i < n; i++)
		text = arena_printf(&arena, "%s%s", text, strrchr(list[i].ip, '.') + 1);
	return text;
}

static void endpoints_that_end_serve_where_none_is_ready(void **state)
{
	static const char *const mixed[][2] = {{"leaving", NULL}, {"ready", NULL}, {"gone", NULL}};
	static const char *const ending[][2] = {{"leaving", NULL}, {"gone", NULL}, {"leaving", NULL}};
	const char *local = arena_printf(&arena, WEB, "\"externalTrafficPolicy\":\"Local\",");
	struct proxy_port *p;
	build("default/web", local, endpoints(mixed, 3), &p);
	assert_string_equal(last_of(p->internal, p->n_internal), "2");
	assert_string_equal(last_of(p->external, p->n_external), "1"); /* of this node's none is ready */
	assert_int_equal(p->n_local_ready, 0);
	assert_string_equal(last_of(p->cluster, p->n_cluster), "2");
	build("default/web", local, endpoints(ending, 3), &p);
	assert_string_equal(last_of(p->internal, p->n_internal), "13");
	assert_string_equal(last_of(p->external, p->n_external), "1");
}

static void hints_keep_traffic_in_the_zone(void **state)
{
	static const char *const all[][2] = {{"ready", "b"}, {"ready", "a"}, {"leaving", NULL}};
	static const char *const some[][2] = {{"ready", "b"}, {"ready", "a"}, {"ready", NULL}};
	static const char *const elsewhere[][2] = {{"ready", "b"}, {"leaving", "a"}};
	const char *plain = arena_printf(&arena, WEB, ""),
	           *inside = arena_printf(&arena, WEB, "\"internalTrafficPolicy\":\"Local\",");
	struct proxy_port *p;
	build("default/web", plain, endpoints(all, 3), &p);
	assert_string_equal(last_of(p->internal, p->n_internal), "2");
	assert_string_equal(last_of(p->external, p->n_external), "2");
	build("default/web", inside, endpoints(all, 3), &p);
	assert_int_equal(p->n_local_ready, 1);
	assert_string_equal(last_of(p->internal, p->n_internal), "1"); /* the node is nearer than its zone */
	build("default/web", plain, endpoints(some, 3), &p);
	assert_string_equal(last_of(p->internal, p->n_internal), "123"); /* hints are for all or for none */
	build("default/web", plain, endpoints(elsewhere, 2), &p);
	assert_string_equal(last_of(p->internal, p->n_internal), "1");
}

static void a_service_of_another_proxy_is_left_alone(void **state)
{
	struct proxy_port *p;
	assert_int_equal(build("default/web",
	                         "{\"metadata\":{\"labels\":{\"service.kubernetes.io/service-proxy-name\":\"x\"}},"
	                         "\"spec\":{\"clusterIP\":\"10.43.0.9\",\"ports\":[{\"port\":80}]}}",
	                         SLICE_TEXT, &p),
	        0);
}

static void an_address_twice_is_one(void **state)
{
	struct proxy_port *p;
	assert_int_equal(
	        build("default/web",
	                "{\"spec\":{\"clusterIP\":\"10.43.0.9\",\"externalIPs\":[\"192.0.2.1\",\"192.0.2.1\",\"x\"],"
	                "\"ports\":[{\"port\":80}]},\"status\":{\"loadBalancer\":{\"ingress\":[{\"ip\":\"192.0.2.1\"}]}"
	                "}}",
	                SLICE_TEXT, &p),
	        1);
	assert_int_equal(p->n_addresses, 2);
	assert_int_equal(p->n_cluster_addresses, 1);
}

static void who_may_come_to_a_balancer_is_read(void **state)
{
	struct proxy_port *p;
	const char *with =
	        "{\"spec\":{\"clusterIP\":\"10.43.0.9\",\"externalIPs\":[\"192.0.2.1\"],\"ports\":[{\"port\":80}],"
	        "\"loadBalancerSourceRanges\":[%s]},\"status\":{\"loadBalancer\":{\"ingress\":[{\"ip\":\"192.0.2.1\"},"
	        "{\"ip\":\"192.0.2.2\"},{\"ip\":\"192.0.2.3\",\"ipMode\":\"Proxy\"}]}}}";
	build("default/web", arena_printf(&arena, with, "\"10.0.0.0/8\",\" 10.1.0.0/16 \",\"x; drop\",\"1.2.3.4/33\""),
	        SLICE_TEXT, &p);
	assert_int_equal(p->n_open_addresses, 2);
	assert_int_equal(p->n_addresses, 3);
	assert_int_equal(p->n_sources, 2);
	assert_string_equal(p->sources[1], "10.1.0.0/16");
	build("default/web", arena_printf(&arena, with, "\"fd00::/8\""), SLICE_TEXT, &p);
	assert_int_equal(p->n_sources, 1); /* and nobody is of it */
}

static void a_comment_is_what_nft_takes(void **state)
{
	struct proxy_port *p;
	char key[300];
	memset(key, 'n', sizeof key);
	key[100] = '/';
	key[200] = 0;
	assert_int_equal(
	        build(key, "{\"spec\":{\"clusterIP\":\"10.43.0.9\",\"ports\":[{\"port\":80}]}}", SLICE_TEXT, &p), 1);
	assert_int_equal(strlen(p->comment), NFT_COMMENT_BYTES_MAX);
	assert_int_equal(
	        build("a/b\";x", "{\"spec\":{\"clusterIP\":\"10.43.0.9\",\"ports\":[{\"port\":80}]}}", SLICE_TEXT, &p),
	        1);
	assert_string_equal(p->comment, "a/b??x:");
}

static void what_has_no_address_has_no_port(void **state)
{
	struct proxy_port *p;
	assert_int_equal(
	        build("a/b", "{\"spec\":{\"clusterIP\":\"None\",\"ports\":[{\"port\":80}]}}", SLICE_TEXT, &p), 0);
	assert_int_equal(
	        build("a/b", "{\"spec\":{\"clusterIP\":\"10.43.0.9\",\"ports\":[{\"port\":0},{\"port\":70000}]}}",
	                SLICE_TEXT, &p),
	        0);
	assert_int_equal(build("a/b", "{}", SLICE_TEXT, &p), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(ready_endpoints_are_led_to, teardown),
	        cmocka_unit_test_teardown(each_family_has_its_own_addresses_and_endpoints, teardown),
	        cmocka_unit_test_teardown(endpoints_that_end_serve_where_none_is_ready, teardown),
	        cmocka_unit_test_teardown(hints_keep_traffic_in_the_zone, teardown),
	        cmocka_unit_test_teardown(a_service_of_another_proxy_is_left_alone, teardown),
	        cmocka_unit_test_teardown(an_address_twice_is_one, teardown),
	        cmocka_unit_test_teardown(who_may_come_to_a_balancer_is_read, teardown),
	        cmocka_unit_test_teardown(a_comment_is_what_nft_takes, teardown),
	        cmocka_unit_test_teardown(what_has_no_address_has_no_port, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
