/* What is said of metrics.k8s.io: quantities, windows, lists, tables, and documents that are JSON. */
#include "tests/unit/unit.h"

#include "base/json/json.h"
#include "net/metrics/document.h"
#include "net/metrics/front.h"
#include "net/metrics/known.h"

static struct strbuf out;
static const char *const names[] = {"main", "side"};
static const struct samples_usage usages[] = {
        {1767225610000, 15020, 1234567, 17 * 1024}, {1767225600500, 15000, 500000000, 5 << 20}};

static void begin(void)
{
	strbuf_reset(&out);
}

static void wants(const char *text)
{
	assert_string_equal(strbuf_cstr(&out), text);
}

static void durations_are_written_as_go_does(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {{0, "0s"}, {250, "250ms"}, {15000, "15s"}, {15020, "15.02s"}, {60000, "1m0s"}, {90500, "1m30.5s"},
	        {3600000, "1h0m0s"}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		begin();
		document_duration(&out, cases[i].ms);
		wants(cases[i].text);
	}
}

static void a_node_and_a_pod_are_told(void **state)
{
	begin();
	document_object(&out, &(struct document_item){.name = SLICE("n"), .usages = usages, .n = 1}, 1767225600);
	wants("{\"kind\":\"NodeMetrics\",\"apiVersion\":\"metrics.k8s.io/v1beta1\",\"metadata\":{\"name\":\"n\","
	      "\"creationTimestamp\":\"2026-01-01T00:00:00Z\"},\"timestamp\":\"2026-01-01T00:00:10Z\",\"window\":\"15."
	      "02s\","
	      "\"usage\":{\"cpu\":\"1234567n\",\"memory\":\"17Ki\"}}");
	begin();
	const struct document_item pod = {SLICE("d"), SLICE("p"), SLICE("{\"a\":\"b\"}"), names, usages, 2};
	document_object(&out, &pod, 1767225600);
	wants("{\"kind\":\"PodMetrics\",\"apiVersion\":\"metrics.k8s.io/"
	      "v1beta1\",\"metadata\":{\"name\":\"p\",\"namespace\":"
	      "\"d\",\"creationTimestamp\":\"2026-01-01T00:00:00Z\",\"labels\":{\"a\":\"b\"}},\"timestamp\":"
	      "\"2026-01-01T00:00:00Z\",\"window\":\"15s\",\"containers\":[{\"name\":\"main\",\"usage\":{\"cpu\":"
	      "\"1234567n\","
	      "\"memory\":\"17Ki\"}},{\"name\":\"side\",\"usage\":{\"cpu\":\"500m\",\"memory\":\"5Mi\"}}]}");
}

static void a_table_has_a_row_for_each(void **state)
{
	struct arena a = ARENA_INIT;
	const struct document_item pod = {SLICE("d"), SLICE("p"), SLICE_NULL, names, usages, 2};
	struct document_list l = {
	        .out = &out, .form = DOCUMENT_TABLE, .is_of_pods = true, .include_object = SLICE("None")};
	begin();
	document_list_begin(&l);
	document_list_add(&l, &pod);
	document_list_add(&l, &pod);
	document_list_end(&l);
	struct json *t = json_parse(&a, strbuf_slice(&out), NULL, NULL), *row = json_at(json_get(t, "rows"), 1);
	assert_int_equal(json_get(t, "rows")->count, 2);
	assert_int_equal(json_get(row, "cells")->count, json_get(t, "columnDefinitions")->count);
	assert_true(slice_is(json_str(json_at(json_get(row, "cells"), 1)), "501234567n")); /* the sum */
	assert_null(json_get(row, "object"));
	arena_release(&a);
}

static void documents_are_json(void **state)
{
	static const char *const paths[] = {"/apis", "/apis/", "/apis/metrics.k8s.io", "/apis/metrics.k8s.io/v1beta1",
	        "/openapi/v3", "/openapi/v3/apis/metrics.k8s.io/v1beta1"};
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		if (!json_parse(&a, slice_of(document_of_path(slice_of(paths[i]))), NULL, &err))
			fail_msg("%s: %s", paths[i], err.msg);
	assert_null(document_of_path(SLICE("/apis/other")));
	arena_release(&a);
	strbuf_release(&out);
}

static void paths_say_what_is_asked_for(void **state)
{
	static const struct {
		const char *path;
		bool ok, pods;
		const char *ns, *name;
	} cases[] = {{"nodes", true, false, "", ""}, {"nodes/a", true, false, "", "a"}, {"pods", true, true, "", ""},
	        {"namespaces/x/pods", true, true, "x", ""}, {"namespaces/x/pods/y%2Ez", true, true, "x", "y.z"},
	        {"pods/y", false, 0, 0, 0}, {"namespaces/x/nodes", false, 0, 0, 0}, {"", false, 0, 0, 0},
	        {"nodes/a/b", false, 0, 0, 0}, {"namespaces/x", false, 0, 0, 0}, {"nodes//", false, 0, 0, 0},
	        {"nodes/%", false, 0, 0, 0}, {"namespaces/x/pods/y/z/q", false, 0, 0, 0}};
	struct arena a = ARENA_INIT;
	struct front_route r;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *path = arena_printf(&a, "/apis/metrics.k8s.io/v1beta1/%s", cases[i].path);
		bool ok = front_route_read(&a, slice_of(path), &r);
		if (ok != cases[i].ok)
			fail_msg("%s", path);
		if (ok)
			assert_true(r.is_pods == cases[i].pods && slice_is(r.ns, cases[i].ns) &&
			            slice_is(r.name, cases[i].name));
	}
	arena_release(&a);
}

static void of_objects_little_is_kept(void **state)
{
	struct rcbuf *b = known_digest_node(
	        SLICE("{\"metadata\":{\"name\":\"n\",\"uid\":\"u\",\"labels\":{\"a\":\"b\"}},\"status\":{"
	              "\"addresses\":[{\"type\":\"InternalIP\",\"address\":\"1.2.3.4\"}],"
	              "\"daemonEndpoints\":{\"kubeletEndpoint\":{\"Port\":9}},\"images\":[1]}}"));
	assert_string_equal(b->data,
	        "{\"metadata\":{\"name\":\"n\",\"labels\":{\"a\":\"b\"}},\"addresses\":[{\"type\":\"InternalIP\","
	        "\"address\":\"1.2.3.4\"}],\"port\":9}");
	struct arena a = ARENA_INIT;
	struct informer_object o = {.json = b};
	const char *host;
	int port;
	known_address(&a, &o, "ExternalIP, InternalIP", &host, &port);
	assert_string_equal(host, "1.2.3.4");
	assert_int_equal(port, 9);
	known_address(&a, &o, "Hostname", &host, &port);
	assert_null(host);
	rcbuf_unref(b);
	b = known_digest_pod(SLICE(
	        "{\"metadata\":{\"name\":\"p\",\"namespace\":\"d\"},\"spec\":{},\"status\":{\"phase\":\"Running\"}}"));
	assert_string_equal(b->data, "{\"metadata\":{\"name\":\"p\",\"namespace\":\"d\"},\"phase\":\"Running\"}");
	rcbuf_unref(b);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(durations_are_written_as_go_does),
	        cmocka_unit_test(a_node_and_a_pod_are_told),
	        cmocka_unit_test(a_table_has_a_row_for_each),
	        cmocka_unit_test(documents_are_json),
	        cmocka_unit_test(paths_say_what_is_asked_for),
	        cmocka_unit_test(of_objects_little_is_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
