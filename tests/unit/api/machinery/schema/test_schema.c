/* The generated tables, and lookups in them. */
#include "api/machinery/schema/schema.h"
#include "tests/unit/unit.h"

static const struct schema_type *type(const char *name)
{
	const struct schema_type *t = schema_type_find(slice_of(name));
	assert_non_null(t);
	return t;
}

static void every_type_and_field_is_found_by_its_name(void **state)
{
	assert_true(schema_type_count() > 500);
	for (size_t i = 0; i < schema_type_count(); i++) {
		const struct schema_type *t = schema_type_at(i);
		assert_ptr_equal(schema_type_find(slice_of(t->name)), t);
		for (size_t k = 0; k < t->field_count; k++)
			assert_ptr_equal(schema_field_find(t, slice_of(t->fields[k].name)), &t->fields[k]);
		for (size_t k = 0; k < t->wire_count; k++)
			assert_ptr_equal(schema_wire_find(t, t->wire[k].number), &t->wire[k]);
	}
	assert_null(schema_type_find(SLICE("io.k8s.api.core.v1.Pid")));
	assert_null(schema_field_find(type("io.k8s.api.core.v1.Pod"), SLICE("Spec")));
}

static void merge_keys_and_list_types_are_read(void **state)
{
	const struct schema_field *ports = schema_field_path(type("io.k8s.api.core.v1.Pod"), "spec.containers.ports");
	assert_string_equal(ports->merge_key, "containerPort");
	assert_string_equal(ports->list_keys, "containerPort,protocol");
	assert_int_equal(ports->list_type, SCHEMA_LIST_TYPE_MAP);
	assert_true(ports->flags & SCHEMA_PATCH_MERGE);
	assert_int_equal(ports->container, SCHEMA_LIST);
	const struct schema_field *volumes = schema_field_path(type("io.k8s.api.core.v1.Pod"), "spec.volumes");
	assert_true(volumes->flags & SCHEMA_PATCH_RETAIN_KEYS);
	const struct schema_field *protocol = schema_field_find(ports->ref, SLICE("protocol"));
	assert_string_equal(protocol->default_json, "\"TCP\"");
	assert_string_equal(protocol->enums, "SCTP,TCP,UDP");
}

static void inlined_structs_are_flat_in_json_and_nested_on_the_wire(void **state)
{
	const struct schema_type *volume = type("io.k8s.api.core.v1.Volume");
	assert_non_null(schema_field_find(volume, SLICE("hostPath")));
	const struct schema_wire *w = schema_wire_find(volume, 2);
	assert_null(w->field);
	assert_string_equal(w->inlined->go_name, "VolumeSource");
}

static void kinds_of_fields_are_followed_through_named_types(void **state)
{
	const struct schema_type *pod = type("io.k8s.api.core.v1.Pod");
	assert_int_equal(schema_field_path(pod, "spec.restartPolicy")->kind, SCHEMA_STRING);
	assert_int_equal(schema_field_path(pod, "spec.containers.resources.limits")->kind, SCHEMA_QUANTITY);
	assert_int_equal(schema_field_path(pod, "spec.containers.resources.limits")->container, SCHEMA_MAP);
	assert_int_equal(schema_field_path(pod, "metadata.creationTimestamp")->kind, SCHEMA_TIME);
	assert_int_equal(schema_field_path(pod, "metadata.managedFields.fieldsV1")->kind, SCHEMA_FIELDS_V1);
	assert_int_equal(schema_field_path(type("io.k8s.api.core.v1.Secret"), "data")->kind, SCHEMA_BYTES);
	assert_int_equal(
	        schema_field_path(type("io.k8s.api.apps.v1.DaemonSet"), "spec.updateStrategy.rollingUpdate.maxSurge")
	                ->kind,
	        SCHEMA_INT_OR_STRING);
	assert_null(schema_field_path(pod, "spec.nope.more"));
}

static void docs_are_unpacked_while_held(void **state)
{
	struct schema_docs *d = schema_docs_open();
	struct schema_docs *again = schema_docs_open();
	assert_ptr_equal(d, again);
	assert_non_null(
	        strstr(schema_docs_text(d, type("io.k8s.api.core.v1.Pod")->doc), "Pod is a collection of containers"));
	assert_string_equal(schema_docs_text(d, 0), "");
	schema_docs_close(again);
	schema_docs_close(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_type_and_field_is_found_by_its_name),
	        cmocka_unit_test(merge_keys_and_list_types_are_read),
	        cmocka_unit_test(inlined_structs_are_flat_in_json_and_nested_on_the_wire),
	        cmocka_unit_test(kinds_of_fields_are_followed_through_named_types),
	        cmocka_unit_test(docs_are_unpacked_while_held),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
