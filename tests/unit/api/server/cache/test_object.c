/* Cached objects: the version put in place, and the spans that selectors read. */
#include "tests/unit/unit.h"

#include "api/server/cache/object.h"

static const struct resource *pods(void)
{
	return resource_find(SLICE(""), SLICE("v1"), SLICE("pods"));
}

static struct object *make(const char *text)
{
	return object_new(pods(), SLICE("ns/web"), slice_of(text), 42);
}

static void assert_text(struct slice got, const char *want)
{
	if (!slice_is(got, want))
		fail_msg("got \"%.*s\", want \"%s\"", SLICE_FMT(got), want);
}

static void the_version_is_the_first_member_of_metadata(void **state)
{
	struct object *o = make("{\"kind\":\"Pod\",\"metadata\":{\"name\":\"web\"}}");
	assert_text(object_text(o), "{\"kind\":\"Pod\",\"metadata\":{\"resourceVersion\":\"42\",\"name\":\"web\"}}");
	object_unref(o);
	o = make("{\"metadata\": { } }");
	assert_text(object_text(o), "{\"metadata\": {\"resourceVersion\":\"42\" } }");
	object_unref(o);
	struct rcbuf *b = object_finish(SLICE("{\"metadata\":{\"name\":\"x\"}}"), 7);
	assert_text((struct slice){b->data, b->len}, "{\"metadata\":{\"resourceVersion\":\"7\",\"name\":\"x\"}}");
	rcbuf_unref(b);
}

static void spans_hold_wherever_the_members_stand(void **state)
{
	static const char *const texts[] = {
	        "{\"spec\":{\"nodeName\":\"n1\"},\"status\":{\"phase\":\"Running\"},\"metadata\":{\"labels\":{\"a\":"
	        "\"b\"},\"uid\":\"u\"}}",
	        "{\"metadata\":{\"uid\":\"u\",\"labels\":{\"a\":\"b\"}},\"status\":{\"phase\":\"Running\"},\"spec\":{"
	        "\"x\":[{}],\"nodeName\":\"n1\"}}",
	};
	for (size_t i = 0; i < 2; i++) {
		struct arena a = ARENA_INIT;
		struct object *o = make(texts[i]);
		struct object_filter f = {.ns = SLICE("ns"), .name = SLICE("web")};
		assert_text(object_span(o, o->labels), "{\"a\":\"b\"}");
		assert_text(object_span(o, o->uid), "u");
		assert_text(object_namespace(o), "ns");
		assert_text(object_name(o), "web");
		field_selector_parse(
		        &a, SLICE("spec.nodeName=n1,status.phase=Running,metadata.name=web"), &f.fields, NULL);
		label_selector_parse(&a, SLICE("a=b"), &f.labels, NULL);
		assert_int_equal(object_filter_check(&f, pods(), NULL), 0);
		assert_true(object_matches(o, &f, pods()));
		field_selector_parse(&a, SLICE("spec.nodeName!=n1"), &f.fields, NULL);
		assert_false(object_matches(o, &f, pods()));
		field_selector_parse(&a, SLICE("spec.image=x"), &f.fields, NULL);
		assert_int_not_equal(object_filter_check(&f, pods(), NULL), 0);
		object_unref(o);
		arena_release(&a);
	}
}

