/* See structural.h. Upstream: apiextensions-apiserver pkg/apiserver/schema/{validation,complete}.go, schema/defaulting,
 * and pkg/apis/apiextensions/validation. A schema has a skeleton, which says what there is (types, properties, items),
 * and may carry conditions in allOf, anyOf, oneOf and not, which only say more of what the skeleton knows. Rules in CEL
 * stand in the skeleton; they are looked at by themselves (custom_rules_define.h).
 *
 * check_words() is of every schema, check_skeleton() and check_condition() of the two kinds of them. When the schema is
 * sound, its defaults are looked at: they are of their schema, and have nothing that it would take out. */
#include "api/machinery/rules/custom/structural.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/checks_value.h"

#include "api/machinery/codec/decode.h"
#include "api/machinery/rules/custom/custom_program.h"
#include "api/machinery/schema/custom_schema.h"
#include "base/check.h"
#include "base/pattern.h"

/* Where a schema stands. */
struct spot {
	enum { AT_ROOT, AT_FIELD, AT_ITEM } level;
	bool in_meta;            /* of a whole object's apiVersion, kind or metadata, or below */
	const char *no_defaults; /* why there may be none; NULL: there may */
};

static void check_skeleton(struct field_errors *e, const struct json *s, const char *path, const struct spot *spot);

static bool is_true(const struct json *s, const char *key)
{
	return json_get_bool(s, key, false);
}

static bool says_something(const struct json *v)
{
	switch (v ? v->type : JSON_NULL) {
	case JSON_NULL:
		return false;
	case JSON_BOOL:
		return v->boolean;
	case JSON_STRING:
		return v->text.len > 0;
	case JSON_ARRAY:
	case JSON_OBJECT:
		return v->first != NULL;
	default:
		return true;
	}
}

/* A member that says something; else NULL. */
static const struct json *word(const struct json *s, const char *key)
{
	const struct json *v = json_get(s, key);
	return says_something(v) ? v : NULL;
}

static bool is_head(struct slice key)
{
	return slice_is(key, "metadata") || slice_is(key, "kind") || slice_is(key, "apiVersion");
}

static bool has_default(const struct json *s)
{
	const struct json *v = json_get(s, "default");
	return v && v->type != JSON_NULL;
}

static const char *child(struct field_errors *e, const char *path, const char *name)
{
	return arena_printf(e->arena, "%s.%s", path, name);
}

static const char *keyed(struct field_errors *e, const char *path, const char *name, struct slice key)
{
	return arena_printf(e->arena, "%s.%s[%.*s]", path, name, SLICE_FMT(key));
}

static const char *indexed(struct field_errors *e, const char *path, const char *name, int i)
{
	return arena_printf(e->arena, "%s.%s[%d]", path, name, i);
}

static void bad_bool(struct field_errors *e, const char *field, bool value, const char *detail)
{
	field_error_add(e, "FieldValueInvalid", field, "Invalid value: %s: %s", value ? "true" : "false", detail);
}

/* ---- what every schema is held to ---- */

static void check_unsupported(struct field_errors *e, const struct json *s, const char *path, const struct spot *spot)
{
	static const char *const never[] = {
	        "id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"};
	for (size_t i = 0; i < COUNT_OF(never); i++) {
		/* these two are something as soon as they are there */
		bool is_plain = strcmp(never[i], "dependencies") == 0 || strcmp(never[i], "additionalItems") == 0;
		if (is_plain ? json_get(s, never[i]) : word(s, never[i]))
			bad_forbidden(e, child(e, path, never[i]), at(e, "%s is not supported", never[i]));
	}
	if (is_true(s, "uniqueItems"))
		bad_forbidden(e, child(e, path, "uniqueItems"),
		        "uniqueItems cannot be set to true since the runtime complexity becomes quadratic");
	if (json_is(json_get(s, "items"), JSON_ARRAY))
		bad_forbidden(e, child(e, path, "items"), "items must be a schema object and not an array");
	if (spot->in_meta && is_true(s, "x-kubernetes-embedded-resource"))
		bad_forbidden(e, child(e, path, "x-kubernetes-embedded-resource"),
		        "must not be used inside of resource meta");
	if (spot->no_defaults && has_default(s))
		bad_forbidden(e, child(e, path, "default"), at(e, "must not be set %s", spot->no_defaults));
	if (json_get(s, "x-kubernetes-preserve-unknown-fields") && !is_true(s, "x-kubernetes-preserve-unknown-fields"))
		bad_bool(e, child(e, path, "x-kubernetes-preserve-unknown-fields"), false, "must be true or undefined");
}

