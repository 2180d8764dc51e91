/* Discovery documents: shapes that clients read. */
#include "api/machinery/openapi/discovery.h"
#include "base/json/json.h"
#include "tests/unit/unit.h"

static const struct discovery_extras no_extras = {0};

static struct arena arena;

static struct json *parsed(struct strbuf *b)
{
	struct err err = ERR_INIT;
	struct json *v = json_parse(&arena, strbuf_slice(b), NULL, &err);
	if (!v)
		fail_msg("%s", err.msg);
	strbuf_release(b);
	return v;
}

static struct json *by_member(const struct json *array, const char *key, const char *value)
{
	JSON_FOREACH (it, array)
		if (slice_is(json_get_str(it, key), value))
			return it;
	fail_msg("nothing has %s %s", key, value);
	return NULL;
}

static void resources_are_listed_with_their_subresources(void **state)
{
	struct strbuf b = STRBUF_INIT;
	assert_int_equal(discovery_resources(&b, SLICE(""), SLICE("v1"), no_extras, NULL), 0);
	struct json *doc = parsed(&b);
	assert_null(json_get(doc, "apiVersion"));
	assert_true(slice_is(json_get_str(doc, "groupVersion"), "v1"));
	struct json *pods = by_member(json_get(doc, "resources"), "name", "pods");
	assert_true(slice_is(json_get_str(pods, "kind"), "Pod"));
	assert_int_equal(json_get(pods, "verbs")->count, 8);
	assert_true(json_get_bool(pods, "namespaced", false));
	struct json *eviction = by_member(json_get(doc, "resources"), "name", "pods/eviction");
	assert_true(slice_is(json_get_str(eviction, "group"), "policy"));
	assert_int_equal(discovery_resources(&b, SLICE("nope"), SLICE("v1"), no_extras, NULL), ERR_NOT_FOUND);
}

static void groups_name_their_preferred_version(void **state)
{
	struct strbuf b = STRBUF_INIT;
	discovery_groups(&b, no_extras);
	struct json *group = by_member(json_get(parsed(&b), "groups"), "name", "autoscaling");
	assert_true(slice_is(json_get_str(json_get(group, "preferredVersion"), "version"), "v2"));
	assert_int_equal(json_get(group, "versions")->count, 2);
	assert_int_equal(discovery_group(&b, SLICE("apps"), no_extras, NULL), 0);
	assert_true(slice_is(json_get_str(parsed(&b), "name"), "apps"));
	assert_int_equal(discovery_group(&b, SLICE(""), no_extras, NULL), ERR_NOT_FOUND);
}

static void the_aggregated_form_has_all_resources(void **state)
{
	struct strbuf b = STRBUF_INIT;
	discovery_aggregated(&b, false, false, no_extras);
	struct json *doc = parsed(&b);
	assert_true(slice_is(json_get_str(doc, "apiVersion"), "apidiscovery.k8s.io/v2"));
	struct json *apps = NULL;
	JSON_FOREACH (it, json_get(doc, "items"))
		if (slice_is(json_get_str(json_get(it, "metadata"), "name"), "apps"))
			apps = json_at(json_get(it, "versions"), 0);
	assert_non_null(apps);
	struct json *d = by_member(json_get(apps, "resources"), "resource", "deployments");
	assert_true(slice_is(json_get_str(d, "scope"), "Namespaced"));
	struct json *scale = by_member(json_get(d, "subresources"), "subresource", "scale");
	assert_true(slice_is(json_get_str(json_get(scale, "responseKind"), "group"), "autoscaling"));
	discovery_aggregated(&b, true, true, no_extras);
	assert_int_equal(json_get(parsed(&b), "items")->count, 1);
	discovery_core_versions(&b, "10.0.0.1:6443");
	assert_int_equal(json_get(parsed(&b), "versions")->count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(resources_are_listed_with_their_subresources),
	        cmocka_unit_test(groups_name_their_preferred_version),
	        cmocka_unit_test(the_aggregated_form_has_all_resources),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	arena_release(&arena);
	return rc;
}
