/* The registry of resources: lookups, storage keys, added rows, conversions. */
#include "api/machinery/schema/resources.h"
#include "tests/unit/unit.h"

static const struct resource *find(const char *group, const char *version, const char *plural)
{
	return resource_find(slice_of(group), slice_of(version), slice_of(plural));
}

static void key_is(const char *group, const char *version, const char *plural, const char *want)
{
	CLEANUP(cleanup_strbuf) struct strbuf b = STRBUF_INIT;
	const struct resource *r = find(group, version, plural);
	assert_non_null(r);
	resource_storage_key(&b, r, SLICE("ns"), SLICE("x"));
	assert_string_equal(strbuf_cstr(&b), want);
}

static void storage_keys_are_those_of_kube_apiserver(void **state)
{
	key_is("", "v1", "pods", "/registry/pods/ns/x");
	key_is("", "v1", "nodes", "/registry/minions/x");
	key_is("", "v1", "services", "/registry/services/specs/ns/x");
	key_is("", "v1", "endpoints", "/registry/services/endpoints/ns/x");
	key_is("apps", "v1", "deployments", "/registry/deployments/ns/x");
	key_is("", "v1", "replicationcontrollers", "/registry/controllers/ns/x");
	key_is("networking.k8s.io", "v1", "ingresses", "/registry/ingress/ns/x");
	key_is("events.k8s.io", "v1", "events", "/registry/events/ns/x");
	key_is("apiextensions.k8s.io", "v1", "customresourcedefinitions",
	        "/registry/apiextensions.k8s.io/customresourcedefinitions/x");
}

static void rows_are_found_by_kind_and_by_preference(void **state)
{
	const struct resource *r = resource_find_kind(SLICE("apps/v1"), SLICE("Deployment"));
	assert_ptr_equal(r, find("apps", "v1", "deployments"));
	assert_string_equal(r->singular, "deployment");
	assert_string_equal(r->short_names[0], "deploy");
	assert_string_equal(r->type->name, "io.k8s.api.apps.v1.Deployment");
	assert_string_equal(r->list_type->name, "io.k8s.api.apps.v1.DeploymentList");
	assert_true(r->namespaced && r->has_generation);
	assert_string_equal(
	        resource_find_preferred(SLICE("autoscaling"), SLICE("horizontalpodautoscalers"))->version, "v2");
	assert_null(find("", "v2", "pods"));
	assert_null(find("apps", "v1", "pods"));
}

static bool count_row(void *arg, const struct resource *r)
{
	(*(size_t *)arg)++;
	assert_non_null(r->type);
	assert_true(!r->storage_prefix || r->list_type);
	for (size_t i = 0; i < r->selector_count; i++)
		assert_non_null(schema_field_path(r->storage->type, r->selectors[i].path));
	for (size_t i = 0; i < r->selector_count; i++)
		assert_non_null(resource_selector_stored_name(r, slice_of(r->selectors[i].name)));
	return true;
}

static void every_row_has_its_types_and_selector_paths(void **state)
{
	size_t n = 0;
	resources_each(count_row, &n);
	assert_true(n > 55);
}

static void subresources_know_their_kinds(void **state)
{
	const struct resource *pods = find("", "v1", "pods");
	const struct resource_sub *s = resource_sub_find(pods, SLICE("eviction"));
	assert_string_equal(s->group, "policy");
	assert_string_equal(s->type->go_name, "Eviction");
	assert_true(resource_sub_find(pods, SLICE("exec"))->is_connect);
	assert_string_equal(resource_sub_find(find("apps", "v1", "deployments"), SLICE("scale"))->type->name,
	        "io.k8s.api.autoscaling.v1.Scale");
	assert_null(resource_sub_find(pods, SLICE("scale")));
}

static void kinds_of_bodies_are_found(void **state)
{
	assert_string_equal(resource_kind_type(SLICE("v1"), SLICE("PodList"))->go_name, "PodList");
	assert_string_equal(resource_kind_type(SLICE("apps/v1"), SLICE("DeleteOptions"))->go_name, "DeleteOptions");
	assert_string_equal(resource_kind_type(SLICE("v1"), SLICE("Status"))->go_name, "Status");
	assert_string_equal(resource_kind_type(SLICE("autoscaling/v1"), SLICE("Scale"))->go_name, "Scale");
	assert_null(resource_kind_type(SLICE("v1"), SLICE("PodSpec")));
	assert_null(resource_kind_type(SLICE("example.com/v1"), SLICE("Foo")));
}

static void rows_can_be_added_and_retired(void **state)
{
	static const char *const none[] = {NULL};
	static struct resource v1 = {.group = "example.com",
	        .version = "v1",
	        .plural = "foos",
	        .kind = "Foo",
	        .api_version = "example.com/v1",
	        .short_names = none,
	        .categories = none,
	        .is_custom = true};
	static struct resource beta;
	beta = v1;
	beta.version = "v1beta1";
	beta.api_version = "example.com/v1beta1";
	struct err err = ERR_INIT;
	uint64_t before = resources_generation();
	assert_int_equal(resources_add(&beta, &err), 0);
	assert_int_equal(resources_add(&v1, &err), 0);
	assert_int_equal(resources_add(&v1, &err), ERR_EXISTS);
	assert_ptr_equal(resource_find_preferred(SLICE("example.com"), SLICE("foos")), &v1);
	assert_true(resources_generation() == before + 2);
	resources_retire(&v1);
	assert_null(find("example.com", "v1", "foos"));
	assert_ptr_equal(resource_find_preferred(SLICE("example.com"), SLICE("foos")), &beta);
	resources_retire(&beta);
}

