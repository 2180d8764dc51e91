/* See structural.h. Upstream: apiextensions-apiserver pkg/apiserver/schema/validation.go and pkg/apis/apiextensions/
 * validation. A schema has a skeleton, which says what there is (types, properties, items), and may carry conditions in
 * allOf, anyOf, oneOf and not, which only say more of what the skeleton knows. Rules in CEL may stand in the skeleton
 * and in allOf; they are looked at by themselves (custom_rules.h). */
#include "api/machinery/rules/custom/structural.h"
#include "api/machinery/rules/checks.h"

#include "api/machinery/rules/custom/custom_program.h"
#include "base/check.h"
#include "base/pattern.h"

/* Where a schema stands. */
enum level { AT_ROOT, AT_PROPERTY, AT_ITEM, AT_VALUE };

static void check_skeleton(struct field_errors *e, const struct json *s, const char *path, enum level level);

static bool is_true(const struct json *s, const char *key)
{
	return json_get_bool(s, key, false);
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

/* ---- what no schema may have ---- */

static void check_unsupported(struct field_errors *e, const struct json *s, const char *path)
{
	static const char *const never[] = {
	        "$ref", "$schema", "id", "definitions", "dependencies", "patternProperties", "additionalItems"};
	for (size_t i = 0; i < COUNT_OF(never); i++)
		if (json_get(s, never[i]))
			bad_forbidden(e, child(e, path, never[i]), at(e, "%s is not supported", never[i]));
	if (is_true(s, "uniqueItems"))
		bad_forbidden(e, child(e, path, "uniqueItems"),
		        "uniqueItems cannot be set to true since the runtime complexity becomes quadratic");
	if (json_is(json_get(s, "items"), JSON_ARRAY))
		bad_forbidden(e, child(e, path, "items"), "items must be a schema object and not an array");
}

static void check_pattern(struct field_errors *e, const struct json *s, const char *path)
{
	struct slice pattern = json_get_str(s, "pattern");
	struct err err = ERR_INIT;
	if (pattern.len && !pattern_compile(e->arena, pattern, &err))
		bad_value(e, child(e, path, "pattern"), pattern,
		        at(e, "must be a valid regular expression, but isn't: %s", err.msg));
}

static void check_type_word(struct field_errors *e, const struct json *s, const char *path)
{
	struct slice type = json_get_str(s, "type");
	if (slice_is(type, "null"))
		bad_forbidden(e, child(e, path, "type"), "type cannot be set to null, use nullable as an alternative");
	else if (type.len)
		check_choice(e, child(e, path, "type"), type, "array,boolean,integer,number,object,string", true);
}

/* ---- conditions ---- */

/* Inside of allOf and its like nothing is said of what there is. */
static void check_condition_words(struct field_errors *e, const struct json *s, const char *path)
{
	static const char *const empty[] = {"description", "type", "title", "additionalProperties", "nullable",
	        "default", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource",
	        "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type"};
	bool is_int_or_string = is_true(s, "x-kubernetes-int-or-string");
	for (size_t i = 0; i < COUNT_OF(empty); i++) {
		const struct json *v = json_get(s, empty[i]);
		bool has = v && v->type != JSON_NULL && !(v->type == JSON_BOOL && !v->boolean) &&
		           !(v->type == JSON_STRING && !v->text.len);
		if (has && strcmp(empty[i], "additionalProperties") == 0)
			bad_forbidden(e, child(e, path, empty[i]), "must be undefined to be structural");
		else if (has && v->type == JSON_BOOL)
			bad_forbidden(e, child(e, path, empty[i]), "must be false to be structural");
		else if (has)
			bad_forbidden(e, child(e, path, empty[i]),
			        strcmp(empty[i], "default") == 0 ? "must be undefined to be structural"
			                                         : "must be empty to be structural");
	}
	if (is_int_or_string)
		bad_forbidden(e, child(e, path, "x-kubernetes-int-or-string"), "must be false to be structural");
}

static void check_condition(
        struct field_errors *e, const struct json *s, const struct json *skeleton, const char *path, bool says_types);

/* Every property and item that a condition speaks of must be in the skeleton. */
static void check_condition_parts(
        struct field_errors *e, const struct json *s, const struct json *skeleton, const char *path)
{
	const struct json *items = json_get(s, "items");
	JSON_FOREACH (it, json_get(s, "properties")) {
		const char *here = keyed(e, path, "properties", it->key);
		const struct json *known = json_get_slice(json_get(skeleton, "properties"), it->key);
		if (!known && json_is(json_get(skeleton, "additionalProperties"), JSON_OBJECT))
			known = json_get(skeleton, "additionalProperties");
		if (!known && !is_true(skeleton, "x-kubernetes-preserve-unknown-fields"))
			bad_required(e, here, at(e, "because it is defined in %s", here));
		check_condition(e, it, known, here, false);
	}
	if (items) {
		if (!json_get(skeleton, "items"))
			bad_required(e, child(e, path, "items"),
			        at(e, "because it is defined in %s", child(e, path, "items")));
		check_condition(e, items, json_get(skeleton, "items"), child(e, path, "items"), false);
	}
}

static void check_conditions(
        struct field_errors *e, const struct json *s, const struct json *skeleton, const char *path)
{
	static const char *const lists[] = {"allOf", "anyOf", "oneOf"}, *const choices[] = {"anyOf", "oneOf", "not"};
	bool int_or_string = is_true(skeleton, "x-kubernetes-int-or-string");
	for (size_t i = 0; i < COUNT_OF(lists); i++) {
		int k = 0;
		JSON_FOREACH (it, json_get(s, lists[i]))
			check_condition(e, it, skeleton, indexed(e, path, lists[i], k++), int_or_string);
	}
	if (json_get(s, "not"))
		check_condition(e, json_get(s, "not"), skeleton, child(e, path, "not"), false);
	for (size_t i = 0; i < COUNT_OF(choices); i++)
		if (custom_schema_has_rules(json_get(s, choices[i])))
			bad_forbidden(e, child(e, child(e, path, choices[i]), "x-kubernetes-validations"),
			        "must be empty to be structural");
}

/* The two anyOf that controller-gen writes beside x-kubernetes-int-or-string may say types. */
static void check_condition(
        struct field_errors *e, const struct json *s, const struct json *skeleton, const char *path, bool says_types)
{
	const struct json *type = json_get(s, "type");
	bool is_allowed =
	        says_types && type && (slice_is(json_str(type), "integer") || slice_is(json_str(type), "string"));
	check_unsupported(e, s, path);
	check_pattern(e, s, path);
	if (is_allowed) {
		if (s->count == 1)
			return;
		struct json *rest = json_copy(e->arena, s);
		json_del(rest, "type");
		s = rest;
	}
	check_condition_words(e, s, path);
	check_condition_parts(e, s, skeleton, path);
	check_conditions(e, s, skeleton, path);
}

/* ---- the skeleton ---- */

static void check_list_words(struct field_errors *e, const struct json *s, const char *path)
{
	const struct json *type = json_get(s, "x-kubernetes-list-type"),
	                  *keys = json_get(s, "x-kubernetes-list-map-keys"), *items = json_get(s, "items");
	struct slice list = json_str(type);
	if (type && !slice_is(json_get_str(s, "type"), "array"))
		bad_value(e, child(e, path, "type"), json_get_str(s, "type"),
		        "must be array if x-kubernetes-list-type is specified");
	if (type)
		check_choice(e, child(e, path, "x-kubernetes-list-type"), list, "atomic,set,map", true);
	if (keys && keys->first && !slice_is(list, "map"))
		bad_value(e, child(e, path, "x-kubernetes-list-type"), list,
		        "must be map if x-kubernetes-list-map-keys is non-empty");
	if (slice_is(list, "map") && !(keys && keys->first))
		bad_required(e, child(e, path, "x-kubernetes-list-map-keys"),
		        "must not be empty if x-kubernetes-list-type is map");
	if (slice_is(list, "map") && items && !slice_is(json_get_str(items, "type"), "object"))
		bad_value(e, child(e, child(e, path, "items"), "type"), json_get_str(items, "type"),
		        "must be object if parent array's x-kubernetes-list-type is map");
	if (slice_is(list, "set") && items && slice_is(json_get_str(items, "type"), "object") &&
	        !slice_is(json_get_str(items, "x-kubernetes-map-type"), "atomic"))
		bad_value(e, child(e, child(e, path, "items"), "x-kubernetes-map-type"),
		        json_get_str(items, "x-kubernetes-map-type"),
		        "must be atomic as item of a list with x-kubernetes-list-type=set");
	if (slice_is(list, "set") && items && slice_is(json_get_str(items, "type"), "array") &&
	        !slice_is(json_get_str(items, "x-kubernetes-list-type"), "atomic"))
		bad_value(e, child(e, child(e, path, "items"), "x-kubernetes-list-type"),
		        json_get_str(items, "x-kubernetes-list-type"),
		        "must be atomic as item of a list with x-kubernetes-list-type=set");
}

/* Keys of a list are there, scalars, and there in each element. */
static void check_list_keys(struct field_errors *e, const struct json *s, const char *path)
{
	struct name_set seen = {MAP_INIT};
	int i = 0;
	if (!slice_is(json_get_str(s, "x-kubernetes-list-type"), "map"))
		return;
	JSON_FOREACH (it, json_get(s, "x-kubernetes-list-map-keys")) {
		const char *here = indexed(e, path, "x-kubernetes-list-map-keys", i++);
		const struct json *items = json_get(s, "items");
		const struct json *key = json_get_slice(json_get(items, "properties"), json_str(it));
		bool is_needed = json_get(key, "default") != NULL;
		if (!name_set_add(&seen, json_str(it)))
			bad_duplicate(e, here, json_str(it));
		if (!key) {
			bad_value(e, here, json_str(it), "must refer to a property in the item schema");
			continue;
		}
		const char *place = keyed(e, child(e, path, "items"), "properties", json_str(it));
		struct slice type = json_get_str(key, "type");
		if (slice_is(type, "object") || slice_is(type, "array"))
			bad_value(e, child(e, place, "type"), type,
			        "must be a scalar type if parent array's x-kubernetes-list-type is map");
		if (is_true(key, "nullable"))
			bad_forbidden(e, child(e, place, "nullable"),
			        "this property is in x-kubernetes-list-map-keys, so it cannot be nullable");
		JSON_FOREACH (r, json_get(items, "required"))
			is_needed = is_needed || slice_eq(json_str(r), json_str(it));
		if (!is_needed)
			bad_required(e, child(e, place, "default"),
			        "this property is in x-kubernetes-list-map-keys, so it must have a default or be a "
			        "required property");
	}
	name_set_release(&seen);
}

static void check_map_words(struct field_errors *e, const struct json *s, const char *path)
{
	const struct json *type = json_get(s, "x-kubernetes-map-type");
	if (!type)
		return;
	if (!slice_is(json_get_str(s, "type"), "object"))
		bad_value(e, child(e, path, "type"), json_get_str(s, "type"),
		        "must be object if x-kubernetes-map-type is specified");
	check_choice(e, child(e, path, "x-kubernetes-map-type"), json_str(type), "atomic,granular", true);
}

static void check_type(struct field_errors *e, const struct json *s, const char *path, enum level level)
{
	static const char *const words[] = {[AT_ROOT] = "must not be empty at the root",
	        [AT_PROPERTY] = "must not be empty for specified object fields",
	        [AT_ITEM] = "must not be empty for specified array items",
	        [AT_VALUE] = "must not be empty for specified object fields"};
	struct slice type = json_get_str(s, "type");
	bool any = is_true(s, "x-kubernetes-preserve-unknown-fields"), both = is_true(s, "x-kubernetes-int-or-string");
	if (level == AT_ROOT && type.len && !slice_is(type, "object"))
		bad_value(e, child(e, path, "type"), type, "must be object at the root");
	if (!type.len && (level == AT_ROOT || (!any && !both)))
		bad_required(e, child(e, path, "type"), words[level]);
	if (both && type.len)
		bad_forbidden(e, child(e, path, "type"), "must be empty if x-kubernetes-int-or-string is true");
	if (both && any)
		bad_forbidden(e, child(e, path, "x-kubernetes-preserve-unknown-fields"),
		        "must be false if x-kubernetes-int-or-string is true");
	if (slice_is(type, "array") && !json_get(s, "items"))
		bad_required(e, child(e, path, "items"), "must be specified");
	if (json_get(s, "x-kubernetes-preserve-unknown-fields") && !any)
		bad_bool(e, child(e, path, "x-kubernetes-preserve-unknown-fields"), false, "must be true or undefined");
}

static void check_embedded(struct field_errors *e, const struct json *s, const char *path)
{
	if (!is_true(s, "x-kubernetes-embedded-resource"))
		return;
	if (!slice_is(json_get_str(s, "type"), "object"))
		bad_value(e, child(e, path, "type"), json_get_str(s, "type"),
		        "must be object if x-kubernetes-embedded-resource is true");
	if (!json_get(s, "properties") && !is_true(s, "x-kubernetes-preserve-unknown-fields"))
		bad_required(e, child(e, path, "properties"),
		        "must not be empty if x-kubernetes-embedded-resource is true without "
		        "x-kubernetes-preserve-unknown-fields");
}

/* metadata is every object's; of it a schema says only what its name is like. */
static void check_head(struct field_errors *e, const struct json *s, const char *path)
{
	static const char *const strings[] = {"apiVersion", "kind"};
	const struct json *properties = json_get(s, "properties"), *meta = json_get(properties, "metadata");
	for (size_t i = 0; i < 2; i++) {
		const struct json *p = json_get(properties, strings[i]);
		if (p && !slice_is(json_get_str(p, "type"), "string"))
			bad_value(e, child(e, keyed(e, path, "properties", slice_of(strings[i])), "type"),
			        json_get_str(p, "type"), "must be string");
	}
	if (!meta)
		return;
	const char *here = keyed(e, path, "properties", SLICE("metadata"));
	if (!slice_is(json_get_str(meta, "type"), "object"))
		bad_value(e, child(e, here, "type"), json_get_str(meta, "type"), "must be object");
	if (differs_beyond(meta, NULL, "type,description,properties"))
		bad_forbidden(e, here,
		        "must not specify anything other than name and generateName, but metadata is implicitly "
		        "specified");
	JSON_FOREACH (it, json_get(meta, "properties"))
		if (!slice_is(it->key, "name") && !slice_is(it->key, "generateName"))
			bad_forbidden(e, here,
			        "must not specify anything other than name and generateName, but metadata is "
			        "implicitly specified");
}

static void check_default(struct field_errors *e, const struct json *s, const char *path, enum level level)
{
	const struct json *fallback = json_get(s, "default");
	struct err err = ERR_INIT;
	if (!fallback)
		return;
	if (level == AT_ROOT)
		bad_forbidden(e, child(e, path, "default"), "must not be set at the root");
	else if (custom_schema_check_value(e, s, fallback, child(e, path, "default"), &err) != 0)
		bad_forbidden(e, child(e, path, "default"), err.msg);
}

static void check_additional(struct field_errors *e, const struct json *s, const char *path, enum level level)
{
	const struct json *extra = json_get(s, "additionalProperties");
	if (!extra)
		return;
	if (json_is(json_get(s, "properties"), JSON_OBJECT) && json_get(s, "properties")->first)
		bad_forbidden(e, child(e, path, "additionalProperties"),
		        "additionalProperties and properties are mutual exclusive");
	if (extra->type == JSON_BOOL && !extra->boolean)
		bad_forbidden(e, child(e, path, "additionalProperties"), "additionalProperties cannot be set to false");
	if (level == AT_ROOT)
		bad_forbidden(e, child(e, path, "additionalProperties"), "must not be used at the root");
	if (extra->type == JSON_OBJECT)
		check_skeleton(e, extra, child(e, path, "additionalProperties"), AT_VALUE);
}

static void check_skeleton(struct field_errors *e, const struct json *s, const char *path, enum level level)
{
	const struct json *items = json_get(s, "items");
	if (e->count == FIELD_ERRORS_MAX)
		return;
	check_unsupported(e, s, path);
	check_pattern(e, s, path);
	check_type_word(e, s, path);
	check_type(e, s, path, level);
	check_embedded(e, s, path);
	check_list_words(e, s, path);
	check_list_keys(e, s, path);
	check_map_words(e, s, path);
	if (level == AT_ROOT || is_true(s, "x-kubernetes-embedded-resource"))
		check_head(e, s, path);
	check_additional(e, s, path, level);
	JSON_FOREACH (it, json_get(s, "properties")) {
		bool is_meta = slice_is(it->key, "metadata") &&
		               (level == AT_ROOT || is_true(s, "x-kubernetes-embedded-resource"));
		if (!is_meta)
			check_skeleton(e, it, keyed(e, path, "properties", it->key), AT_PROPERTY);
	}
	if (json_is(items, JSON_OBJECT))
		check_skeleton(e, items, child(e, path, "items"), AT_ITEM);
	check_conditions(e, s, s, path);
	check_default(e, s, path, level);
}

void structural_check(struct field_errors *e, const struct json *schema, const char *path)
{
	check_skeleton(e, schema, path, AT_ROOT);
	if (is_true(schema, "nullable"))
		bad_forbidden(e, child(e, path, "nullable"), "nullable cannot be true at the root");
}
