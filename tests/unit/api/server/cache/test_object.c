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

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_version_is_the_first_member_of_metadata),
	        cmocka_unit_test(spans_hold_wherever_the_members_stand),
	        cmocka_unit_test(what_is_no_object_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