struct owned_row {
	struct resource_owner owner;
	struct resource row;
	bool is_free;
};

static void note_free(struct resource_owner *owner)
{
	((struct owned_row *)owner)->is_free = true;
}

static void rows_stay_valid_while_a_snapshot_is_held(void **state)
{
	static const char *const none[] = {NULL};
	struct err err = ERR_INIT;
	struct owned_row o = {.owner = {.free = note_free},
	        .row = {.group = "example.com",
	                .version = "v1",
	                .plural = "bars",
	                .kind = "Bar",
	                .api_version = "example.com/v1",
	                .short_names = none,
	                .categories = none,
	                .is_custom = true}};
	atomic_init(&o.owner.refs, 1); /* ours, as that of who made the row */
	o.row.owner = &o.owner;
	struct resource_snapshot *before = resources_snapshot();
	assert_int_equal(resources_add(&o.row, &err), 0);
	resource_unref(&o.row);
	struct resource_snapshot *with = resources_snapshot();
	resources_retire(&o.row);
	struct resource_snapshot *after = resources_snapshot();
	struct slice group = SLICE("example.com"), version = SLICE("v1"), plural = SLICE("bars");
	assert_null(resources_snapshot_find(before, group, version, plural));
	assert_ptr_equal(resources_snapshot_find(with, group, version, plural), &o.row);
	assert_ptr_equal(resources_snapshot_find(with, group, SLICE_NULL, plural), &o.row);
	assert_ptr_equal(resources_snapshot_find_kind(with, SLICE("example.com/v1"), SLICE("Bar")), &o.row);
	assert_null(resources_snapshot_find(after, group, version, plural));
	assert_true(resources_snapshot_generation(before) < resources_snapshot_generation(with));
	assert_true(resources_snapshot_generation(with) < resources_snapshot_generation(after));
	const struct resource *kept = resource_ref(resources_snapshot_find(with, group, version, plural));
	resources_snapshot_unref(with);
	assert_false(o.is_free);
	resource_unref(kept);
	assert_true(o.is_free);
	resources_snapshot_unref(before);
	resources_snapshot_unref(after);
}

static void events_are_renamed_between_their_groups(void **state)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct json *e = json_parse(&a,
	        SLICE("{\"apiVersion\":\"events.k8s.io/"
	              "v1\",\"kind\":\"Event\",\"regarding\":{\"name\":\"p\"},\"note\":\"hi\"}"),
	        NULL, &err);
	const struct resource *from = find("events.k8s.io", "v1", "events");
	assert_ptr_equal(from->storage, find("", "v1", "events"));
	assert_int_equal(resource_convert(&a, e, from, from->storage, &err), 0);
	assert_true(slice_is(json_get_str(e, "message"), "hi"));
	assert_true(slice_is(json_str(json_path(e, "involvedObject", "name", NULL)), "p"));
	assert_true(slice_is(json_get_str(e, "apiVersion"), "v1"));
	assert_int_equal(resource_convert(&a, e, from->storage, from, &err), 0);
	assert_true(slice_is(json_get_str(e, "note"), "hi"));
	arena_release(&a);
}

static void autoscalers_convert_where_v1_can_say_it(void **state)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	const struct resource *v1 = find("autoscaling", "v1", "horizontalpodautoscalers");
	const struct resource *v2 = find("autoscaling", "v2", "horizontalpodautoscalers");
	struct json *h = json_parse(&a, SLICE("{\"spec\":{\"targetCPUUtilizationPercentage\":70}}"), NULL, &err);
	assert_int_equal(resource_convert(&a, h, v1, v2, &err), 0);
	assert_int_equal(json_path(h, "spec", "metrics", NULL)->count, 1);
	assert_int_equal(resource_convert(&a, h, v2, v1, &err), 0);
	assert_int_equal(json_get_int(json_get(h, "spec"), "targetCPUUtilizationPercentage", 0), 70);
	json_append(json_need(&a, json_get(h, "spec"), "metrics", JSON_ARRAY), json_new(&a, JSON_OBJECT));
	assert_int_equal(resource_convert(&a, h, v2, v1, &err), ERR_UNIMPLEMENTED);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(storage_keys_are_those_of_kube_apiserver),
	        cmocka_unit_test(rows_are_found_by_kind_and_by_preference),
	        cmocka_unit_test(every_row_has_its_types_and_selector_paths),
	        cmocka_unit_test(subresources_know_their_kinds),
	        cmocka_unit_test(kinds_of_bodies_are_found),
	        cmocka_unit_test(rows_can_be_added_and_retired),
	        cmocka_unit_test(rows_stay_valid_while_a_snapshot_is_held),
	        cmocka_unit_test(events_are_renamed_between_their_groups),
	        cmocka_unit_test(autoscalers_convert_where_v1_can_say_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
