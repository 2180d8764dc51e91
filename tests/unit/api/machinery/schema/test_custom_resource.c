/* Rows made from CRDs. */
#include "api/machinery/schema/custom_resource.h"
#include "api/machinery/openapi/discovery.h"
#include "api/machinery/openapi/openapi_v3.h"
#include "tests/unit/unit.h"

static const struct discovery_extras no_extras = {0};

static struct arena arena;
static struct err err;

static struct json *crd(const char *versions)
{
	const char *text = arena_printf(&arena,
	        "{\"spec\":{\"group\":\"stable.example.com\",\"scope\":\"Namespaced\",\"names\":{\"plural\":"
	        "\"crontabs\",\"kind\":"
	        "\"CronTab\",\"shortNames\":[\"ct\"]},\"versions\":%s}}",
	        versions);
	struct json *v = json_parse(&arena, slice_of(text), NULL, &err);
	assert_non_null(v);
	return v;
}

static void a_crd_becomes_rows_that_are_served(void **state)
{
	struct custom_resources *set = NULL;
	struct json *v =
	        crd("[{\"name\":\"v1beta1\",\"served\":false,\"storage\":false},{\"name\":\"v1\",\"served\":true,"
	            "\"storage\":true,"
	            "\"subresources\":{\"status\":{},\"scale\":{}},\"selectableFields\":[{\"jsonPath\":\".spec.color\"}"
	            "],\"schema\":{"
	            "\"openAPIV3Schema\":{\"type\":\"object\",\"properties\":{\"spec\":{\"type\":\"object\"}}}}}]");
	assert_int_equal(custom_resources_new(v, &set, &err), 0);
	assert_int_equal(set->count, 2);
	assert_false(set->served[0]);
	assert_ptr_equal(set->rows[0].storage, &set->rows[1]);
	const struct resource *r = &set->rows[1];
	assert_string_equal(r->singular, "crontab");
	assert_string_equal(r->list_kind, "CronTabList");
	assert_string_equal(r->storage_prefix, "/registry/stable.example.com/crontabs/");
	assert_string_equal(r->type->name, "com.example.stable.v1.CronTab");
	assert_non_null(resource_sub_find(r, SLICE("scale")));
	assert_string_equal(resource_selector_find(r, SLICE("spec.color"))->path, "spec.color");
	assert_int_equal(resources_add(r, &err), 0);
	struct strbuf b = STRBUF_INIT;
	assert_int_equal(discovery_resources(&b, SLICE("stable.example.com"), SLICE("v1"), no_extras, &err), 0);
	assert_non_null(strstr(strbuf_cstr(&b), "\"shortNames\":[\"ct\"]"));
	strbuf_reset(&b);
	assert_int_equal(openapi_v3_document(&b, SLICE("apis/stable.example.com/v1"), &err), 0);
	assert_non_null(json_parse(&arena, strbuf_slice(&b), NULL, &err));
	strbuf_release(&b);
	struct resource_snapshot *snapshot = resources_snapshot();
	resources_retire(r);
	custom_resources_unref(set);
	/* a request that is under way works with the row to its end */
	assert_string_equal(
	        resources_snapshot_find(snapshot, SLICE("stable.example.com"), SLICE("v1"), SLICE("crontabs"))->kind,
	        "CronTab");
	resources_snapshot_unref(snapshot);
	arena_release(&arena);
}

static void what_is_missing_is_named(void **state)
{
	struct custom_resources *set = NULL;
	assert_int_equal(custom_resources_new(crd("[]"), &set, &err), ERR_INVAL);
	assert_int_equal(custom_resources_new(crd("[{\"name\":\"v1\"}]"), &set, &err), ERR_INVAL);
	assert_string_equal(err.msg, "spec.versions: one version must have storage: true");
	assert_int_equal(custom_resources_new(crd("[{\"storage\":true}]"), &set, &err), ERR_INVAL);
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_crd_becomes_rows_that_are_served),
	        cmocka_unit_test(what_is_missing_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