static void check_type_word(struct field_errors *e, const struct json *s, const char *path)
{
	struct slice type = json_get_str(s, "type");
	if (!type.len)
		return;
	check_choice(e, child(e, path, "type"), type, "array,boolean,integer,number,object,string", true);
	if (slice_is(type, "null"))
		bad_forbidden(e, child(e, path, "type"), "type cannot be set to null, use nullable as an alternative");
}

static void check_pattern(struct field_errors *e, const struct json *s, const char *path)
{
	struct slice pattern = json_get_str(s, "pattern");
	struct err err = ERR_INIT;
	if (pattern.len && !pattern_compile(e->arena, pattern, &err))
		bad_value(e, child(e, path, "pattern"), pattern,
		        at(e, "must be a valid regular expression, but isn't: %s", err.msg));
}

/* Where one word asks for a type. */
static void need_type(struct field_errors *e, const struct json *s, const char *path, const char *type, const char *why)
{
	struct slice is = json_get_str(s, "type");
	if (!is.len)
		bad_required(e, child(e, path, "type"), why);
	else if (!slice_is(is, type))
		bad_value(e, child(e, path, "type"), is, why);
}

/* Elements of a set are told apart as a whole. The values are upstream's, the second by mistake. */
static void check_set(struct field_errors *e, const struct json *items, const char *path)
{
	struct slice type = json_get_str(items, "type"), list = json_get_str(items, "x-kubernetes-list-type");
	if (slice_is(type, "array") && list.len && !slice_is(list, "atomic"))
		bad_value(e, child(e, path, "x-kubernetes-list-type"), list,
		        "must be atomic as item of a list with x-kubernetes-list-type=set");
	if (slice_is(type, "object") && !slice_is(json_get_str(items, "x-kubernetes-map-type"), "atomic"))
		bad_value(e, child(e, path, "x-kubernetes-map-type"), list.len ? list : SLICE("null"),
		        "must be atomic as item of a list with x-kubernetes-list-type=set");
}

static void bad_keys(struct field_errors *e, const struct json *keys, const char *path, const char *detail)
{
	field_error_add(e, "FieldValueInvalid", child(e, path, "x-kubernetes-list-map-keys"), "Invalid value: %s: %s",
	        go_list_text(e->arena, "[]string", keys), detail);
}

static bool names(const struct json *list, struct slice name)
{
	JSON_FOREACH (it, list)
		if (slice_eq(json_str(it), name))
			return true;
	return false;
}

/* Keys of a list are properties of its elements, scalars, and there in each. */
static void check_list_keys(struct field_errors *e, const struct json *keys, const struct json *items, const char *path)
{
	struct name_set seen = {MAP_INIT};
	JSON_FOREACH (it, keys) {
		const struct json *key = json_get_slice(json_get(items, "properties"), json_str(it));
		struct slice type = json_get_str(key, "type");
		const char *place = keyed(e, child(e, path, "items"), "properties", json_str(it));
		if (!key)
			bad_keys(e, keys, path, "entries must all be names of item properties");
		else if (slice_is(type, "object") || slice_is(type, "array"))
			bad_value(e, child(e, place, "type"), SLICE("object"), /* sic: the element's */
			        "must be a scalar type if parent array's x-kubernetes-list-type is map");
		if (!name_set_add(&seen, json_str(it)))
			bad_keys(e, keys, path, "must not contain duplicate entries");
		if (key && !names(json_get(items, "required"), json_str(it)) && !json_get(key, "default"))
			bad_required(e, child(e, place, "default"),
			        "this property is in x-kubernetes-list-map-keys, so it must have a default or be a "
			        "required property");
		if (is_true(key, "nullable"))
			bad_forbidden(e, child(e, place, "nullable"),
			        "this property is in x-kubernetes-list-map-keys, so it cannot be nullable");
	}
	name_set_release(&seen);
}

