/* How parts of objects are owned, as the published definitions say. */
#include "tests/unit/api/machinery/fields/unit_fields.h"

#include "api/machinery/fields/shape.h"

static enum shape_kind kind_at(const char *api_version, const char *kind, const char *path)
{
	const struct schema_field *f = schema_field_path(row(api_version, kind)->type, path);
	assert_non_null(f);
	return shape_of_field(f).kind;
}

static void shapes_are_those_of_the_definitions(void **state)
{
	static const struct {
		const char *path;
		enum shape_kind kind;
	} pod[] = {
	        {"metadata", SHAPE_OF_STRUCT},
	        {"metadata.labels", SHAPE_OF_MAP},
	        {"metadata.finalizers", SHAPE_OF_SET},
	        {"metadata.ownerReferences", SHAPE_OF_KEYED},
	        {"metadata.creationTimestamp", SHAPE_OF_ATOM},
	        {"spec.containers", SHAPE_OF_KEYED},
	        {"spec.containers.args", SHAPE_OF_ATOM},
	        {"spec.containers.ports", SHAPE_OF_KEYED},
	        {"spec.containers.resources.limits", SHAPE_OF_MAP},
	        {"spec.nodeSelector", SHAPE_OF_ATOM},
	        {"spec.tolerations", SHAPE_OF_ATOM},
	        {"spec.imagePullSecrets", SHAPE_OF_KEYED},
	        {"status.conditions", SHAPE_OF_KEYED},
	};
	for (size_t i = 0; i < sizeof pod / sizeof *pod; i++)
		if (kind_at("v1", "Pod", pod[i].path) != pod[i].kind)
			fail_msg("%s is %d", pod[i].path, kind_at("v1", "Pod", pod[i].path));
	assert_int_equal(kind_at("apps/v1", "Deployment", "spec.selector"), SHAPE_OF_ATOM);
	assert_int_equal(kind_at("apps/v1", "ControllerRevision", "data"), SHAPE_OF_UNTYPED);
	assert_int_equal(kind_at("v1", "Service", "spec.ports"), SHAPE_OF_KEYED);
	assert_int_equal(kind_at("v1", "Service", "spec.selector"), SHAPE_OF_ATOM);
	assert_int_equal(shape_of_type(NULL).kind, SHAPE_OF_UNTYPED);
}

static const char *step(const char *api_version, const char *kind, const char *path, const char *element,
        char *ret_kind, struct slice *missing)
{
	struct shape list = shape_of_field(schema_field_path(row(api_version, kind)->type, path));
	struct shape_keys keys;
	struct slice name;
	shape_keys(&list, &keys);
	if (!shape_step(&a, &keys, object_of(element), ret_kind, &name, missing))
		return NULL;
	return arena_printf(&a, "%.*s", SLICE_FMT(name));
}

static void elements_are_named_by_their_keys(void **state)
{
	struct slice missing;
	char kind;
	assert_string_equal(step("v1", "Pod", "spec.containers", "{'image':'i','name':'web'}", &kind, &missing),
	        "{\"name\":\"web\"}");
	assert_int_equal(kind, 'k');
	assert_string_equal(
	        step("v1", "Pod", "spec.containers", "{'name':'a\\\"b'}", &kind, &missing), "{\"name\":\"a\\\"b\"}");
	/* in order, with the default of what is left out */
	assert_string_equal(step("v1", "Pod", "spec.containers.ports", "{'containerPort':80}", &kind, &missing),
	        "{\"containerPort\":80,\"protocol\":\"TCP\"}");
	assert_string_equal(step("v1", "Pod", "metadata.finalizers", "'x/y'", &kind, &missing), "\"x/y\"");
	assert_int_equal(kind, 'v');
	assert_null(step("v1", "Pod", "spec.containers", "{'image':'i'}", &kind, &missing));
	assert_true(slice_is(missing, "name"));
	assert_null(step("v1", "Pod", "spec.containers", "'text'", &kind, &missing));
	assert_null(step("v1", "Pod", "metadata.finalizers", "{}", &kind, &missing));
	assert_null(missing.ptr);
}

static void members_of_structs_are_named_and_those_of_maps_are_not(void **state)
{
	bool is_named;
	struct shape pod = shape_of_type(row("v1", "Pod")->type);
	assert_int_equal(shape_of_member(&pod, SLICE("spec"), &is_named).kind, SHAPE_OF_STRUCT);
	assert_true(is_named);
	assert_int_equal(shape_of_member(&pod, SLICE("none"), &is_named).kind, SHAPE_OF_UNTYPED);
	assert_false(is_named);
	struct shape labels = shape_of_field(schema_field_path(row("v1", "Pod")->type, "metadata.labels"));
	assert_int_equal(shape_of_member(&labels, SLICE("app"), &is_named).kind, SHAPE_OF_ATOM);
	assert_false(is_named);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(shapes_are_those_of_the_definitions, release),
	        cmocka_unit_test_teardown(elements_are_named_by_their_keys, release),
	        cmocka_unit_test_teardown(members_of_structs_are_named_and_those_of_maps_are_not, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
