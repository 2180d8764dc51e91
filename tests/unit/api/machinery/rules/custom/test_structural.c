/* Structural schemas: what is refused, and where. */
#include "api/machinery/rules/custom/structural.h"

#include "base/check.h"
#include "tests/unit/unit.h"

static struct arena arena;

static void says(const char *schema, const char *want)
{
	struct err err = ERR_INIT;
	struct json *v = json_parse(&arena, slice_of(schema), NULL, &err);
	struct field_errors *e = ARENA_NEW(&arena, struct field_errors);
	CLEANUP(cleanup_strbuf) struct strbuf b = STRBUF_INIT;
	if (!v)
		fail_msg("%s: %s", schema, err.msg);
	field_errors_init(e, &arena);
	structural_check(e, v, "s");
	for (size_t i = 0; i < e->count; i++)
		strbuf_addf(&b, "%s%s: %s", i ? "\n" : "", e->items[i].field, e->items[i].message);
	assert_string_equal(strbuf_cstr(&b), want);
}

#define OBJECT(properties) "{\"type\":\"object\",\"properties\":{" properties "}}"

static void sound_schemas_pass(void **state)
{
	says(OBJECT("\"a\":{\"type\":\"string\"}"), "");
	says(OBJECT("\"a\":{\"x-kubernetes-int-or-string\":true,\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"string\"}"
	            "],"
	            "\"pattern\":\"^a\"}"),
	        "");
	says(OBJECT("\"a\":{\"x-kubernetes-preserve-unknown-fields\":true}"), "");
	says("{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"type\":\"string\"}},\"oneOf\":["
	     "{\"required\":["
	     "\"a\"]},{\"properties\":{\"b\":{\"pattern\":\"x\"}}}]}",
	        "");
	says(OBJECT("\"a\":{\"type\":\"array\",\"x-kubernetes-list-type\":\"map\",\"x-kubernetes-list-map-keys\":["
	            "\"n\"],\"items\":"
	            "{\"type\":\"object\",\"required\":[\"n\"],\"properties\":{\"n\":{\"type\":\"string\"}}}}"),
	        "");
	says(OBJECT("\"metadata\":{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\",\"maxLength\":10}}"
	            "}"),
	        "");
	says(OBJECT("\"a\":{\"type\":\"object\",\"x-kubernetes-embedded-resource\":true,\"x-kubernetes-preserve-"
	            "unknown-fields\":"
	            "true}"),
	        "");
	arena_release(&arena);
}

static void others_are_refused_where_they_fail(void **state)
{
	says("{}", "s.type: Required value: must not be empty at the root");
	says("{\"type\":\"string\"}", "s.type: Invalid value: \"string\": must be object at the root");
	says(OBJECT("\"a\":{\"type\":\"array\",\"items\":{}}"),
	        "s.properties[a].items.type: Required value: must not be empty for specified array items");
	says(OBJECT("\"a\":{\"type\":\"null\"}"),
	        "s.properties[a].type: Forbidden: type cannot be set to null, use nullable as an alternative");
	says(OBJECT("\"a\":{\"type\":\"string\",\"$ref\":\"x\"}"),
	        "s.properties[a].$ref: Forbidden: $ref is not supported");
	says(OBJECT("\"a\":{\"type\":\"object\",\"x-kubernetes-preserve-unknown-fields\":false}"),
	        "s.properties[a].x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or "
	        "undefined");
	says(OBJECT("\"a\":{\"type\":\"object\",\"x-kubernetes-embedded-resource\":true}"),
	        "s.properties[a].properties: Required value: must not be empty if x-kubernetes-embedded-resource is "
	        "true without "
	        "x-kubernetes-preserve-unknown-fields");
	says(OBJECT("\"a\":{\"type\":\"string\",\"x-kubernetes-int-or-string\":true}"),
	        "s.properties[a].type: Forbidden: must be empty if x-kubernetes-int-or-string is true");
	says(OBJECT("\"a\":{\"type\":\"string\",\"anyOf\":[{\"x-kubernetes-validations\":[{\"rule\":\"true\"}]}]}"),
	        "s.properties[a].anyOf.x-kubernetes-validations: Forbidden: must be empty to be structural");
	says("{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\"}}",
	        "s.additionalProperties: Forbidden: must not be used at the root");
	says("{\"type\":\"object\",\"not\":{\"properties\":{\"b\":{}}}}",
	        "s.not.properties[b]: Required value: because it is defined in s.not.properties[b]");
	says(OBJECT("\"metadata\":{\"type\":\"object\",\"properties\":{\"labels\":{\"type\":\"object\"}}}"),
	        "s.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but "
	        "metadata is "
	        "implicitly specified");
	says(OBJECT("\"a\":{\"type\":\"array\",\"x-kubernetes-list-type\":\"map\",\"x-kubernetes-list-map-keys\":["
	            "\"n\"],\"items\":"
	            "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"string\"}}}}"),
	        "s.properties[a].items.properties[n].default: Required value: this property is in "
	        "x-kubernetes-list-map-keys, so "
	        "it must have a default or be a required property");
	says(OBJECT("\"a\":{\"type\":\"integer\",\"default\":\"x\"}"),
	        "s.properties[a].default: Invalid value: \"string\": s.properties[a].default in body must be of type "
	        "integer: "
	        "\"string\"");
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(sound_schemas_pass),
	        cmocka_unit_test(others_are_refused_where_they_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