static void check_keyed_list(struct field_errors *e, const struct json *s, const char *path)
{
	const struct json *keys = word(s, "x-kubernetes-list-map-keys"), *items = json_get(s, "items");
	if (!keys)
		bad_required(e, child(e, path, "x-kubernetes-list-map-keys"),
		        "must not be empty if x-kubernetes-list-type is map");
	if (!items)
		bad_required(e, child(e, path, "items"), "must have a schema if x-kubernetes-list-type is map");
	if (!json_is(items, JSON_OBJECT))
		return;
	if (slice_is(json_get_str(items, "type"), "object"))
		check_list_keys(e, keys, items, path);
	else
		bad_value(e, child(e, child(e, path, "items"), "type"), json_get_str(items, "type"),
		        "must be object if parent array's x-kubernetes-list-type is map");
}

static void check_list_words(struct field_errors *e, const struct json *s, const char *path)
{
	const struct json *type = json_get(s, "x-kubernetes-list-type"), *items = json_get(s, "items");
	struct slice list = json_str(type);
	bool is_set = slice_is(list, "set"), is_map = slice_is(list, "map");
	if (word(s, "x-kubernetes-list-map-keys") && !type)
		bad_required(e, child(e, path, "x-kubernetes-list-type"),
		        "must be map if x-kubernetes-list-map-keys is non-empty");
	if (!type)
		return;
	if (!slice_is(json_get_str(s, "type"), "array"))
		need_type(e, s, path, "array", "must be array if x-kubernetes-list-type is specified");
	else if (is_set && items)
		check_set(e, items, child(e, path, "items"));
	check_supported(e, child(e, path, "x-kubernetes-list-type"), list, "atomic,set,map");
	if (word(s, "x-kubernetes-list-map-keys") && !is_map)
		bad_value(e, child(e, path, "x-kubernetes-list-type"), list,
		        "must be map if x-kubernetes-list-map-keys is non-empty");
	if (is_map)
		check_keyed_list(e, s, path);
	if ((is_set || is_map) && is_true(items, "nullable"))
		bad_forbidden(e, child(e, child(e, path, "items"), "nullable"),
		        at(e, "cannot be nullable when x-kubernetes-list-type is %.*s", SLICE_FMT(list)));
}

static void check_words(struct field_errors *e, const struct json *s, const char *path, const struct spot *spot)
{
	const struct json *extra = json_get(s, "additionalProperties"), *map = json_get(s, "x-kubernetes-map-type");
	check_type_word(e, s, path);
	check_unsupported(e, s, path, spot);
	if (extra && word(s, "properties") && !json_bool(extra, false))
		bad_forbidden(e, child(e, path, "additionalProperties"),
		        "additionalProperties and properties are mutual exclusive");
	if (map) {
		need_type(e, s, path, "object", "must be object if x-kubernetes-map-type is specified");
		check_supported(e, child(e, path, "x-kubernetes-map-type"), json_str(map), "atomic,granular");
	}
	check_list_words(e, s, path);
	check_pattern(e, s, path);
}

/* ---- conditions ---- */

/* Inside of allOf and its like nothing is said of what there is. */
static void check_condition_words(struct field_errors *e, const struct json *s, const char *path)
{
	static const struct {
		const char *word, *must_be;
	} empty[] = {
	        {"type", "empty"},
	        {"default", "undefined"},
	        {"title", "empty"},
	        {"description", "empty"},
	        {"nullable", "false"},
	        {"x-kubernetes-preserve-unknown-fields", "false"},
	        {"x-kubernetes-embedded-resource", "false"},
	        {"x-kubernetes-int-or-string", "false"},
	        {"x-kubernetes-list-map-keys", "empty"},
	        {"x-kubernetes-list-type", "undefined"},
	        {"x-kubernetes-map-type", "undefined"},
	        {"x-kubernetes-validations", "empty"},
	};
	const struct json *extra = json_get(s, "additionalProperties");
	for (size_t i = 0; i < COUNT_OF(empty); i++) {
		/* what must be undefined may not even be there to say nothing */
		bool is_any = strcmp(empty[i].must_be, "undefined") == 0;
		if (is_any ? json_get(s, empty[i].word) : word(s, empty[i].word))
			bad_forbidden(e, child(e, path, empty[i].word),
			        at(e, "must be %s to be structural", empty[i].must_be));
	}
	if (json_is(extra, JSON_OBJECT) || json_bool(extra, false))
		bad_forbidden(e, child(e, path, "additionalProperties"), "must be undefined to be structural");
	if (json_get(json_get(s, "properties"), "metadata"))
		bad_forbidden(e, keyed(e, path, "properties", SLICE("metadata")),
		        "must not be specified in a nested context");
}

