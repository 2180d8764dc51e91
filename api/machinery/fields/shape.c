/* See shape.h. Lists that name no list type follow their patch strategy, as they do in upstream's typed schema: merged
 * by a key they are keyed lists, merged without one sets; all others are atomic. */
#include "api/machinery/fields/shape.h"

/* ---- what a value is ---- */

static struct shape atom(void)
{
	return (struct shape){.kind = SHAPE_OF_ATOM};
}

struct shape shape_of_type(const struct schema_type *type)
{
	if (!type)
		return (struct shape){.kind = SHAPE_OF_UNTYPED};
	if (type->flags & (SCHEMA_TYPE_ATOMIC | SCHEMA_TYPE_UNION | SCHEMA_TYPE_LIST_WRAPPER))
		return atom();
	if (type->flags & SCHEMA_TYPE_INNER)
		return shape_of_field(&type->fields[0]);
	return (struct shape){.kind = SHAPE_OF_STRUCT, .type = type};
}

/* A single value, or each element of a list or map. */
static struct shape of_value(const struct schema_field *f)
{
	if (f->kind == SCHEMA_REF)
		return shape_of_type(f->ref);
	return (struct shape){.kind = f->kind == SCHEMA_RAW ? SHAPE_OF_UNTYPED : SHAPE_OF_ATOM};
}

static enum shape_kind list_kind(const struct schema_field *f)
{
	bool merges = f->flags & SCHEMA_PATCH_MERGE;
	switch (f->list_type) {
	case SCHEMA_LIST_TYPE_MAP:
		return f->list_keys ? SHAPE_OF_KEYED : SHAPE_OF_ATOM;
	case SCHEMA_LIST_TYPE_SET:
		return f->kind == SCHEMA_REF ? SHAPE_OF_ATOM : SHAPE_OF_SET;
	case SCHEMA_LIST_TYPE_NONE:
		if (merges && f->kind == SCHEMA_REF)
			return f->merge_key ? SHAPE_OF_KEYED : SHAPE_OF_ATOM;
		return merges ? SHAPE_OF_SET : SHAPE_OF_ATOM;
	default:
		return SHAPE_OF_ATOM;
	}
}

struct shape shape_of_field(const struct schema_field *f)
{
	if (f->container == SCHEMA_LIST) {
		enum shape_kind kind = list_kind(f);
		return (struct shape){.kind = kind, .field = kind == SHAPE_OF_ATOM ? NULL : f};
	}
	if (f->flags & SCHEMA_ATOMIC)
		return atom();
	return f->container == SCHEMA_MAP ? (struct shape){.kind = SHAPE_OF_MAP, .field = f} : of_value(f);
}

struct shape shape_of_element(const struct shape *s)
{
	return of_value(s->field);
}

struct shape shape_of_member(const struct shape *s, struct slice name, bool *ret_is_named)
{
	const struct schema_field *f = s->kind == SHAPE_OF_STRUCT ? schema_field_find(s->type, name) : NULL;
	*ret_is_named = f != NULL;
	if (f)
		return shape_of_field(f);
	return s->kind == SHAPE_OF_MAP ? of_value(s->field) : (struct shape){.kind = SHAPE_OF_UNTYPED};
}

/* ---- what names an element ---- */

static void add_name(struct shape_keys *out, const struct schema_type *type, struct slice name)
{
	size_t at = out->count;
	const struct schema_field *f = schema_field_find(type, name);
	if (out->count == SHAPE_KEYS_MAX)
		return;
	for (; at && slice_cmp(out->names[at - 1], name) > 0; at--) {
		out->names[at] = out->names[at - 1];
		out->defaults[at] = out->defaults[at - 1];
	}
	out->names[at] = name;
	out->defaults[at] = f ? f->default_json : NULL;
	out->count++;
}

void shape_keys(const struct shape *list, struct shape_keys *out)
{
	const struct schema_field *f = list->field;
	struct slice rest = slice_of(f->list_type == SCHEMA_LIST_TYPE_MAP ? f->list_keys : f->merge_key);
	*out = (struct shape_keys){.is_set = list->kind == SHAPE_OF_SET};
	while (!out->is_set && rest.ptr)
		add_name(out, f->ref, slice_cut(&rest, ','));
}

static bool is_scalar(const struct json *v)
{
	return v && v->type != JSON_OBJECT && v->type != JSON_ARRAY;
}

static bool write_keys(
        struct strbuf *out, const struct shape_keys *keys, const struct json *element, struct slice *ret_missing)
{
	strbuf_addc(out, '{');
	for (size_t i = 0; i < keys->count; i++) {
		const struct json *v = json_get_slice(element, keys->names[i]);
		if (i)
			strbuf_addc(out, ',');
		json_write_str(out, keys->names[i]);
		strbuf_addc(out, ':');
		if (is_scalar(v) && v->type != JSON_NULL)
			json_write(out, v);
		else if (!v && keys->defaults[i])
			strbuf_adds(out, keys->defaults[i]);
		else {
			*ret_missing = keys->names[i];
			return false;
		}
	}
	strbuf_addc(out, '}');
	return true;
}

/* Almost every key is one plain string: {"name":"web"}. */
static bool is_plain(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] < 0x20 || (unsigned char)s.ptr[i] >= 0x80 || s.ptr[i] == '"' ||
		        s.ptr[i] == '\\')
			return false;
	return true;
}

static struct slice plain_key(struct arena *a, struct slice name, struct slice value)
{
	size_t len = name.len + value.len + sizeof "{\"\":\"\"}" - 1;
	char *text = arena_alloc(a, len), *at = text;
	memcpy(at, "{\"", 2);
	memcpy(at += 2, name.ptr, name.len);
	memcpy(at += name.len, "\":\"", 3);
	memcpy(at += 3, value.ptr, value.len);
	memcpy(at + value.len, "\"}", 2);
	return (struct slice){text, len};
}

bool shape_step(struct arena *a, const struct shape_keys *keys, const struct json *element, char *ret_kind,
        struct slice *ret_name, struct slice *ret_missing)
{
	struct strbuf out = STRBUF_INIT;
	bool ok = keys->is_set ? is_scalar(element) : json_is(element, JSON_OBJECT);
	*ret_kind = keys->is_set ? 'v' : 'k';
	*ret_missing = SLICE_NULL;
	if (ok && !keys->is_set && keys->count == 1) {
		const struct json *v = json_get_slice(element, keys->names[0]);
		if (json_is(v, JSON_STRING) && is_plain(v->text)) {
			*ret_name = plain_key(a, keys->names[0], v->text);
			return true;
		}
	}
	if (ok && keys->is_set)
		json_write(&out, element);
	else
		ok = ok && write_keys(&out, keys, element, ret_missing);
	if (ok)
		*ret_name = (struct slice){arena_memdup(a, out.data, out.len), out.len};
	strbuf_release(&out);
	return ok;
}
