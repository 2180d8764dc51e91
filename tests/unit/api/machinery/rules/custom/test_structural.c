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
	        "s.properties[a].type: Unsupported value: \"null\": supported values: \"array\", \"boolean\", "
	        "\"integer\", \"number\", \"object\", \"string\"\ns.properties[a].type: Forbidden: type cannot be set "
	        "to "
	        "null, use nullable as an alternative");
	says(OBJECT("\"a\":{\"type\":\"string\",\"$ref\":\"x\"}"),
	        "s.properties[a].$ref: Forbidden: $ref is not supported");
	says(OBJECT("\"a\":{\"type\":\"object\",\"x-kubernetes-preserve-unknown-fields\":false}"),
	        "s.properties[a].x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or "
	        "undefined");
	says(OBJECT("\"a\":{\"type\":\"object\",\"x-kubernetes-embedded-resource\":true}"),
	        "s.properties[a].properties: Required value: must not be empty if x-kubernetes-embedded-resource is "
	        "true without "
	        "x-kubernetes-preserve-unknown-fields");
	says("{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\"}}",
	        "s.additionalProperties: Forbidden: must not be used at the root");
	says("{\"type\":\"object\",\"not\":{\"properties\":{\"b\":{}}}}",
	        "s.properties[b]: Required value: because it is defined in s.not.properties[b]");
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

/* Cases as they are easier to read: ' stands for ". */
static void each_says(const char *const (*rows)[2], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char *text = arena_strdup(&arena, rows[i][0]);
		for (char *p = text; *p; p++)
			*p = *p == '\'' ? '"' : *p;
		says(text, rows[i][1]);
	}
	arena_release(&arena);
}

#define A(schema) "{'type':'object','properties':{'a':{" schema "}}}"
#define AT_A "s.properties[a]"

static void words_that_nobody_may_say(void **state)
{
	static const char *const rows[][2] = {
	        {A("'type':'object','patternProperties':{},'definitions':{}"), ""},
	        {A("'type':'object','patternProperties':{'x':{}},'dependencies':{}"),
	                AT_A ".patternProperties: Forbidden: patternProperties is not supported\n" AT_A
	                     ".dependencies: Forbidden: dependencies is not supported"},
	        {A("'type':'string','$schema':'x'"),
	                "s: Invalid value: \"\": OpenAPIV3Schema 'schema' is not supported"},
	        {A("'type':'object','default':{'$schema':'x'},'x-kubernetes-preserve-unknown-fields':true"), ""},
	        {A("'type':'object','properties':{'b':{'type':'string'}},'additionalProperties':true"), ""},
	        {A("'type':'object','additionalProperties':false"), ""},
	        {A("'type':'object','properties':{'b':{'type':'string'}},'additionalProperties':false"),
	                AT_A ".additionalProperties: Forbidden: additionalProperties and properties are mutual "
	                     "exclusive"},
	        {A("'type':'string','x-kubernetes-int-or-string':true"), ""},
	        {A("'x-kubernetes-int-or-string':true,'x-kubernetes-preserve-unknown-fields':true"),
	                AT_A ".x-kubernetes-preserve-unknown-fields: Invalid value: true: must be false if "
	                     "x-kubernetes-int-or-string is true"},
	        {"{'x-kubernetes-preserve-unknown-fields':true}", ""},
	        {"{'type':'object','nullable':true}", "s.nullable: Forbidden: nullable cannot be true at the root"},
	};
	each_says(rows, COUNT_OF(rows));
}