/* What a condition is about: of the skeleton, and where that is. */
struct subject {
	const struct json *skeleton; /* NULL: there is none, which was told */
	const char *path;
	struct spot spot;
};

static void check_condition(struct field_errors *e, const struct json *s, const struct subject *of, const char *path);

/* A property or the items of a condition must be in the skeleton. */
static void check_condition_part(struct field_errors *e, const struct json *s, const struct json *known,
        const char *known_path, const struct subject *of, const char *path)
{
	struct subject part = {known, known_path, of->spot};
	if (of->skeleton && !known)
		bad_required(e, known_path, at(e, "because it is defined in %s", path));
	check_condition(e, s, &part, path);
}

/* The anyOf that controller-gen writes beside x-kubernetes-int-or-string: these two types, and nothing else. */
static bool is_int_or_string(const struct json *any)
{
	const struct json *first = any ? any->first : NULL, *second = first ? first->next : NULL;
	return second && any->count == 2 && first->count == 1 && second->count == 1 &&
	       slice_is(json_get_str(first, "type"), "integer") && slice_is(json_get_str(second, "type"), "string");
}

static void check_conditions(struct field_errors *e, const struct json *s, const struct subject *of, const char *path)
{
	static const char *const lists[] = {"allOf", "anyOf", "oneOf"};
	for (size_t i = 0; i < COUNT_OF(lists); i++) {
		const struct json *list = json_get(s, lists[i]);
		int k = 0;
		if (i == 1 && is_int_or_string(list))
			continue;
		JSON_FOREACH (it, list)
			check_condition(e, it, of, indexed(e, path, lists[i], k++));
	}
	if (json_get(s, "not"))
		check_condition(e, json_get(s, "not"), of, child(e, path, "not"));
}

static void check_condition(struct field_errors *e, const struct json *s, const struct subject *of, const char *path)
{
	const struct json *items = json_get(s, "items");
	if (e->count == FIELD_ERRORS_MAX)
		return;
	check_words(e, s, path, &of->spot);
	check_condition_words(e, s, path);
	check_conditions(e, s, of, path);
	JSON_FOREACH (it, json_get(s, "properties"))
		check_condition_part(e, it, json_get_slice(json_get(of->skeleton, "properties"), it->key),
		        keyed(e, of->path, "properties", it->key), of, keyed(e, path, "properties", it->key));
	if (json_is(items, JSON_OBJECT))
		check_condition_part(e, items, json_get(of->skeleton, "items"), child(e, of->path, "items"), of,
		        child(e, path, "items"));
}

/* ---- the skeleton ---- */

static void check_type(struct field_errors *e, const struct json *s, const char *path, const struct spot *spot)
{
	static const char *const words[] = {[AT_ROOT] = "must not be empty at the root",
	        [AT_FIELD] = "must not be empty for specified object fields",
	        [AT_ITEM] = "must not be empty for specified array items"};
	struct slice type = json_get_str(s, "type");
	bool any = is_true(s, "x-kubernetes-preserve-unknown-fields"), both = is_true(s, "x-kubernetes-int-or-string"),
	     is_embedded = is_true(s, "x-kubernetes-embedded-resource");
	if (slice_is(type, "array") && !json_get(s, "items"))
		bad_required(e, child(e, path, "items"), "must be specified");
	if (both && any)
		bad_bool(e, child(e, path, "x-kubernetes-preserve-unknown-fields"), true,
		        "must be false if x-kubernetes-int-or-string is true");
	if (both && is_embedded)
		bad_bool(e, child(e, path, "x-kubernetes-embedded-resource"), true,
		        "must be false if x-kubernetes-int-or-string is true");
	if (is_embedded)
		need_type(e, s, path, "object", "must be object if x-kubernetes-embedded-resource is true");
	else if (!type.len && !any && !both)
		bad_required(e, child(e, path, "type"), words[spot->level]);
	if (spot->level == AT_ROOT && type.len && !slice_is(type, "object"))
		bad_value(e, child(e, path, "type"), type, "must be object at the root");
	if (is_embedded && json_get(s, "additionalProperties"))
		bad_forbidden(e, child(e, path, "additionalProperties"),
		        "must not be used if x-kubernetes-embedded-resource is set");
	if (is_embedded && !word(s, "properties") && !any)
		bad_required(e, child(e, path, "properties"),
		        "must not be empty if x-kubernetes-embedded-resource is true without "
		        "x-kubernetes-preserve-unknown-fields");
	if (spot->level == AT_ROOT && json_get(s, "additionalProperties"))
		bad_forbidden(e, child(e, path, "additionalProperties"), "must not be used at the root");
}