static void what_is_no_object_is_refused(void **state)
{
	static const char *const bad[] = {
	        "", "[]", "{", "{}", "{\"metadata\":5}", "{\"metadata\":{}", "\x01", "{\"metadata\":null}"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_null(make(bad[i]));
}

/* What clients may select by, and a stored object that has it. */
static const struct {
	const char *group, *version, *plural, *field, *text, *value;
} selectable[] = {
#define POD_FIELD(field, text, value) \
	{ \
		"", "v1", "pods", field, text, value \
	}
        POD_FIELD("spec.nodeName", "\"spec\":{\"nodeName\":\"v\"}", "v"),
        POD_FIELD("spec.restartPolicy", "\"spec\":{\"restartPolicy\":\"v\"}", "v"),
        POD_FIELD("spec.schedulerName", "\"spec\":{\"schedulerName\":\"v\"}", "v"),
        POD_FIELD("spec.serviceAccountName", "\"spec\":{\"serviceAccountName\":\"v\"}", "v"),
        POD_FIELD("spec.hostNetwork", "\"spec\":{\"hostNetwork\":true}", "true"),
        POD_FIELD("spec.hostNetwork", "\"spec\":{}", "false"),
        POD_FIELD("status.phase", "\"status\":{\"phase\":\"v\"}", "v"),
        POD_FIELD("status.podIP", "\"status\":{\"podIP\":\"v\"}", "v"),
        POD_FIELD("status.podIPs", "\"status\":{\"podIP\":\"v\"}", "v"),
        POD_FIELD("status.nominatedNodeName", "\"status\":{\"nominatedNodeName\":\"v\"}", "v"),
        {"", "v1", "nodes", "spec.unschedulable", "\"spec\":{\"unschedulable\":true}", "true"},
        {"", "v1", "nodes", "spec.unschedulable", "\"spec\":{}", "false"},
        {"", "v1", "replicationcontrollers", "status.replicas", "\"status\":{\"replicas\":3}", "3"},
#define EVENT_FIELD(field, path, text, value) \
	{"", "v1", "events", field, text, value}, \
	{ \
		"events.k8s.io", "v1", "events", path, text, value \
	}
        EVENT_FIELD("involvedObject.kind", "regarding.kind", "\"involvedObject\":{\"kind\":\"v\"}", "v"),
        EVENT_FIELD("involvedObject.namespace", "regarding.namespace", "\"involvedObject\":{\"namespace\":\"v\"}", "v"),
        EVENT_FIELD("involvedObject.name", "regarding.name", "\"involvedObject\":{\"name\":\"v\"}", "v"),
        EVENT_FIELD("involvedObject.uid", "regarding.uid", "\"involvedObject\":{\"uid\":\"v\"}", "v"),
        EVENT_FIELD(
                "involvedObject.apiVersion", "regarding.apiVersion", "\"involvedObject\":{\"apiVersion\":\"v\"}", "v"),
        EVENT_FIELD("involvedObject.resourceVersion", "regarding.resourceVersion",
                "\"involvedObject\":{\"resourceVersion\":\"v\"}", "v"),
        EVENT_FIELD("involvedObject.fieldPath", "regarding.fieldPath", "\"involvedObject\":{\"fieldPath\":\"v\"}", "v"),
        EVENT_FIELD("reason", "reason", "\"reason\":\"v\"", "v"),
        EVENT_FIELD("reportingComponent", "reportingController", "\"reportingComponent\":\"v\"", "v"),
        EVENT_FIELD("type", "type", "\"type\":\"v\"", "v"),
        {"", "v1", "events", "source", "\"source\":{\"component\":\"v\"}", "v"},
        {"", "v1", "events", "source", "\"reportingComponent\":\"v\"", "v"},
        {"", "v1", "namespaces", "status.phase", "\"status\":{\"phase\":\"v\"}", "v"},
        {"", "v1", "secrets", "type", "\"type\":\"v\"", "v"},
        {"", "v1", "services", "spec.clusterIP", "\"spec\":{\"clusterIP\":\"v\"}", "v"},
        {"", "v1", "services", "spec.type", "\"spec\":{\"type\":\"v\"}", "v"},
        {"certificates.k8s.io", "v1", "certificatesigningrequests", "spec.signerName",
                "\"spec\":{\"signerName\":\"v\"}", "v"},
        {"batch", "v1", "jobs", "status.successful", "\"status\":{\"succeeded\":2}", "2"},
};

static bool selects(const struct object *o, const struct resource *r, const char *selector)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct object_filter f = {0};
	assert_int_equal(field_selector_parse(&a, slice_of(selector), &f.fields, &err), 0);
	if (object_filter_check(&f, r, &err) != 0)
		fail_msg("%s: %s", selector, err.msg);
	bool yes = object_matches(o, &f, r->storage);
	arena_release(&a);
	return yes;
}

static void every_field_selector_selects(void **state)
{
	for (size_t i = 0; i < sizeof selectable / sizeof *selectable; i++) {
		const struct resource *r = resource_find(
		        slice_of(selectable[i].group), slice_of(selectable[i].version), slice_of(selectable[i].plural));
		char text[512], selector[256], other[256];
		snprintf(text, sizeof text, "{\"metadata\":{\"name\":\"web\"},%s}", selectable[i].text);
		snprintf(selector, sizeof selector, "%s=%s", selectable[i].field, selectable[i].value);
		snprintf(other, sizeof other, "%s=other", selectable[i].field);
		struct object *o = object_new(r->storage, SLICE("ns/web"), slice_of(text), 42);
		if (!selects(o, r, selector) || selects(o, r, other))
			fail_msg("%s of %s does not select %s", selector, r->api_version, text);
		object_unref(o);
	}
}

/* None is left out of the list above. */
static bool is_tested(void *arg, const struct resource *r)
{
	for (size_t i = 0; i < r->selector_count; i++) {
		bool found = false;
		for (size_t k = 0; k < sizeof selectable / sizeof *selectable; k++)
			found = found || (strcmp(selectable[k].plural, r->plural) == 0 &&
			                         strcmp(selectable[k].group, r->group) == 0 &&
			                         strcmp(selectable[k].field, r->selectors[i].name) == 0);
		if (!found && strcmp(r->plural, "replicasets") != 0)
			fail_msg("%s of %s is not tested", r->selectors[i].name, r->plural);
	}
	return true;
}

static void every_field_selector_is_tested(void **state)
{
	resources_each(is_tested, NULL);
}