static void conditions_say_nothing_of_what_there_is(void **state)
{
	static const char *const rows[][2] = {
	        {A("'type':'string','allOf':[{'x-kubernetes-validations':[{'rule':'true'}]}]"),
	                AT_A ".allOf[0].x-kubernetes-validations: Forbidden: must be empty to be structural"},
	        {A("'type':'array','items':{'type':'string'},'not':{'x-kubernetes-list-type':'atomic'}"),
	                AT_A ".not.type: Required value: must be array if x-kubernetes-list-type is specified\n" AT_A
	                     ".not.x-kubernetes-list-type: Forbidden: must be undefined to be structural"},
	        {A("'type':'string','anyOf':[{'type':'integer'},{'type':'string'}]"), ""},
	        {A("'type':'string','allOf':[{'anyOf':[{'type':'integer'},{'type':'string'}]}]"), ""},
	        {A("'x-kubernetes-int-or-string':true,'anyOf':[{'type':'integer'},{'type':'string','pattern':'a'}]"),
	                AT_A ".anyOf[0].type: Forbidden: must be empty to be structural\n" AT_A
	                     ".anyOf[1].type: Forbidden: must be empty to be structural"},
	        {"{'type':'object','oneOf':[{'properties':{'metadata':{}}}],'properties':{'metadata':{'type':'object'}}"
	         "}",
	                "s.oneOf[0].properties[metadata]: Forbidden: must not be specified in a nested context"},
	        /* what the values of a map are is not known of one of them */
	        {A("'type':'object','additionalProperties':{'type':'string'},'allOf':[{'properties':{'b':{'maxLength':1"
	           "}}}]"),
	                AT_A ".properties[b]: Required value: because it is defined in s.properties[a].allOf[0]"
	                     ".properties[b]"},
	        {A("'type':'object','anyOf':[{'items':{'maxLength':1}}]"),
	                AT_A ".items: Required value: because it is defined in s.properties[a].anyOf[0].items"},
	};
	each_says(rows, COUNT_OF(rows));
}

#define LIST(words, items) A("'type':'array'," words ",'items':{" items "}")
#define SET "'x-kubernetes-list-type':'set'"
#define MAP(keys) "'x-kubernetes-list-type':'map','x-kubernetes-list-map-keys':[" keys "]"

static void lists_and_maps(void **state)
{
	static const char *const rows[][2] = {
	        {A("'x-kubernetes-preserve-unknown-fields':true,'x-kubernetes-list-type':'atomic'"),
	                AT_A ".type: Required value: must be array if x-kubernetes-list-type is specified"},
	        {A("'x-kubernetes-preserve-unknown-fields':true,'x-kubernetes-map-type':'odd'"),
	                AT_A ".type: Required value: must be object if x-kubernetes-map-type is specified\n" AT_A
	                     ".x-kubernetes-map-type: Unsupported value: \"odd\": supported values: \"atomic\", "
	                     "\"granular\""},
	        {LIST(SET, "'type':'array','items':{'type':'string'}"), ""},
	        {LIST(SET, "'type':'array','items':{'type':'string'},'x-kubernetes-list-type':'set'"),
	                AT_A ".items.x-kubernetes-list-type: Invalid value: \"set\": must be atomic as item of a list "
	                     "with x-kubernetes-list-type=set"},
	        {LIST(SET, "'type':'object','nullable':true"),
	                AT_A ".items.x-kubernetes-map-type: Invalid value: \"null\": must be atomic as item of a list "
	                     "with x-kubernetes-list-type=set\n" AT_A
	                     ".items.nullable: Forbidden: cannot be nullable when x-kubernetes-list-type is set"},
	        {LIST("'x-kubernetes-list-map-keys':['b']", "'type':'string'"),
	                AT_A ".x-kubernetes-list-type: Required value: must be map if x-kubernetes-list-map-keys is "
	                     "non-empty"},
	        {LIST("'x-kubernetes-list-type':'odd'", "'type':'string'"),
	                AT_A ".x-kubernetes-list-type: Unsupported value: \"odd\": supported values: \"atomic\", "
	                     "\"set\", \"map\""},
	        {LIST(MAP("'b'"), "'type':'string'"),
	                AT_A ".items.type: Invalid value: \"string\": must be object if parent array's "
	                     "x-kubernetes-list-type is map"},
	        {LIST(MAP("'b','c','b'"), "'type':'object','properties':{'b':{'type':'object','default':{}}}"),
	                AT_A ".items.properties[b].type: Invalid value: \"object\": must be a scalar type if parent "
	                     "array's x-kubernetes-list-type is map\n" AT_A
	                     ".x-kubernetes-list-map-keys: Invalid value: []string{\"b\", \"c\", \"b\"}: entries must "
	                     "all be names of item properties\n" AT_A
	                     ".items.properties[b].type: Invalid value: \"object\": must be a scalar type if parent "
	                     "array's x-kubernetes-list-type is map\n" AT_A
	                     ".x-kubernetes-list-map-keys: Invalid value: []string{\"b\", \"c\", \"b\"}: must not "
	                     "contain duplicate entries"},
	        {LIST(MAP("'b'"),
	                 "'type':'object','required':['b'],'properties':{'b':{'type':'string','nullable':true}}"),
	                AT_A ".items.properties[b].nullable: Forbidden: this property is in "
	                     "x-kubernetes-list-map-keys, so it cannot be nullable"},
	};
	each_says(rows, COUNT_OF(rows));
}

