/* From OpenAPI to schema types. One walk: an object becomes a type, its properties become fields. Lists in lists and
 * maps in maps, which a field cannot say, become a type of one field that stands for the value itself
 * (SCHEMA_TYPE_INNER). An object that keeps what it does not know, and has no properties, is SCHEMA_RAW; a value
 * without a type SCHEMA_ANY: both keep all and check nothing. */
#include "api/machinery/schema/custom_schema.h"

#include <stdlib.h>

#define OBJECT_META "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

struct maker {
	struct arena *arena;
	struct err *err;
	int depth;
	bool is_atomic; /* the next type is */
};

static const struct schema_type *make_type(
        struct maker *m, const struct json *schema, const char *name, const char *go_name, bool is_object);

static bool is_true(const struct json *schema, const char *key)
{
	return json_get_bool(schema, key, false);
}

static bool type_is(const struct json *schema, const char *type)
{
	return slice_is(json_get_str(schema, "type"), type);
}

static bool keeps_unknown(const struct json *schema)
{
	return is_true(schema, "x-kubernetes-preserve-unknown-fields");
}

static void set_scalar(struct schema_field *f, const struct json *schema)
{
	f->kind = SCHEMA_ANY;
	if (keeps_unknown(schema))
		f->kind = SCHEMA_RAW;
	else if (is_true(schema, "x-kubernetes-int-or-string"))
		f->kind = SCHEMA_INT_OR_STRING;
	else if (type_is(schema, "string"))
		f->kind = SCHEMA_STRING;
	else if (type_is(schema, "boolean"))
		f->kind = SCHEMA_BOOL;
	else if (type_is(schema, "integer"))
		f->kind = SCHEMA_INT64;
	else if (type_is(schema, "number"))
		f->kind = SCHEMA_DOUBLE;
}

/* additionalProperties with a schema of their values; `true` says no more than that all is kept. */
static const struct json *map_values(const struct json *schema)
{
	const struct json *values = json_get(schema, "additionalProperties");
	return json_is(values, JSON_OBJECT) && !json_get(schema, "properties") ? values : NULL;
}

static bool set_field(struct maker *m, struct schema_field *f, const struct json *schema);

/* A type whose value is the one field: see SCHEMA_TYPE_INNER. */
static const struct schema_type *make_inner(struct maker *m, const char *name, const struct json *schema)
{
	struct schema_type *t = ARENA_NEW(m->arena, struct schema_type);
	struct schema_field *f = ARENA_NEW(m->arena, struct schema_field);
	if (++m->depth > JSON_DEPTH_MAX) {
		err_set(m->err, ERR_INVAL, "the schema of %s is too deep", name);
		return NULL;
	}
	f->name = name;
	if (!set_field(m, f, schema))
		return NULL;
	m->depth--;
	*t = (struct schema_type){.name = name,
	        .go_name = name,
	        .fields = f,
	        .sorted = ARENA_ARRAY(m->arena, uint16_t, 1),
	        .field_count = 1,
	        .flags = SCHEMA_TYPE_INNER | SCHEMA_TYPE_CUSTOM};
	return t;
}

/* What a value, or each element of a list or map, is. False when the walk failed. */
static bool set_element(struct maker *m, struct schema_field *f, const struct json *schema, bool in_container)
{
	bool is_embedded = is_true(schema, "x-kubernetes-embedded-resource");
	bool is_map = map_values(schema) || json_bool(json_get(schema, "additionalProperties"), false);
	if (in_container && !is_embedded && (type_is(schema, "array") || map_values(schema))) {
		f->kind = SCHEMA_REF;
		f->ref = make_inner(m, f->name, schema);
		return f->ref != NULL;
	}
	if (!is_embedded && !json_get(schema, "properties") &&
	        (!type_is(schema, "object") || keeps_unknown(schema) || is_map)) {
		set_scalar(f, schema);
		return true;
	}
	if (in_container && slice_is(json_get_str(schema, "x-kubernetes-map-type"), "atomic"))
		m->is_atomic = true;
	f->kind = SCHEMA_REF;
	f->flags |= is_embedded ? SCHEMA_EMBEDDED_OBJECT : 0;
	f->ref = make_type(m, schema, f->name, f->name, is_embedded);
	return f->ref != NULL;
}

static const char *write_json(struct arena *a, const struct json *v)
{
	struct strbuf b = STRBUF_INIT;
	json_write(&b, v);
	const char *out = arena_strdup(a, strbuf_cstr(&b));
	strbuf_release(&b);
	return out;
}

static const char *join_keys(struct arena *a, const struct json *keys)
{
	struct strbuf b = STRBUF_INIT;
	JSON_FOREACH (it, keys) {
		if (b.len)
			strbuf_addc(&b, ',');
		strbuf_add_slice(&b, json_str(it));
	}
	const char *out = b.len ? arena_strdup(a, strbuf_cstr(&b)) : NULL;
	strbuf_release(&b);
	return out;
}

