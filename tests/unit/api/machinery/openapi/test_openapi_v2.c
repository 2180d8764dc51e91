/* OpenAPI v2: the JSON document is whole, and the protobuf one holds the same definitions and paths. */
#include "api/machinery/openapi/openapi_v2.h"
#include "api/machinery/schema/resources.h"
#include "api/machinery/codec/wire.h"
#include "tests/unit/unit.h"

static struct arena arena;
static struct err err;

static void references_are_defined(const struct json *v, const struct json *definitions)
{
	JSON_FOREACH (it, v) {
		if (slice_is(it->key, "$ref") && it->type == JSON_STRING) {
			struct slice name = {
			        it->text.ptr + strlen("#/definitions/"), it->text.len - strlen("#/definitions/")};
			if (!json_get_slice(definitions, name))
				fail_msg("%.*s is not defined", SLICE_FMT(name));
		}
		references_are_defined(it, definitions);
	}
}

static struct json *v2_json(void)
{
	struct strbuf b = STRBUF_INIT;
	openapi_v2_json(&b);
	struct json *doc = json_parse(&arena, strbuf_slice(&b), NULL, &err);
	if (!doc)
		fail_msg("%s", err.msg);
	strbuf_release(&b);
	return doc;
}

static void the_json_document_is_whole(void **state)
{
	struct json *doc = v2_json();
	struct json *definitions = json_get(doc, "definitions");
	references_are_defined(doc, definitions);
	struct json *port =
	        json_path(definitions, "io.k8s.api.core.v1.ContainerPort", "properties", "containerPort", NULL);
	assert_null(json_get(port, "default"));
	assert_true(slice_is(json_get_str(port, "format"), "int32"));
	struct json *q = json_get(definitions, "io.k8s.apimachinery.pkg.api.resource.Quantity");
	assert_true(slice_is(json_get_str(q, "type"), "string"));
	arena_release(&arena);
}

/* Counts fields of a number in a message, and returns the last one. */
static size_t count_fields(struct slice message, uint32_t number, struct slice *last)
{
	struct wire_field w;
	size_t n = 0;
	int rc;
	while ((rc = wire_next(&message, &w, &err)) > 0)
		if (w.number == number) {
			n++;
			*last = w.bytes;
		}
	assert_int_equal(rc, 0);
	return n;
}

static void the_protobuf_document_holds_the_same(void **state)
{
	struct strbuf b = STRBUF_INIT;
	openapi_v2_protobuf(&b);
	struct json *doc = v2_json();
	struct slice paths, definitions, one, schema;
	assert_int_equal(count_fields(strbuf_slice(&b), 8, &paths), 1);
	assert_int_equal(count_fields(strbuf_slice(&b), 9, &definitions), 1);
	assert_int_equal(count_fields(paths, 2, &one), json_get(doc, "paths")->count);
	assert_int_equal(count_fields(definitions, 1, &one), json_get(doc, "definitions")->count);
	assert_int_equal(count_fields(one, 2, &schema), 1);
	strbuf_release(&b);
	arena_release(&arena);
}

static void custom_schemas_lose_what_v2_does_not_know(void **state)
{
	static const char *const none[] = {NULL};
	static struct resource r = {.group = "example.com",
	        .version = "v1",
	        .plural = "bars",
	        .singular = "bar",
	        .kind = "Bar",
	        .list_kind = "BarList",
	        .api_version = "example.com/v1",
	        .short_names = none,
	        .categories = none,
	        .verbs = RESOURCE_VERBS_ALL,
	        .is_custom = true};
	resource_openapi_set(&arena, &r,
	        SLICE("{\"type\":\"object\",\"properties\":{\"spec\":{\"type\":\"object\",\"oneOf\":[{}],"
	              "\"properties\":{"
	              "\"a\":{\"type\":\"string\",\"default\":\"x\",\"nullable\":true}}}}}"));
	assert_int_equal(resources_add(&r, &err), 0);
	struct json *doc = v2_json();
	struct json *spec = json_path(doc, "definitions", "com.example.v1.Bar", "properties", "spec", NULL);
	assert_non_null(spec);
	assert_null(json_get(spec, "oneOf"));
	assert_null(json_get(json_path(spec, "properties", "a", NULL), "type"));
	references_are_defined(doc, json_get(doc, "definitions"));
	resources_retire(&r);
	arena_release(&arena);
}

static void odd_schemas_of_custom_resources_do_no_harm(void **state)
{
	static const char *const none[] = {NULL};
	static const char *const odd[] = {
	        "{\"type\":5,\"required\":\"x\",\"items\":7,\"properties\":{\"a\":1},\"enum\":{\"a\":1}}", "[]",
	        "nonsense",
	        "{\"description\":1,\"additionalProperties\":3,\"allOf\":[1],\"maximum\":\"x\",\"x-a\":null}",
	        "{\"properties\":[1,2],\"$ref\":null,\"required\":[1]}"};
	static struct resource r = {.group = "odd.example.com",
	        .version = "v1",
	        .plural = "odds",
	        .singular = "odd",
	        .kind = "Odd",
	        .list_kind = "OddList",
	        .api_version = "odd.example.com/v1",
	        .short_names = none,
	        .categories = none,
	        .verbs = RESOURCE_VERBS_ALL,
	        .is_custom = true};
	assert_int_equal(resources_add(&r, &err), 0);
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct strbuf b = STRBUF_INIT;
		resource_openapi_set(&arena, &r, slice_of(odd[i]));
		openapi_v2_protobuf(&b);
		strbuf_release(&b);
		v2_json();
		arena_release(&arena);
	}
	resources_retire(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_json_document_is_whole),
	        cmocka_unit_test(the_protobuf_document_holds_the_same),
	        cmocka_unit_test(odd_schemas_of_custom_resources_do_no_harm),
	        cmocka_unit_test(custom_schemas_lose_what_v2_does_not_know),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
