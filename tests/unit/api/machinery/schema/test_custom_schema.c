/* Types made from CRDs: pruning, unknown fields, list keys. */
#include "api/machinery/schema/custom_schema.h"
#include "api/machinery/codec/decode.h"
#include "tests/unit/unit.h"

static struct arena arena;
static struct err err;

static const struct schema_type *make(const char *text)
{
	struct json *schema = json_parse(&arena, slice_of(text), NULL, &err);
	assert_non_null(schema);
	const struct schema_type *t = custom_schema_type(&arena, schema, "com.example.v1.Foo", "Foo", &err);
	if (!t)
		fail_msg("%s", err.msg);
	return t;
}

static void becomes(const struct schema_type *t, const char *text, const char *want, size_t problem_count)
{
	struct decode_problems problems;
	decode_problems_init(&problems, &arena);
	struct json *v = json_parse(&arena, slice_of(text), NULL, &err);
	if (decode_object(&arena, v, t, 0, &problems, &err) != 0)
		fail_msg("%s", err.msg);
	CLEANUP(cleanup_strbuf) struct strbuf b = STRBUF_INIT;
	json_write(&b, v);
	assert_string_equal(strbuf_cstr(&b), want);
	assert_int_equal(problems.count, problem_count);
}

static void unknown_fields_are_pruned_and_values_kept(void **state)
{
	const struct schema_type *t =
	        make("{\"type\":\"object\",\"properties\":{\"spec\":{\"type\":\"object\",\"properties\":{"
	             "\"a\":{\"type\":\"string\"},\"n\":{\"type\":\"integer\"},\"l\":{\"type\":\"array\",\"items\":{"
	             "\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"string\"}}}}}}}}");
	becomes(t, "{\"apiVersion\":\"e/v1\",\"kind\":\"Foo\",\"spec\":{\"n\":0,\"a\":\"\",\"l\":[],\"zz\":1}}",
	        "{\"apiVersion\":\"e/v1\",\"kind\":\"Foo\",\"spec\":{\"n\":0,\"a\":\"\",\"l\":[]}}", 1);
	becomes(t, "{\"spec\":{\"l\":[{\"x\":\"1\",\"y\":\"2\"}],\"a\":5}}",
	        "{\"spec\":{\"l\":[{\"x\":\"1\"}],\"a\":5}}", 1);
	arena_release(&arena);
}

static void metadata_follows_the_rules_of_built_in_types(void **state)
{
	const struct schema_type *t = make("{\"type\":\"object\"}");
	becomes(t, "{\"metadata\":{\"name\":\"x\",\"creationTimestamp\":null,\"labels\":{},\"what\":1}}",
	        "{\"metadata\":{\"name\":\"x\"}}", 1);
	struct json *v = json_parse(&arena, SLICE("{\"metadata\":{\"labels\":{\"a\":1}}}"), NULL, &err);
	assert_int_equal(decode_object(&arena, v, t, 0, NULL, &err), ERR_INVAL);
	assert_string_equal(err.msg,
	        "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels.a of type string");
	arena_release(&arena);
}

static void what_the_schema_preserves_is_kept(void **state)
{
	const struct schema_type *t = make("{\"type\":\"object\",\"properties\":{\"any\":{\"type\":\"object\",\"x-"
	                                   "kubernetes-preserve-unknown-fields\":true},"
	                                   "\"some\":{\"type\":\"object\",\"x-kubernetes-preserve-unknown-fields\":"
	                                   "true,\"properties\":{\"in\":{\"type\":"
	                                   "\"object\",\"properties\":{\"a\":{\"type\":\"string\"}}}}},\"map\":{"
	                                   "\"type\":\"object\",\"additionalProperties\":{"
	                                   "\"type\":\"string\"}}}}");
	becomes(t,
	        "{\"any\":{\"x\":{\"y\":null}},\"some\":{\"q\":1,\"in\":{\"a\":\"1\",\"b\":2}},\"map\":{\"k\":\"v\"}}",
	        "{\"any\":{\"x\":{\"y\":null}},\"some\":{\"q\":1,\"in\":{\"a\":\"1\"}},\"map\":{\"k\":\"v\"}}", 1);
	arena_release(&arena);
}

static void list_types_and_keys_are_read(void **state)
{
	const struct schema_type *t =
	        make("{\"type\":\"object\",\"properties\":{\"l\":{\"type\":\"array\",\"x-kubernetes-list-type\":"
	             "\"map\",\"x-kubernetes-list-map-keys\":[\"name\",\"port\"],\"items\":{\"type\":\"object\","
	             "\"properties\":{\"name\":{\"type\":\"string\"}}}}}}");
	const struct schema_field *f = schema_field_find(t, SLICE("l"));
	assert_int_equal(f->list_type, SCHEMA_LIST_TYPE_MAP);
	assert_string_equal(f->list_keys, "name,port");
	assert_int_equal(f->kind, SCHEMA_REF);
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(unknown_fields_are_pruned_and_values_kept),
	        cmocka_unit_test(metadata_follows_the_rules_of_built_in_types),
	        cmocka_unit_test(what_the_schema_preserves_is_kept),
	        cmocka_unit_test(list_types_and_keys_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