#define EMBEDDED "'x-kubernetes-embedded-resource':true"

static void objects_within_objects(void **state)
{
	static const char *const rows[][2] = {
	        {A(EMBEDDED ",'properties':{'b':{'type':'string'}}"),
	                AT_A ".type: Required value: must be object if x-kubernetes-embedded-resource is true"},
	        {A(EMBEDDED ",'type':'object','additionalProperties':true,'x-kubernetes-preserve-unknown-fields':true"),
	                AT_A ".additionalProperties: Forbidden: must not be used if x-kubernetes-embedded-resource is "
	                     "set"},
	        /* their metadata may be told in full, and must be sound */
	        {A(EMBEDDED ",'type':'object','properties':{'metadata':{'type':'object','properties':{'labels':{'type':"
	                    "'object','additionalProperties':{'type':'string'}}}}}"),
	                ""},
	        {A(EMBEDDED ",'type':'object','properties':{'metadata':{'type':'object','properties':{'labels':{}}},"
	                    "'kind':{'type':'integer'}}"),
	                AT_A ".properties[kind].type: Invalid value: \"integer\": must be string\n" AT_A
	                     ".properties[metadata].properties[labels].type: Required value: must not be empty for "
	                     "specified object fields"},
	        {"{'type':'object','properties':{'metadata':{'type':'object','description':'d'}}}",
	                "s.properties[metadata]: Forbidden: must not specify anything other than name and "
	                "generateName, "
	                "but metadata is implicitly specified"},
	        {"{'type':'object','properties':{'metadata':{'type':'object','properties':{'name':{'type':'object'"
	         "," EMBEDDED ",'x-kubernetes-preserve-unknown-fields':true}}}}}",
	                "s.properties[metadata].properties[name].x-kubernetes-embedded-resource: Forbidden: must not "
	                "be "
	                "used inside of resource meta"},
	};
	each_says(rows, COUNT_OF(rows));
}

static void defaults_are_of_their_schema(void **state)
{
	static const char *const rows[][2] = {
	        {A("'type':'object','default':{'b':1},'properties':{'b':{'type':'integer'}}"), ""},
	        {A("'type':'object','default':{'b':{'c':1}},'properties':{'b':{'type':'object'}}"),
	                AT_A ".default: Invalid value: {\"b\":{\"c\":1}}: must not have unknown fields"},
	        {A("'type':'array','default':[{'b':1}],'items':{'type':'object'}"),
	                AT_A ".default: Invalid value: [{\"b\":1}]: must not have unknown fields"},
	        {A("'type':'object','default':{'b':1},'x-kubernetes-preserve-unknown-fields':true"), ""},
	        {"{'type':'object','properties':{'kind':{'type':'string','default':'x'}}}",
	                "s.properties[kind].default: Forbidden: must not be set in top-level kind"},
	        {A(EMBEDDED ",'type':'object','properties':{'metadata':{'type':'object','additionalProperties':{'type':"
	                    "'string','default':'x'}}}"),
	                AT_A ".properties[metadata].additionalProperties.default: Forbidden: must not be set inside "
	                     "additionalProperties applying to object metadata"},
	        /* a schema that is not sound has none that could be told to be wrong */
	        {A("'type':'integer','default':'x'},'b':{"),
	                "s.properties[b].type: Required value: must not be empty for specified object fields"},
	};
	each_says(rows, COUNT_OF(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(sound_schemas_pass),
	        cmocka_unit_test(others_are_refused_where_they_fail),
	        cmocka_unit_test(words_that_nobody_may_say),
	        cmocka_unit_test(conditions_say_nothing_of_what_there_is),
	        cmocka_unit_test(lists_and_maps),
	        cmocka_unit_test(objects_within_objects),
	        cmocka_unit_test(defaults_are_of_their_schema),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
