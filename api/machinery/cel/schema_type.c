/* See schema_type.h. Upstream: apiserver pkg/cel/common/schemas.go, whose estimates of sizes are these: what has no
 * bound is as large as a request may be, by the least that each part of it takes there; objects count as nothing, by
 * themselves.
 *
 * What can go wrong: depth, which parsing has bounded (JSON_DEPTH_MAX). */
#include "api/machinery/cel/schema_type.h"

#include "base/check.h"

#include <stdlib.h>

enum { REQUEST_BYTES = 3 * 1024 * 1024 };

static bool is_true(const struct json *s, const char *key)
{
	return json_get_bool(s, key, false);
}

bool schema_is_embedded(const struct json *schema)
{
	return is_true(schema, "x-kubernetes-embedded-resource");
}

static struct cel_type *sized(struct arena *a, const struct cel_type *like, uint64_t size_max, uint64_t bytes_min)
{
	struct cel_type *t = ARENA_NEW(a, struct cel_type);
	*t = *like;
	t->size_max = size_max;
	t->text_bytes_min = bytes_min;
	return t;
}

static uint64_t bound(const struct json *s, const char *key, uint64_t fallback)
{
	int64_t v = json_get_int(s, key, -1);
	return !json_get(s, key) ? fallback : v < 0 ? 0 : (uint64_t)v;
}

/* ---- texts ---- */

static uint64_t longest_choice(const struct json *choices)
{
	uint64_t most = 0;
	JSON_FOREACH (it, choices)
		if (it->type == JSON_STRING && it->text.len > most)
			most = it->text.len;
	return most;
}

static const struct cel_type *text_type(struct arena *a, const struct json *s)
{
	struct slice format = json_get_str(s, "format");
	const struct json *choices = json_get(s, "enum");
	if (slice_is(format, "byte"))
		return sized(a, &cel_type_bytes, bound(s, "maxLength", REQUEST_BYTES - 2), 2);
	if (slice_is(format, "duration"))
		return sized(a, &cel_type_duration, 32, 3);
	if (slice_is(format, "date"))
		return sized(a, &cel_type_timestamp, 12, 12);
	if (slice_is(format, "date-time"))
		return sized(a, &cel_type_timestamp, 32, 21);
	/* a character has four bytes at most */
	uint64_t length = bound(s, "maxLength", UINT64_MAX);
	if (length != UINT64_MAX)
		length = length > UINT64_MAX / 4 ? UINT64_MAX : length * 4;
	else
		length = json_is(choices, JSON_ARRAY) && choices->count ? longest_choice(choices) : REQUEST_BYTES - 2;
	return sized(a, &cel_type_string, length, 2);
}

/* ---- lists and maps ---- */

static void set_keys(struct arena *a, struct cel_type *t, const struct json *s)
{
	struct slice kind = json_get_str(s, "x-kubernetes-list-type");
	const struct json *keys = json_get(s, "x-kubernetes-list-map-keys");
	if (slice_is(kind, "set"))
		t->list_type = CEL_LIST_SET;
	if (!slice_is(kind, "map") || !json_is(keys, JSON_ARRAY) || !keys->count)
		return;
	struct slice *names = ARENA_ARRAY(a, struct slice, keys->count);
	JSON_FOREACH (it, keys)
		names[t->key_count++] =
		        (struct slice){arena_memdup(a, it->text.ptr ? it->text.ptr : "", it->text.len), it->text.len};
	t->list_type = CEL_LIST_KEYED;
	t->keys = names;
}

static const struct cel_type *list_type(struct arena *a, const struct json *s)
{
	const struct json *items = json_get(s, "items");
	const struct cel_type *elem = items ? schema_cel_type(a, items, schema_is_embedded(items)) : NULL;
	if (!elem)
		return NULL;
	struct cel_type *t = (struct cel_type *)cel_type_list(a, elem);
	/* "[" and a comma for each, the last one's is "]" */
	t->size_max = bound(s, "maxItems", (REQUEST_BYTES - 2) / (elem->text_bytes_min + 1));
	t->text_bytes_min = 2;
	set_keys(a, t, s);
	return t;
}