static void assert_whole(const struct object *o, const char *want)
{
	struct rcbuf *b = object_whole(o);
	assert_text((struct slice){b->data, b->len}, want);
	rcbuf_unref(b);
}

/* Wherever they stood, managedFields lie beside the bytes, and come back as the last member of metadata. */
static void managed_fields_lie_beside_the_bytes(void **state)
{
	static const char *const cases[][3] = {
	        {"{\"metadata\":{\"name\":\"x\",\"managedFields\":[{\"manager\":\"m\"}]},\"status\":{\"phase\":\"R\"}}",
	                "{\"metadata\":{\"resourceVersion\":\"42\",\"name\":\"x\"},\"status\":{\"phase\":\"R\"}}",
	                "{\"metadata\":{\"resourceVersion\":\"42\",\"name\":\"x\",\"managedFields\":[{\"manager\":"
	                "\"m\"}]},\"status\":{\"phase\":\"R\"}}"},
	        {"{\"status\":{\"phase\":\"R\"},\"metadata\":{\"managedFields\":[1],\"name\":\"x\"}}",
	                "{\"status\":{\"phase\":\"R\"},\"metadata\":{\"resourceVersion\":\"42\",\"name\":\"x\"}}",
	                "{\"status\":{\"phase\":\"R\"},\"metadata\":{\"resourceVersion\":\"42\",\"name\":\"x\","
	                "\"managedFields\":[1]}}"},
	        {"{\"metadata\":{\"managedFields\":[1]},\"status\":{\"phase\":\"R\"}}",
	                "{\"metadata\":{\"resourceVersion\":\"42\"},\"status\":{\"phase\":\"R\"}}",
	                "{\"metadata\":{\"resourceVersion\":\"42\",\"managedFields\":[1]},\"status\":{\"phase\":\"R\"}"
	                "}"},
	        {"{\"metadata\": { \"a\":1 , \"managedFields\" : [1] , \"b\":2 },\"status\":{\"phase\":\"R\"}}",
	                "{\"metadata\": {\"resourceVersion\":\"42\", \"a\":1  , \"b\":2 "
	                "},\"status\":{\"phase\":\"R\"}}",
	                "{\"metadata\": {\"resourceVersion\":\"42\", \"a\":1  , \"b\":2 ,\"managedFields\":[1]},"
	                "\"status\":{\"phase\":\"R\"}}"},
	        /* null, and a name that is spelled otherwise: they stay */
	        {"{\"metadata\":{\"managedFields\":null},\"status\":{\"phase\":\"R\"}}",
	                "{\"metadata\":{\"resourceVersion\":\"42\",\"managedFields\":null},\"status\":{\"phase\":\"R\"}"
	                "}",
	                "{\"metadata\":{\"resourceVersion\":\"42\",\"managedFields\":null},\"status\":{\"phase\":\"R\"}"
	                "}"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct object *o = make(cases[i][0]);
		assert_text(object_text(o), cases[i][1]);
		assert_whole(o, cases[i][2]);
		struct object_filter f = {0};
		struct arena a = ARENA_INIT;
		field_selector_parse(&a, SLICE("status.phase=R"), &f.fields, NULL);
		assert_true(object_matches(o, &f, pods()));
		assert_text(object_name(o), "web");
		arena_release(&a);
		object_unref(o);
	}
	struct object *o = object_new_whole(pods(), SLICE("ns/web"), slice_of(cases[0][0]), 42);
	assert_whole(o,
	        "{\"metadata\":{\"resourceVersion\":\"42\",\"name\":\"x\",\"managedFields\":[{\"manager\":\"m\"}]},"
	        "\"status\":{\"phase\":\"R\"}}");
	assert_int_equal(object_packed(o).len, 0);
	object_unref(o);
}

static void managed_fields_are_laid_in_at_the_end_of_metadata(void **state)
{
	struct strbuf out = STRBUF_INIT;
	object_lay_in(&out, SLICE("{\"metadata\":{\"a\":1},\"b\":2}"), 18, SLICE("[7]"));
	assert_text(strbuf_slice(&out), "{\"metadata\":{\"a\":1,\"managedFields\":[7]},\"b\":2}");
	strbuf_reset(&out);
	object_lay_in(&out, SLICE("{\"metadata\":{}}"), 13, SLICE("[7]"));
	assert_text(strbuf_slice(&out), "{\"metadata\":{\"managedFields\":[7]}}");
	strbuf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(managed_fields_lie_beside_the_bytes),
	        cmocka_unit_test(managed_fields_are_laid_in_at_the_end_of_metadata),
	        cmocka_unit_test(the_version_is_the_first_member_of_metadata),
	        cmocka_unit_test(spans_hold_wherever_the_members_stand),
	        cmocka_unit_test(what_is_no_object_is_refused),
	        cmocka_unit_test(every_field_selector_selects),
	        cmocka_unit_test(every_field_selector_is_tested),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
