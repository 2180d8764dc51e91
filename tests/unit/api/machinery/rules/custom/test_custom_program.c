/* Schemas of custom resources at work: defaults, nulls, what is refused and in which words, and what may stay. */
#include "api/machinery/rules/custom/custom_program_int.h"

#include "base/check.h"
#include "tests/unit/unit.h"

static struct arena arena;

static struct json *parse(const char *text)
{
	struct err err = ERR_INIT;
	struct json *v = json_parse(&arena, slice_of(text), NULL, &err);
	if (!v)
		fail_msg("%s: %s", text, err.msg);
	return v;
}

static const struct custom_program *make(const char *schema)
{
	struct err err = ERR_INIT;
	const struct custom_program *p = custom_program_new(&arena, parse(schema), &err);
	if (!p)
		fail_msg("%s: %s", schema, err.msg);
	return p;
}

static void fills(const char *schema, const char *object, const char *want)
{
	struct json *v = parse(object);
	const struct custom_program *p = make(schema);
	CLEANUP(cleanup_strbuf) struct strbuf b = STRBUF_INIT;
	assert_int_equal(custom_program_fill(&arena, p, v), strcmp(object, want) != 0);
	json_write(&b, v);
	assert_string_equal(strbuf_cstr(&b), want);
	assert_false(custom_program_fill(&arena, p, v));
}

/* `want`: "field: message", lines; "" when nothing is wrong. `old` NULL: a creation. */
static void says(const char *schema, const char *object, const char *old, const char *want)
{
	struct field_errors *e = ARENA_NEW(&arena, struct field_errors);
	CLEANUP(cleanup_strbuf) struct strbuf b = STRBUF_INIT;
	field_errors_init(e, &arena);
	custom_program_check(e, make(schema), parse(object), old ? parse(old) : NULL, "", true);
	for (size_t i = 0; i < e->count; i++)
		strbuf_addf(&b, "%s%s: %s", i ? "\n" : "", e->items[i].field, e->items[i].message);
	assert_string_equal(strbuf_cstr(&b), want);
}

#define SPEC(properties) \
	"{\"type\":\"object\",\"properties\":{\"spec\":{\"type\":\"object\",\"properties\":{" properties "}}}}"

static void defaults_are_filled_in_at_every_depth(void **state)
{
	const char *schema =
	        SPEC("\"a\":{\"type\":\"string\",\"default\":\"x\"},\"l\":{\"type\":\"array\",\"items\":{\"type\":"
	             "\"object\",\"properties\":{\"n\":{\"type\":\"integer\",\"default\":1}}}},\"m\":{\"type\":"
	             "\"object\",\"additionalProperties\":{\"type\":\"object\",\"properties\":{\"k\":{\"type\":"
	             "\"boolean\",\"default\":true}}}}");
	fills(schema, "{\"spec\":{}}", "{\"spec\":{\"a\":\"x\"}}");
	fills(schema, "{\"spec\":{\"a\":\"y\",\"l\":[{},{\"n\":2}],\"m\":{\"q\":{}}}}",
	        "{\"spec\":{\"a\":\"y\",\"l\":[{\"n\":1},{\"n\":2}],\"m\":{\"q\":{\"k\":true}}}}");
	fills(schema, "{}", "{}");
	arena_release(&arena);
}

static void nulls_go_unless_the_schema_knows_them(void **state)
{
	const char *schema =
	        SPEC("\"a\":{\"type\":\"string\",\"default\":\"x\"},\"b\":{\"type\":\"string\"},\"c\":{\"type\":"
	             "\"string\",\"nullable\":true}");
	fills(schema, "{\"spec\":{\"a\":null,\"b\":null,\"c\":null}}", "{\"spec\":{\"c\":null,\"a\":\"x\"}}");
	arena_release(&arena);
}