static bool set_list(struct maker *m, struct schema_field *f, const struct json *schema)
{
	struct slice type = json_get_str(schema, "x-kubernetes-list-type");
	f->container = SCHEMA_LIST;
	f->list_type = slice_is(type, "map")      ? SCHEMA_LIST_TYPE_MAP
	               : slice_is(type, "set")    ? SCHEMA_LIST_TYPE_SET
	               : slice_is(type, "atomic") ? SCHEMA_LIST_TYPE_ATOMIC
	                                          : SCHEMA_LIST_TYPE_NONE;
	f->list_keys = join_keys(m->arena, json_get(schema, "x-kubernetes-list-map-keys"));
	return set_element(m, f, json_get(schema, "items"), true);
}

static bool set_field(struct maker *m, struct schema_field *f, const struct json *schema)
{
	f->flags = SCHEMA_OMITEMPTY | SCHEMA_POINTER;
	if (is_true(schema, "nullable"))
		f->flags |= SCHEMA_NULLABLE;
	if (slice_is(json_get_str(schema, "x-kubernetes-map-type"), "atomic"))
		f->flags |= SCHEMA_ATOMIC;
	const struct json *values = map_values(schema), *fallback = json_get(schema, "default");
	if (fallback && fallback->type != JSON_OBJECT && fallback->type != JSON_ARRAY)
		f->default_json = write_json(m->arena, fallback); /* what an element without this key is named by */
	if (type_is(schema, "array"))
		return set_list(m, f, schema);
	if (values) {
		f->container = SCHEMA_MAP;
		return set_element(m, f, values, true);
	}
	return set_element(m, f, schema, false);
}

static struct schema_field *find_field(struct schema_field *fields, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(fields[i].name, name) == 0)
			return &fields[i];
	return NULL;
}

/* apiVersion, kind and metadata, whatever the schema says of them. */
static size_t add_object_fields(struct schema_field *fields, size_t n)
{
	static const char *const names[] = {"apiVersion", "kind", "metadata"};
	for (size_t i = 0; i < 3; i++) {
		struct schema_field *f = find_field(fields, n, names[i]);
		if (!f)
			f = &fields[n++];
		*f = (struct schema_field){.name = names[i], .flags = SCHEMA_OMITEMPTY, .kind = SCHEMA_STRING};
	}
	struct schema_field *meta = find_field(fields, n, "metadata");
	meta->kind = SCHEMA_REF;
	meta->flags |= SCHEMA_EMBEDDED_OBJECT;
	meta->ref = schema_type_find(SLICE(OBJECT_META));
	return n;
}

static int by_name(const void *a, const void *b, void *fields)
{
	const struct schema_field *f = fields;
	return strcmp(f[*(const uint16_t *)a].name, f[*(const uint16_t *)b].name);
}

static const struct schema_type *make_type(
        struct maker *m, const struct json *schema, const char *name, const char *go_name, bool is_object)
{
	struct json *properties = json_get(schema, "properties");
	unsigned atomic = m->is_atomic ? SCHEMA_TYPE_ATOMIC : 0;
	m->is_atomic = false;
	size_t n = json_is(properties, JSON_OBJECT) ? properties->count : 0;
	if (++m->depth > JSON_DEPTH_MAX || n > UINT16_MAX - 3) {
		err_set(m->err, ERR_INVAL, "the schema of %s is too large or too deep", name);
		return NULL;
	}
	struct schema_type *t = ARENA_NEW(m->arena, struct schema_type);
	struct schema_field *fields = ARENA_ARRAY(m->arena, struct schema_field, n + (is_object ? 3 : 0));
	size_t at = 0;
	JSON_FOREACH (it, properties) {
		fields[at].name = arena_memdup(m->arena, it->key.ptr, it->key.len);
		if (!set_field(m, &fields[at++], it))
			return NULL;
	}
	if (is_object)
		at = add_object_fields(fields, at);
	uint16_t *sorted = ARENA_ARRAY(m->arena, uint16_t, at + 1);
	for (size_t i = 0; i < at; i++)
		sorted[i] = (uint16_t)i;
	qsort_r(sorted, at, sizeof(*sorted), by_name, fields);
	bool keeps_all = keeps_unknown(schema) || json_get(schema, "additionalProperties") ||
	                 (is_object && !n && !type_is(schema, "object"));
	*t = (struct schema_type){
	        .name = is_object ? arena_strdup(m->arena, name) : name, /* of a field: it is in the arena */
	        .go_name = is_object ? arena_strdup(m->arena, go_name) : name,
	        .fields = fields,
	        .sorted = sorted,
	        .field_count = (uint16_t)at,
	        .flags = (uint16_t)(atomic | (keeps_all ? SCHEMA_TYPE_PRESERVE_UNKNOWN : 0) |
	                            (is_object ? SCHEMA_TYPE_HAS_TYPE_META : 0) | SCHEMA_TYPE_CUSTOM),
	};
	m->depth--;
	return t;
}

const struct schema_type *custom_schema_type(
        struct arena *a, const struct json *schema, const char *name, const char *kind, struct err *err)
{
	struct err own = ERR_INIT;
	struct maker m = {.arena = a, .err = err ? err : &own};
	if (!json_is(schema, JSON_OBJECT)) {
		err_set(err, ERR_INVAL, "the schema of %s is not an object", name);
		return NULL;
	}
	return make_type(&m, schema, name, kind, true);
}
