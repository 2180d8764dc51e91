/* What other servers serve, in every document of discovery. */
#include "tests/unit/unit.h"

#include "api/machinery/openapi/discovery.h"
#include "base/json/json.h"

static struct arena arena;

#define POD_METRICS \
	"[{\"name\":\"pods\",\"singularName\":\"pod\",\"namespaced\":true,\"kind\":\"PodMetrics\",\"verbs\":[\"get\"," \
	"\"list\"]}]"
#define CUSTOM \
	"[{\"name\":\"pods/a\",\"namespaced\":true,\"kind\":\"L\",\"verbs\":[\"get\"]}," \
	"{\"name\":\"pods/b\",\"namespaced\":true,\"kind\":\"L\",\"verbs\":[\"get\"]}]"

static const struct discovery_extra items[] = {
        {{"metrics.k8s.io", 14}, {"v1beta1", 7}, {POD_METRICS, sizeof POD_METRICS - 1}, false},
        {{"c.example", 9}, {"v2", 2}, {CUSTOM, sizeof CUSTOM - 1}, false},
        {{"c.example", 9}, {"v1", 2}, {NULL, 0}, true}, {{"apps", 4}, {"v9", 2}, {NULL, 0}, true}};
static const struct discovery_extras extras = {items, 4};

static struct json *parsed(struct strbuf *b)
{
	struct err err = ERR_INIT;
	struct json *v = json_parse(&arena, strbuf_slice(b), NULL, &err);
	if (!v)
		fail_msg("%s", err.msg);
	strbuf_release(b);
	return v;
}

static size_t count_of(const struct json *list, const char *name)
{
	size_t n = 0;
	JSON_FOREACH (it, list)
		n += slice_is(json_get_str(it, "name"), name) ||
		     slice_is(json_str(json_path(it, "metadata", "name", NULL)), name);
	return n;
}

static void groups_stand_beside_those_that_are_served_here(void **state)
{
	struct strbuf b = STRBUF_INIT;
	discovery_groups(&b, extras);
	struct json *groups = json_get(parsed(&b), "groups");
	assert_int_equal(count_of(groups, "metrics.k8s.io"), 1);
	assert_int_equal(count_of(groups, "apps"), 1); /* it is this server's */
	assert_int_equal(discovery_group(&b, SLICE("c.example"), extras, NULL), 0);
	struct json *group = parsed(&b);
	assert_true(slice_is(json_str(json_path(group, "preferredVersion", "version", NULL)), "v2"));
	assert_int_equal(json_get(group, "versions")->count, 2);
	arena_release(&arena);
}

static void a_version_that_never_answered_has_no_resources(void **state)
{
	struct strbuf b = STRBUF_INIT;
	assert_int_equal(discovery_resources(&b, SLICE("metrics.k8s.io"), SLICE("v1beta1"), extras, NULL), 0);
	assert_int_equal(json_get(parsed(&b), "resources")->count, 1);
	assert_int_equal(discovery_resources(&b, SLICE("c.example"), SLICE("v1"), extras, NULL), ERR_NOT_FOUND);
	arena_release(&arena);
}

static void subresources_without_a_resource_get_one(void **state)
{
	struct strbuf b = STRBUF_INIT;
	discovery_aggregated(&b, false, false, extras);
	struct json *list = json_get(parsed(&b), "items");
	assert_int_equal(count_of(list, "c.example"), 1);
	JSON_FOREACH (group, list) {
		if (!slice_is(json_str(json_path(group, "metadata", "name", NULL)), "c.example"))
			continue;
		struct json *versions = json_get(group, "versions"), *v2 = json_at(versions, 0),
		            *v1 = json_at(versions, 1);
		struct json *resources = json_get(v2, "resources"), *pods = json_at(resources, 0);
		assert_int_equal(resources->count, 1);
		assert_true(slice_is(json_get_str(pods, "resource"), "pods"));
		assert_int_equal(json_get(pods, "subresources")->count, 2);
		assert_true(slice_is(json_get_str(v1, "freshness"), "Stale"));
	}
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(groups_stand_beside_those_that_are_served_here),
	        cmocka_unit_test(a_version_that_never_answered_has_no_resources),
	        cmocka_unit_test(subresources_without_a_resource_get_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
