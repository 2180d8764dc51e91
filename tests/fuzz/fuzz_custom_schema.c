/* Types of custom resources: a line with an openAPIV3Schema in JSON, then an object. Making a type answers with one or
 * an error; an object that decodes by it is a fixed point, and what it does not know is told. The same schema is judged
 * as a structural one, and compiled: what is filled in is so once, an object is never invalid against itself, and rules
 * in CEL are asked of whatever there is. A whole definition on the first line is tried as rows of the registry too. */
#include "api/machinery/codec/decode.h"
#include "api/machinery/rules/custom/custom_kind.h"
#include "api/machinery/rules/custom/custom_program.h"
#include "api/machinery/rules/custom/custom_rules_define.h"
#include "api/machinery/rules/custom/definition.h"
#include "api/machinery/rules/custom/structural.h"
#include "api/machinery/schema/custom_resource.h"
#include "api/machinery/schema/custom_schema.h"
#include "base/check.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every field is found by its name, and the index is in order. */
static void is_sound(const struct schema_type *t, int depth)
{
	CHECK(depth <= JSON_DEPTH_MAX + 2);
	for (size_t i = 0; i < t->field_count; i++) {
		CHECK(schema_field_find(t, slice_of(t->fields[i].name)) != NULL);
		if (t->fields[i].kind == SCHEMA_REF && t->fields[i].ref->flags & SCHEMA_TYPE_CUSTOM)
			is_sound(t->fields[i].ref, depth + 1);
	}
}

static void try_object(struct arena *a, const struct schema_type *t, struct slice text)
{
	struct err err = ERR_INIT;
	struct decode_problems problems;
	struct json *v = json_parse(a, text, NULL, NULL);
	decode_problems_init(&problems, a);
	if (!json_is(v, JSON_OBJECT) || decode_object(a, v, t, 0, &problems, &err) != 0)
		return;
	decode_problems_judge(&problems, DECODE_WARN, &err);
	struct json *again = json_copy(a, v);
	decode_problems_init(&problems, a);
	CHECK(decode_object(a, again, t, 0, &problems, &err) == 0);
	CHECK(problems.count == 0 && json_equal(v, again));
	decode_normalise(a, again, t);
	CHECK(json_equal(v, again));
}

static void try_program(struct arena *a, const struct json *schema, struct slice text)
{
	struct err err = ERR_INIT;
	struct field_errors *e = ARENA_NEW(a, struct field_errors);
	const struct custom_program *p = custom_program_new(a, schema, &err);
	struct json *v = json_parse(a, text, NULL, NULL);
	field_errors_init(e, a);
	structural_check(e, schema, "schema");
	if (!e->count)
		custom_rules_define(e, schema, "schema");
	if (!p)
		CHECK(err.code == ERR_INVAL && err.msg[0]);
	if (!p || !json_is(v, JSON_OBJECT))
		return;
	custom_program_fill(a, p, v);
	CHECK(!custom_program_fill(a, p, v));
	field_errors_init(e, a);
	custom_program_check(e, p, v, v, "", true);
	CHECK(e->count == 0);
	custom_program_check(e, p, v, NULL, "", true);
	/* rules, of values that may be of any shape */
	field_errors_init(e, a);
	custom_program_check_rules(e, p, v, NULL, "");
	custom_program_check_rules(e, p, v, json_copy(a, v), "");
}

static void try_definition(struct arena *a, struct json *crd)
{
	struct custom_resources *set;
	struct err err = ERR_INIT;
	struct field_errors *e = ARENA_NEW(a, struct field_errors);
	field_errors_init(e, a);
	const struct resource *r =
	        resource_find(SLICE("apiextensions.k8s.io"), SLICE("v1"), SLICE("customresourcedefinitions"));
	struct json *typed = json_copy(a, crd);
	if (decode_object(a, typed, r->type, 0, NULL, &err) == 0) {
		definition_defaults(a, typed);
		definition_validate(e, typed, NULL);
	}
	if (custom_kind_new(crd, &set, &err) != 0) {
		CHECK(err.code == ERR_INVAL && err.msg[0]);
		return;
	}
	for (size_t i = 0; i < set->count; i++)
		CHECK(*set->rows[i].group && *set->rows[i].plural && set->rows[i].is_custom && set->rows[i].storage);
	custom_resources_unref(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct slice rest = {(const char *)data, size};
	struct err err = ERR_INIT;
	struct json *schema = json_parse(&a, slice_cut(&rest, '\n'), NULL, NULL);
	const struct schema_type *t = schema ? custom_schema_type(&a, schema, "com.example.v1.Foo", "Foo", &err) : NULL;
	if (schema && !t)
		CHECK(err.code == ERR_INVAL && err.msg[0]);
	if (t) {
		is_sound(t, 0);
		try_object(&a, t, rest);
	}
	if (json_is(schema, JSON_OBJECT))
		try_program(&a, schema, rest);
	if (json_get(schema, "spec"))
		try_definition(&a, schema);
	arena_release(&a);
	return 0;
}
