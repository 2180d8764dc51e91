/* HTTPRoutes as routes of the table: how many there are, which listener's wildcard reaches how far, and what is told of
 * backends. */
#include "tests/unit/unit_json.h"

#include "net/ingress/route/gateways.h"

struct backend {
	int refs;
};

static struct backend only;

static struct backend *take(void *arg, struct slice ns, struct slice service, struct slice port)
{
	only.refs++;
	return &only;
}

static void drop(struct backend *b)
{
	b->refs--;
}

static const struct json *labels(void *arg, struct slice ns)
{
	return NULL;
}

static enum service_found service(void *arg, struct slice ns, struct slice name, int64_t port)
{
	return slice_is(name, "far") ? SERVICE_EXTERNAL : slice_is(name, "one") ? SERVICE_FOUND : SERVICE_ABSENT;
}

static bool has_certificate(void *arg, struct slice ns, struct slice secret)
{
	return true;
}

static struct json_list list_of(const char *text)
{
	const struct json *list = parse(text);
	struct json_list out = {ARENA_ARRAY(&a, const struct json *, list->count + 1), 0};
	JSON_FOREACH (it, list)
		out.items[out.count++] = it;
	return out;
}

static const char *class = "[{\"metadata\":{\"name\":\"ours\"},\"spec\":{\"controllerName\":\"c\"}}]";
static struct gateway_status *statuses;

/* One Gateway "g" with these listeners, one HTTPRoute "r" with this spec. */
static struct route_table *table_of(const char *listeners, const char *route)
{
	static const struct route_table_makers makers = {take, drop, NULL, NULL};
	struct route_table *t = route_table_new(&makers);
	struct gateways_input in = {.controller = "c",
	        .classes = list_of(class),
	        .gateways = list_of(arena_printf(&a,
	                "[{\"metadata\":{\"name\":\"g\",\"namespace\":\"n\"},\"spec\":{\"gatewayClassName\":\"ours\","
	                "\"listeners\":[%s]}}]",
	                listeners)),
	        .routes = list_of(
	                arena_printf(&a, "[{\"metadata\":{\"name\":\"r\",\"namespace\":\"n\"},\"spec\":{%s}}]", route)),
	        .labels = labels,
	        .service = service,
	        .has_certificate = has_certificate};
	statuses = gateways_add(&a, t, &in);
	route_table_seal(t);
	return t;
}

static const char *reason_of(const char *type)
{
	for (struct gateway_status *s = statuses; s; s = s->next)
		if (strcmp(s->plural, "httproutes") == 0)
			JSON_FOREACH (it, json_get(json_at(json_get(s->status, "parents"), 0), "conditions"))
				if (slice_is(json_get_str(it, "type"), type))
					return json_cstr(&a, json_get(it, "reason"));
	return "none";
}

#define HTTP(name, port, host) \
	"{\"name\":\"" name "\",\"protocol\":\"HTTP\",\"port\":" #port ",\"hostname\":\"" host "\"}"
#define BACKEND(name) "\"backendRefs\":[{\"name\":\"" name "\",\"port\":80}]"

static bool finds(const struct route_table *t, const char *host)
{
	struct match_asked asked = {SLICE("GET"), SLICE(""), NULL, NULL};
	return route_table_find(t, ENTRY_WEB, slice_of(host), SLICE("/"), &asked) != NULL;
}

/* The definition lets a route have 16 hostnames and 32 parents, and a Gateway 64 listeners. */
static void hosts_and_parents_share_a_rules_routes(void **state)
{
	struct strbuf hosts = STRBUF_INIT, parents = STRBUF_INIT, matches = STRBUF_INIT;
	for (int i = 0; i < 16; i++)
		strbuf_addf(&hosts, "%s\"h%d.test\"", i ? "," : "", i);
	for (int i = 0; i < 32; i++)
		strbuf_addf(&parents, "%s{\"name\":\"g\"}", i ? "," : "");
	for (int i = 0; i < 64; i++)
		strbuf_addf(&matches, "%s{\"path\":{\"value\":\"/%d\"}}", i ? "," : "", i);
	struct route_table *t = table_of(HTTP("x", 80, "*.test") "," HTTP("y", 80, "h3.test"),
	        arena_printf(&a,
	                "\"hostnames\":[%s],\"parentRefs\":[%s],\"rules\":[{\"matches\":[%s]," BACKEND("one") "}]",
	                hosts.data, parents.data, matches.data));
	assert_int_equal(route_table_routes(t), 64);
	route_table_unref(t);
	assert_int_equal(only.refs, 0);
	strbuf_release(&hosts);
	strbuf_release(&parents);
	strbuf_release(&matches);
}

static void wildcards_reach_all_that_lies_below(void **state)
{
	struct route_table *t =
	        table_of(HTTP("x", 80, "*.test"), "\"parentRefs\":[{\"name\":\"g\"}],\"rules\":[{" BACKEND("one") "}]");
	assert_true(finds(t, "a.test"));
	assert_true(finds(t, "b.a.test"));
	assert_false(finds(t, "test"));
	assert_string_equal(reason_of("Accepted"), "Accepted");
	assert_string_equal(reason_of("ResolvedRefs"), "ResolvedRefs");
	route_table_unref(t);
}

static void each_port_has_routes_of_its_own(void **state)
{
	struct route_table *t = table_of(HTTP("x", 80, "a.test") "," HTTP("y", 8000, "b.test"),
	        "\"parentRefs\":[{\"name\":\"g\"}],\"rules\":[{" BACKEND("one") "}]");
	assert_int_equal(route_table_routes(t), 2);
	assert_int_equal(route_table_route(t, 0)->port, 80);
	assert_int_equal(route_table_route(t, 1)->port, 8000);
	route_table_unref(t);
}

static void services_that_can_not_be_asked_are_told(void **state)
{
	route_table_unref(table_of(
	        HTTP("x", 80, "a.test"), "\"parentRefs\":[{\"name\":\"g\"}],\"rules\":[{" BACKEND("far") "}]"));
	assert_string_equal(reason_of("ResolvedRefs"), "InvalidKind");
	route_table_unref(table_of(
	        HTTP("x", 80, "a.test"), "\"parentRefs\":[{\"name\":\"g\"}],\"rules\":[{" BACKEND("gone") "}]"));
	assert_string_equal(reason_of("ResolvedRefs"), "BackendNotFound");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(hosts_and_parents_share_a_rules_routes, release),
	        cmocka_unit_test_teardown(wildcards_reach_all_that_lies_below, release),
	        cmocka_unit_test_teardown(each_port_has_routes_of_its_own, release),
	        cmocka_unit_test_teardown(services_that_can_not_be_asked_are_told, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