static void each_word_has_its_message(void **state)
{
	says(SPEC("\"a\":{\"type\":\"integer\"}"), "{\"spec\":{\"a\":\"x\"}}", NULL,
	        "spec.a: Invalid value: \"string\": spec.a in body must be of type integer: \"string\"");
	says(SPEC("\"a\":{\"type\":\"integer\"}"), "{\"spec\":{\"a\":1.5}}", NULL,
	        "spec.a: Invalid value: \"number\": spec.a in body must be of type integer: \"number\"");
	says(SPEC("\"a\":{\"type\":\"integer\"}"), "{\"spec\":{\"a\":2.0}}", NULL, "");
	says(SPEC("\"a\":{\"type\":\"integer\",\"maximum\":3,\"exclusiveMaximum\":true}"), "{\"spec\":{\"a\":3}}", NULL,
	        "spec.a: Invalid value: 3: spec.a in body should be less than 3");
	says(SPEC("\"a\":{\"type\":\"number\",\"multipleOf\":0.1}"), "{\"spec\":{\"a\":0.3}}", NULL, "");
	says(SPEC("\"a\":{\"type\":\"number\",\"multipleOf\":2}"), "{\"spec\":{\"a\":3}}", NULL,
	        "spec.a: Invalid value: 3: spec.a in body should be a multiple of 2");
	says(SPEC("\"a\":{\"type\":\"string\",\"minLength\":2}"), "{\"spec\":{\"a\":\"\xc3\xa9\"}}", NULL,
	        "spec.a: Invalid value: \"\xc3\xa9\": spec.a in body should be at least 2 chars long");
	says(SPEC("\"a\":{\"type\":\"string\",\"maxLength\":2}"), "{\"spec\":{\"a\":\"abc\"}}", NULL,
	        "spec.a: Too long: may not be more than 2 bytes");
	says(SPEC("\"a\":{\"type\":\"string\",\"pattern\":\"^a$\"}"), "{\"spec\":{\"a\":\"b\"}}", NULL,
	        "spec.a: Invalid value: \"b\": spec.a in body should match '^a$'");
	says(SPEC("\"a\":{\"type\":\"string\",\"enum\":[\"x\",\"y\"]}"), "{\"spec\":{\"a\":\"b\"}}", NULL,
	        "spec.a: Unsupported value: \"b\": supported values: \"x\", \"y\"");
	says(SPEC("\"a\":{\"type\":\"string\",\"format\":\"ipv4\"}"), "{\"spec\":{\"a\":\"1.2.3\"}}", NULL,
	        "spec.a: Invalid value: \"1.2.3\": spec.a in body must be of type ipv4: \"1.2.3\"");
	says(SPEC("\"a\":{\"type\":\"array\",\"minItems\":1,\"items\":{\"type\":\"string\"}}"), "{\"spec\":{\"a\":[]}}",
	        NULL, "spec.a: Invalid value: 0: spec.a in body should have at least 1 items");
	says(SPEC("\"a\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"), "{\"spec\":{\"a\":[\"x\",1]}}", NULL,
	        "spec.a[1]: Invalid value: \"integer\": spec.a[1] in body must be of type string: \"integer\"");
	says(SPEC("\"a\":{\"type\":\"object\",\"maxProperties\":1,\"additionalProperties\":{\"type\":\"string\"}}"),
	        "{\"spec\":{\"a\":{\"x\":\"1\",\"y\":\"2\"}}}", NULL, "spec.a: Too many: 2: must have at most 1 items");
	says("{\"type\":\"object\",\"required\":[\"spec\"]}", "{}", NULL, "spec: Required value");
	arena_release(&arena);
}

static void combinations_are_counted(void **state)
{
	const char *one = SPEC(
	        "\"a\":{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"string\"},\"y\":{\"type\":\"string\"}},"
	        "\"oneOf\":[{\"required\":[\"x\"]},{\"required\":[\"y\"]}]}");
	says(one, "{\"spec\":{\"a\":{\"x\":\"1\"}}}", NULL, "");
	says(one, "{\"spec\":{\"a\":{}}}", NULL,
	        "spec.a: Invalid value: \"\": \"spec.a\" must validate one and only one schema (oneOf). Found none "
	        "valid\n"
	        "spec.a.x: Required value");
	says(one, "{\"spec\":{\"a\":{\"x\":\"1\",\"y\":\"1\"}}}", NULL,
	        "spec.a: Invalid value: \"\": \"spec.a\" must validate one and only one schema (oneOf). Found 2 valid "
	        "alternatives");
	says(SPEC("\"a\":{\"type\":\"string\",\"not\":{\"enum\":[\"x\"]}}"), "{\"spec\":{\"a\":\"x\"}}", NULL,
	        "spec.a: Invalid value: \"\": \"spec.a\" must not validate the schema (not)");
	arena_release(&arena);
}