/* metadata is every object's; of its own the root says only what its name is like. */
static bool is_plain_meta(const struct json *meta)
{
	JSON_FOREACH (it, json_get(meta, "properties"))
		if (!slice_is(it->key, "name") && !slice_is(it->key, "generateName"))
			return false;
	JSON_FOREACH (it, meta)
		if (!slice_is(it->key, "type") && !slice_is(it->key, "properties") && !slice_is(it->key, "default") &&
		        says_something(it))
			return false;
	return true;
}

static void check_head(struct field_errors *e, const struct json *s, const char *path, const struct spot *spot)
{
	static const char *const strings[] = {"kind", "apiVersion"};
	const struct json *properties = json_get(s, "properties"), *meta = json_get(properties, "metadata");
	const char *here = keyed(e, path, "properties", SLICE("metadata"));
	for (size_t i = 0; i < COUNT_OF(strings); i++) {
		const struct json *p = json_get(properties, strings[i]);
		if (p && !slice_is(json_get_str(p, "type"), "string"))
			bad_value(e, child(e, keyed(e, path, "properties", slice_of(strings[i])), "type"),
			        json_get_str(p, "type"), "must be string");
	}
	if (meta && !slice_is(json_get_str(meta, "type"), "object"))
		bad_value(e, child(e, here, "type"), json_get_str(meta, "type"), "must be object");
	if (meta && spot->level == AT_ROOT && !is_plain_meta(meta))
		bad_forbidden(e, here,
		        "must not specify anything other than name and generateName, but metadata is implicitly "
		        "specified");
}

static void check_parts(struct field_errors *e, const struct json *s, const char *path, const struct spot *spot)
{
	const struct json *items = json_get(s, "items"), *extra = json_get(s, "additionalProperties");
	bool is_whole = spot->level == AT_ROOT || is_true(s, "x-kubernetes-embedded-resource");
	struct spot part = *spot;
	part.level = AT_ITEM;
	if (json_is(items, JSON_OBJECT))
		check_skeleton(e, items, child(e, path, "items"), &part);
	part.level = AT_FIELD;
	JSON_FOREACH (it, json_get(s, "properties")) {
		struct spot field = part;
		field.in_meta |= is_whole && is_head(it->key);
		if (spot->level == AT_ROOT && is_head(it->key))
			field.no_defaults = at(e, "in top-level %.*s", SLICE_FMT(it->key));
		check_skeleton(e, it, keyed(e, path, "properties", it->key), &field);
	}
	if (spot->in_meta)
		part.no_defaults = "inside additionalProperties applying to object metadata";
	if (json_is(extra, JSON_OBJECT))
		check_skeleton(e, extra, child(e, path, "additionalProperties"), &part);
}

static void check_skeleton(struct field_errors *e, const struct json *s, const char *path, const struct spot *spot)
{
	struct subject own = {s, path, *spot};
	if (e->count == FIELD_ERRORS_MAX)
		return;
	check_words(e, s, path, spot);
	check_type(e, s, path, spot);
	if (spot->level == AT_ROOT || is_true(s, "x-kubernetes-embedded-resource"))
		check_head(e, s, path, spot);
	check_parts(e, s, path, spot);
	check_conditions(e, s, &own, path);
}

/* ---- defaults ---- */

/* A member of that name alone, which borrows `v`. */
static struct json *wrap(struct arena *a, const char *name, const struct json *v)
{
	struct json *object = json_new(a, JSON_OBJECT), *only = ARENA_NEW(a, struct json);
	*only = *v;
	only->next = NULL;
	json_set(a, object, name, only);
	return object;
}