static const struct cel_type *map_type(struct arena *a, const struct json *s, const struct json *values)
{
	const struct cel_type *elem = schema_cel_type(a, values, schema_is_embedded(values));
	if (!elem)
		return NULL;
	/* upstream counts names of members as nothing: rules in the field rely on it */
	const struct cel_type *key = sized(a, &cel_type_string, 0, 2);
	struct cel_type *t = (struct cel_type *)cel_type_map(a, key, elem);
	/* a name of no characters, a colon, a comma */
	t->size_max = bound(s, "maxProperties", (REQUEST_BYTES - 2) / (elem->text_bytes_min + 6));
	t->text_bytes_min = 2;
	return t;
}

/* ---- objects ---- */

static int by_name(const void *a, const void *b)
{
	const struct cel_field *x = a, *y = b;
	return slice_cmp(x->name, y->name);
}

static bool is_required(const struct json *s, struct slice name)
{
	JSON_FOREACH (it, json_get(s, "required"))
		if (slice_eq(it->text, name))
			return true;
	return false;
}

static void add_field(
        struct arena *a, struct cel_type *t, struct cel_field *fields, struct slice member, const struct cel_type *type)
{
	struct slice kept = {arena_memdup(a, member.ptr, member.len), member.len}, name = cel_escape(a, kept);
	if (name.ptr)
		fields[t->field_count++] = (struct cel_field){name, kept, type};
}

static const struct cel_type *head_type(struct arena *a)
{
	struct cel_type *t = ARENA_NEW(a, struct cel_type);
	struct cel_field *fields = ARENA_ARRAY(a, struct cel_field, 2);
	const struct cel_type *text = sized(a, &cel_type_string, REQUEST_BYTES - 2, 2);
	*t = (struct cel_type){.kind = CEL_OBJECT, .fields = fields, .size_max = 0, .text_bytes_min = 2};
	add_field(a, t, fields, SLICE("generateName"), text);
	add_field(a, t, fields, SLICE("name"), text);
	return t;
}

static bool is_head(struct slice name)
{
	return slice_is(name, "apiVersion") || slice_is(name, "kind") || slice_is(name, "metadata");
}

static const struct cel_type *object_type(struct arena *a, const struct json *s, bool is_root)
{
	const struct json *properties = json_get(s, "properties");
	struct cel_type *t = ARENA_NEW(a, struct cel_type);
	struct cel_field *fields = ARENA_ARRAY(a, struct cel_field, (properties ? properties->count : 0) + 3);
	*t = (struct cel_type){.kind = CEL_OBJECT, .fields = fields, .size_max = 0, .text_bytes_min = 2};
	JSON_FOREACH (it, properties) {
		if (is_root && is_head(it->key))
			continue;
		const struct cel_type *type = schema_cel_type(a, it, schema_is_embedded(it));
		if (!type)
			continue;
		add_field(a, t, fields, it->key, type);
		if (is_required(s, it->key) && !json_get(it, "default"))
			t->text_bytes_min += it->key.len + type->text_bytes_min + 4;
	}
	if (is_root) {
		const struct cel_type *text = sized(a, &cel_type_string, REQUEST_BYTES - 2, 2);
		add_field(a, t, fields, SLICE("apiVersion"), text);
		add_field(a, t, fields, SLICE("kind"), text);
		add_field(a, t, fields, SLICE("metadata"), head_type(a));
	}
	qsort(fields, t->field_count, sizeof *fields, by_name);
	return t;
}

const struct cel_type *schema_cel_type(struct arena *a, const struct json *s, bool is_root)
{
	struct slice type = json_get_str(s, "type");
	const struct json *values = json_get(s, "additionalProperties");
	if (is_true(s, "x-kubernetes-int-or-string"))
		return sized(a, &cel_type_dyn, REQUEST_BYTES - 2, 1);
	if (slice_is(type, "array"))
		return list_type(a, s);
	if (slice_is(type, "object"))
		return json_is(values, JSON_OBJECT) && !is_root ? map_type(a, s, values) : object_type(a, s, is_root);
	if (slice_is(type, "string"))
		return text_type(a, s);
	if (slice_is(type, "boolean"))
		return &cel_type_bool;
	if (slice_is(type, "number"))
		return &cel_type_double;
	return slice_is(type, "integer") ? &cel_type_int : NULL;
}
