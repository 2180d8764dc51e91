/* OpenAPI v3: every document is whole, and says what kubectl reads from it. */
#include "api/machinery/openapi/openapi_v3.h"
#include "api/machinery/schema/resources.h"
#include "tests/unit/unit.h"

static struct arena arena;
static struct err err;

static struct json *document(const char *path)
{
	struct strbuf b = STRBUF_INIT;
	if (openapi_v3_document(&b, slice_of(path), &err) != 0)
		fail_msg("%s: %s", path, err.msg);
	struct json *v = json_parse(&arena, strbuf_slice(&b), NULL, &err);
	if (!v)
		fail_msg("%s: %s", path, err.msg);
	strbuf_release(&b);
	return v;
}

/* Every "$ref" below v names a schema that is there. */
static void check_refs(const struct json *v, const struct json *schemas)
{
	static const char prefix[] = "#/components/schemas/";
	JSON_FOREACH (it, v) {
		if (slice_is(it->key, "$ref") && it->type == JSON_STRING) {
			assert_true(slice_starts(it->text, prefix));
			struct slice name = {it->text.ptr + strlen(prefix), it->text.len - strlen(prefix)};
			if (!json_get_slice(schemas, name))
				fail_msg("%.*s is not defined", SLICE_FMT(name));
		}
		check_refs(it, schemas);
	}
}

static void every_document_in_the_index_is_whole(void **state)
{
	struct strbuf b = STRBUF_INIT;
	openapi_v3_index(&b, (struct discovery_extras){0});
	struct json *index = json_parse(&arena, strbuf_slice(&b), NULL, &err);
	strbuf_release(&b);
	size_t n = 0;
	JSON_FOREACH (it, json_get(index, "paths")) {
		const char *path = arena_memdup(&arena, it->key.ptr, it->key.len);
		char hash[65];
		assert_int_equal(openapi_v3_hash(slice_of(path), hash, &err), 0);
		const char *url = json_cstr(&arena, json_get(it, "serverRelativeURL"));
		assert_string_equal(url, arena_printf(&arena, "/openapi/v3/%s?hash=%s", path, hash));
		struct json *doc = document(path);
		check_refs(doc, json_path(doc, "components", "schemas", NULL));
		n++;
	}
	assert_true(n > 20);
	arena_release(&arena);
}

static void patch_of_each_kind_takes_field_validation(void **state)
{
	struct json *doc = document("apis/apps/v1");
	struct json *patch =
	        json_path(doc, "paths", "/apis/apps/v1/namespaces/{namespace}/deployments/{name}", "patch", NULL);
	bool found = false;
	JSON_FOREACH (it, json_get(patch, "parameters"))
		found |= slice_is(json_get_str(it, "name"), "fieldValidation");
	assert_true(found);
	assert_true(slice_is(json_get_str(json_get(patch, "x-kubernetes-group-version-kind"), "kind"), "Deployment"));
	arena_release(&arena);
}

static void fields_say_how_they_merge_and_what_they_default_to(void **state)
{
	struct json *doc = document("api/v1");
	struct json *schemas = json_path(doc, "components", "schemas", NULL);
	struct json *ports = json_path(schemas, "io.k8s.api.core.v1.Container", "properties", "ports", NULL);
	assert_true(slice_is(json_get_str(ports, "x-kubernetes-list-type"), "map"));
	assert_int_equal(json_get(ports, "x-kubernetes-list-map-keys")->count, 2);
	assert_true(slice_is(json_get_str(ports, "x-kubernetes-patch-merge-key"), "containerPort"));
	struct json *protocol = json_path(schemas, "io.k8s.api.core.v1.ContainerPort", "properties", "protocol", NULL);
	assert_true(slice_is(json_get_str(protocol, "default"), "TCP"));
	assert_int_equal(json_get(protocol, "enum")->count, 3);
	struct json *spec = json_path(schemas, "io.k8s.api.core.v1.Pod", "properties", "spec", NULL);
	assert_int_equal(json_get(spec, "default")->type, JSON_OBJECT);
	assert_non_null(json_get(json_at(json_get(spec, "allOf"), 0), "$ref"));
	struct json *selector = json_path(schemas, "io.k8s.api.core.v1.PodSpec", "properties", "nodeSelector", NULL);
	assert_true(slice_is(json_get_str(selector, "x-kubernetes-map-type"), "atomic"));
	arena_release(&arena);
}

static void custom_resources_appear_with_their_schema(void **state)
{
	static const char *const none[] = {NULL};
	static struct resource r = {.group = "stable.example.com",
	        .version = "v1",
	        .plural = "foos",
	        .singular = "foo",
	        .kind = "Foo",
	        .list_kind = "FooList",
	        .api_version = "stable.example.com/v1",
	        .short_names = none,
	        .categories = none,
	        .verbs = RESOURCE_VERBS_ALL,
	        .namespaced = true,
	        .is_custom = true};
	resource_openapi_set(
	        &arena, &r, SLICE("{\"type\":\"object\",\"properties\":{\"spec\":{\"type\":\"object\"}}}"));
	char before[65];
	char after[65];
	assert_int_equal(resources_add(&r, &err), 0);
	struct json *doc = document("apis/stable.example.com/v1");
	struct json *foo = json_path(doc, "components", "schemas", "com.example.stable.v1.Foo", NULL);
	assert_non_null(json_path(foo, "properties", "spec", NULL));
	assert_non_null(json_path(foo, "properties", "metadata", "allOf", NULL));
	assert_non_null(json_path(doc, "components", "schemas", "com.example.stable.v1.FooList", NULL));
	check_refs(doc, json_path(doc, "components", "schemas", NULL));
	openapi_v3_hash(SLICE("apis/stable.example.com/v1"), before, &err);
	resource_openapi_set(&arena, &r, SLICE("{\"type\":\"object\"}"));
	openapi_v3_hash(SLICE("apis/stable.example.com/v1"), after, &err);
	assert_string_not_equal(before, after);
	resources_retire(&r);
	arena_release(&arena);
}

static void what_is_not_served_is_not_found(void **state)
{
	static const char *const paths[] = {
	        "", "api", "api/v2", "apis", "apis/apps", "apis/apps/v9", "apis//v1", "x/v1"};
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct strbuf b = STRBUF_INIT;
		assert_int_equal(openapi_v3_document(&b, slice_of(paths[i]), &err), ERR_NOT_FOUND);
		assert_int_equal(b.len, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_document_in_the_index_is_whole),
	        cmocka_unit_test(patch_of_each_kind_takes_field_validation),
	        cmocka_unit_test(fields_say_how_they_merge_and_what_they_default_to),
	        cmocka_unit_test(custom_resources_appear_with_their_schema),
	        cmocka_unit_test(what_is_not_served_is_not_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