/* Would pruning take something out of it? */
static bool has_unknown_fields(struct arena *a, const struct json *schema, const struct json *value)
{
	struct decode_problems found;
	struct err err = ERR_INIT;
	struct json *whole = json_new(a, JSON_OBJECT);
	if (value->type != JSON_OBJECT && value->type != JSON_ARRAY)
		return false;
	json_set_cstr(a, whole, "type", "object");
	json_set(a, whole, "properties", wrap(a, "v", schema));
	const struct schema_type *type = custom_schema_type(a, whole, "default", "Default", &err);
	decode_problems_init(&found, a);
	return type &&
	       decode_object(a, wrap(a, "v", json_copy(a, value)), type, DECODE_KEEP_SHAPE | DECODE_LENIENT, &found,
	               &err) == 0 &&
	       found.count > 0;
}

static void check_default(struct field_errors *e, const struct json *s, const char *path)
{
	const struct json *fallback = json_get(s, "default");
	const char *field = child(e, path, "default");
	struct err err = ERR_INIT;
	struct strbuf b = STRBUF_INIT;
	if (has_unknown_fields(e->arena, s, fallback)) {
		json_write(&b, fallback);
		field_error_add(e, "FieldValueInvalid", field, "Invalid value: %s: must not have unknown fields",
		        strbuf_cstr(&b));
		strbuf_release(&b);
	}
	if (custom_schema_check_value(e, s, fallback, field, &err) != 0)
		bad_forbidden(e, field, err.msg);
}

/* What stands for the values of a map is not looked at, as upstream does not. */
static void check_defaults(struct field_errors *e, const struct json *s, const char *path)
{
	const struct json *items = json_get(s, "items");
	if (e->count == FIELD_ERRORS_MAX)
		return;
	if (has_default(s))
		check_default(e, s, path);
	if (json_is(items, JSON_OBJECT))
		check_defaults(e, items, child(e, path, "items"));
	JSON_FOREACH (it, json_get(s, "properties"))
		check_defaults(e, it, keyed(e, path, "properties", it->key));
}

/* ---- the whole ---- */

/* $schema, in this schema or one below: upstream finds it late, and does not say where. */
static bool has_dialect(const struct json *s)
{
	static const char *const values[] = {"default", "enum", "example"};
	JSON_FOREACH (it, s)
		if (!slice_is_any(it->key, values, COUNT_OF(values)) &&
		        ((slice_is(it->key, "$schema") && json_is(it, JSON_STRING)) || has_dialect(it)))
			return true;
	return false;
}

void structural_check(struct field_errors *e, const struct json *schema, const char *path)
{
	struct spot root = {.level = AT_ROOT};
	size_t before = e->count;
	if (is_true(schema, "nullable"))
		bad_forbidden(e, child(e, path, "nullable"), "nullable cannot be true at the root");
	check_skeleton(e, schema, path, &root);
	if (e->count == before)
		check_defaults(e, schema, path);
	if (e->count == before && has_dialect(schema))
		bad_value(e, path, SLICE(""), "OpenAPIV3Schema 'schema' is not supported");
}

/* ---- beside a status ---- */

void structural_check_beside_status(struct field_errors *e, const struct json *schema, const char *path)
{
	static const char *const allowed[] = {"type", "description", "format", "title", "maximum", "exclusiveMaximum",
	        "minimum", "exclusiveMinimum", "maxLength", "minLength", "pattern", "maxItems", "minItems",
	        "uniqueItems", "multipleOf", "required", "items", "properties", "externalDocs", "example",
	        "x-kubernetes-preserve-unknown-fields", "x-kubernetes-validations"};
	struct slice type = json_get_str(schema, "type");
	if (type.len && !slice_is(type, "object"))
		bad_value(e, child(e, path, "type"), type,
		        "only \"object\" is allowed as the type at the root of the schema if the status subresource is "
		        "enabled");
	JSON_FOREACH (it, schema) {
		if (slice_is_any(it->key, allowed, COUNT_OF(allowed)) || !says_something(it))
			continue;
		bad_value(e, path, SLICE("..."),
		        "only [Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum "
		        "MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items "
		        "Properties ExternalDocs Example XPreserveUnknownFields XValidations] fields are allowed at "
		        "the root of the schema if the status subresource is enabled");
		return;
	}
}
