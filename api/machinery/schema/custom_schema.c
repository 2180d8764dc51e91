/* From OpenAPI to schema types. One walk: an object with properties becomes a type, its properties become fields. What
 * our tables cannot say (lists in lists, anything without a type) becomes SCHEMA_ANY, which keeps all and checks
 * nothing. */
#include "api/machinery/schema/custom_schema.h"

#include <stdlib.h>

#define OBJECT_META "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

struct maker {
	struct arena *arena;
	struct err *err;
	int depth;
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

static void set_scalar(struct schema_field *f, const struct json *schema)
{
	f->kind = SCHEMA_ANY;
	if (is_true(schema, "x-kubernetes-int-or-string"))
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

/* What a value, or each element of a list or map, is. False when the walk failed. */
static bool set_element(struct maker *m, struct schema_field *f, const struct json *schema)
{
	bool is_embedded = is_true(schema, "x-kubernetes-embedded-resource");
	if (!is_embedded && !json_get(schema, "properties")) {
		set_scalar(f, schema);
		return true;
	}
	f->kind = SCHEMA_REF;
	f->flags |= is_embedded ? SCHEMA_EMBEDDED_OBJECT : 0;
	f->ref = make_type(m, schema, f->name, f->name, is_embedded);
	return f->ref != NULL;
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
	return set_element(m, f, json_get(schema, "items"));
}

static bool set_field(struct maker *m, struct schema_field *f, const struct json *schema)
{
	f->flags = SCHEMA_OMITEMPTY | SCHEMA_POINTER;
	if (is_true(schema, "nullable"))
		f->flags |= SCHEMA_NULLABLE;
	if (slice_is(json_get_str(schema, "x-kubernetes-map-type"), "atomic"))
		f->flags |= SCHEMA_ATOMIC;
	struct json *values = json_get(schema, "additionalProperties");
	if (type_is(schema, "array"))
		return set_list(m, f, schema);
	if (values && !json_get(schema, "properties")) {
		f->container = SCHEMA_MAP;
		return set_element(m, f, values);
	}
	return set_element(m, f, schema);
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
	size_t n = json_is(properties, JSON_OBJECT) ? properties->count : 0;
	if (++m->depth > JSON_DEPTH_MAX || n > UINT16_MAX - 3) {
		err_set(m->err, ERR_INVAL, "the schema of %s is too large or too deep", name);
		return NULL;
	}
	struct schema_type *t = ARENA_NEW(m->arena, struct schema_type);
	struct schema_field *fields = ARENA_ARRAY(m->arena, struct schema_field, n + 3);
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
	bool keeps_all = is_true(schema, "x-kubernetes-preserve-unknown-fields") ||
	                 json_get(schema, "additionalProperties") || (is_object && !n && !type_is(schema, "object"));
	*t = (struct schema_type){
	        .name = arena_strdup(m->arena, name),
	        .go_name = arena_strdup(m->arena, go_name),
	        .fields = fields,
	        .sorted = sorted,
	        .field_count = (uint16_t)at,
	        .flags = (uint16_t)((keeps_all ? SCHEMA_TYPE_PRESERVE_UNKNOWN : 0) |
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