static void what_is_unchanged_may_stay(void **state)
{
	const char *schema = SPEC(
	        "\"a\":{\"type\":\"string\",\"enum\":[\"x\"]},\"b\":{\"type\":\"integer\"},\"l\":{\"type\":\"array\","
	        "\"x-kubernetes-list-type\":\"map\",\"x-kubernetes-list-map-keys\":[\"n\"],\"items\":{\"type\":"
	        "\"object\",\"properties\":{\"n\":{\"type\":\"string\"},\"v\":{\"type\":\"integer\",\"maximum\":1}}}}");
	says(schema, "{\"spec\":{\"a\":\"old\",\"b\":2}}", "{\"spec\":{\"a\":\"old\",\"b\":1}}", "");
	says(schema, "{\"spec\":{\"a\":\"new\",\"b\":2}}", "{\"spec\":{\"a\":\"old\",\"b\":1}}",
	        "spec.a: Unsupported value: \"new\": supported values: \"x\"");
	says(schema, "{\"spec\":{\"l\":[{\"n\":\"b\",\"v\":1},{\"n\":\"a\",\"v\":9}]}}",
	        "{\"spec\":{\"l\":[{\"n\":\"a\",\"v\":9}]}}", "");
	says(schema, "{\"spec\":{\"l\":[{\"n\":\"b\",\"v\":9}]}}", "{\"spec\":{\"l\":[{\"n\":\"a\",\"v\":9}]}}",
	        "spec.l[0].v: Invalid value: 9: spec.l[0].v in body should be less than or equal to 1");
	arena_release(&arena);
}

/* Short ones that say the same; nothing else. */
static void schemas_that_say_the_same_are_one(void **state)
{
#define PAIR(more) "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"string\",\"maxLength\":3" more "}}}"
	const struct custom_program *p =
	        make("{\"type\":\"object\",\"properties\":{"
	             "\"a\":" PAIR(",\"description\":\"one\"") ",\"b\":" PAIR("") ",\"c\":" PAIR(
	                     ",\"minLength\":1") ","
	                                         "\"d\":{\"type\":\"object\",\"properties\":{\"description\":{"
	                                         "\"type\":"
	                                         "\"string\"}}},\"e\":{\"type\":\"object\",\"properties\":{"
	                                         "\"title\":{"
	                                         "\"type\":\"string\"}}},\"f\":" PAIR(
	                                                 ",\"x-kubernetes-validations\":[{\"rule\":\"self != "
	                                                 "'x'\"}]") ","
	                                                            "\"g\":" PAIR(",\"x-kubernetes-validations\":[{"
	                                                                          "\"rule\":\"self != 'y'\"}]") "}}");
#define NODE(name) custom_node_member(p->root, SLICE(name))
	assert_ptr_equal(NODE("a"), NODE("b"));
	assert_ptr_not_equal(NODE("a"), NODE("c"));
	assert_ptr_not_equal(NODE("d"), NODE("e"));
	assert_non_null(custom_node_member(NODE("d"), SLICE("description")));
	assert_ptr_equal(
	        custom_node_member(NODE("d"), SLICE("description")), custom_node_member(NODE("e"), SLICE("title")));
	assert_ptr_not_equal(NODE("f"), NODE("g"));
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(defaults_are_filled_in_at_every_depth),
	        cmocka_unit_test(nulls_go_unless_the_schema_knows_them),
	        cmocka_unit_test(each_word_has_its_message),
	        cmocka_unit_test(combinations_are_counted),
	        cmocka_unit_test(what_is_unchanged_may_stay),
	        cmocka_unit_test(schemas_that_say_the_same_are_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
