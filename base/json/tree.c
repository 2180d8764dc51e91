/* The tree: lookups, building, changing, comparing. See json.h. */
#include "base/json/json.h"

#include "base/check.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- reading ---- */

struct json *json_get_slice(const struct json *obj, struct slice key)
{
	if (!json_is(obj, JSON_OBJECT))
		return NULL;
	JSON_FOREACH (it, obj)
		if (slice_eq(it->key, key))
			return it;
	return NULL;
}

struct json *json_get(const struct json *obj, const char *key)
{
	return json_get_slice(obj, slice_of(key));
}

struct json *json_path(const struct json *v, ...)
{
	va_list ap;
	va_start(ap, v);
	for (const char *name; v && (name = va_arg(ap, const char *));)
		v = json_get(v, name);
	va_end(ap);
	return (struct json *)v;
}

struct json *json_at(const struct json *array, size_t index)
{
	if (!json_is(array, JSON_ARRAY))
		return NULL;
	JSON_FOREACH (it, array)
		if (index-- == 0)
			return it;
	return NULL;
}

struct slice json_str(const struct json *v)
{
	return json_is(v, JSON_STRING) ? v->text : SLICE_NULL;
}

struct slice json_get_str(const struct json *obj, const char *key)
{
	return json_str(json_get(obj, key));
}

const char *json_cstr(struct arena *a, const struct json *v)
{
	struct slice s = json_str(v);
	return s.len ? arena_memdup(a, s.ptr, s.len) : "";
}

int64_t json_int(const struct json *v, int64_t fallback)
{
	int64_t out;
	if (!json_is(v, JSON_NUMBER))
		return fallback;
	if (slice_to_i64(v->text, &out))
		return out;
	char text[64];
	if (v->text.len >= sizeof text)
		return fallback;
	memcpy(text, v->text.ptr, v->text.len);
	text[v->text.len] = 0;
	double d = strtod(text, NULL);
	return d == floor(d) && fabs(d) < 9.2e18 ? (int64_t)d : fallback;
}

int64_t json_get_int(const struct json *obj, const char *key, int64_t fallback)
{
	return json_int(json_get(obj, key), fallback);
}

bool json_bool(const struct json *v, bool fallback)
{
	return json_is(v, JSON_BOOL) ? v->boolean : fallback;
}

bool json_get_bool(const struct json *obj, const char *key, bool fallback)
{
	return json_bool(json_get(obj, key), fallback);
}

static bool number_equal(struct slice a, struct slice b)
{
	int64_t x, y;
	if (slice_eq(a, b))
		return true;
	if (slice_to_i64(a, &x) && slice_to_i64(b, &y))
		return x == y;
	char ta[64], tb[64];
	if (a.len >= sizeof ta || b.len >= sizeof tb)
		return false;
	snprintf(ta, sizeof ta, "%.*s", SLICE_FMT(a));
	snprintf(tb, sizeof tb, "%.*s", SLICE_FMT(b));
	return strtod(ta, NULL) == strtod(tb, NULL);
}

static bool object_equal(const struct json *a, const struct json *b)
{
	const struct json *guess = b->first; /* members are nearly always in the same order */
	struct json_index index = {.object = (struct json *)b};
	bool equal = true;
	for (const struct json *it = a->first; it && equal; it = it->next) {
		const struct json *other =
		        guess && slice_eq(guess->key, it->key) ? guess : json_index_get(&index, it->key);
		equal = other && json_equal(it, other);
		guess = other ? other->next : NULL;
	}
	json_index_release(&index);
	return equal;
}

bool json_equal(const struct json *a, const struct json *b)
{
	if (!a || !b)
		return a == b;
	if (a->type != b->type || a->count != b->count)
		return false;
	switch (a->type) {
	case JSON_NULL:
		return true;
	case JSON_BOOL:
		return a->boolean == b->boolean;
	case JSON_NUMBER:
		return number_equal(a->text, b->text);
	case JSON_STRING:
		return slice_eq(a->text, b->text);
	case JSON_OBJECT:
		return object_equal(a, b);
	case JSON_ARRAY:
		for (const struct json *x = a->first, *y = b->first; x; x = x->next, y = y->next)
			if (!json_equal(x, y))
				return false;
		return true;
	}
	return false;
}

const char *json_type_name(enum json_type t)
{
	static const char *const names[] = {"null", "bool", "number", "string", "array", "object"};
	return names[t];
}

/* ---- making ---- */

struct json *json_new(struct arena *a, enum json_type type)
{
	struct json *v = ARENA_NEW(a, struct json);
	v->type = type;
	return v;
}

struct json *json_new_str(struct arena *a, struct slice s)
{
	struct json *v = json_new(a, JSON_STRING);
	v->text = (struct slice){arena_memdup(a, s.ptr, s.len), s.len};
	return v;
}

struct json *json_new_cstr(struct arena *a, const char *s)
{
	return json_new_str(a, slice_of(s));
}

struct json *json_new_number(struct arena *a, struct slice text)
{
	struct json *v = json_new_str(a, text);
	v->type = JSON_NUMBER;
	return v;
}

struct json *json_new_int(struct arena *a, int64_t value)
{
	char text[24];
	int n = snprintf(text, sizeof text, "%lld", (long long)value);
	return json_new_number(a, (struct slice){text, (size_t)n});
}

struct json *json_new_bool(struct arena *a, bool value)
{
	struct json *v = json_new(a, JSON_BOOL);
	v->boolean = value;
	return v;
}

struct json *json_copy(struct arena *a, const struct json *v)
{
	struct json *c = ARENA_NEW(a, struct json);
	c->type = v->type;
	c->boolean = v->boolean;
	if (v->text.ptr)
		c->text = (struct slice){arena_memdup(a, v->text.ptr, v->text.len), v->text.len};
	JSON_FOREACH (it, v) {
		struct json *child = json_copy(a, it);
		if (v->type == JSON_OBJECT)
			child->key = (struct slice){arena_memdup(a, it->key.ptr, it->key.len), it->key.len};
		json_append(c, child);
	}
	return c;
}

struct packing {
	struct json *node; /* the next one */
	char *text;        /* the next byte */
	size_t nodes, bytes;
};

static void pack_count(struct packing *p, const struct json *v)
{
	p->nodes++;
	p->bytes += (v->text.ptr ? v->text.len + 1 : 0) + (v->key.ptr ? v->key.len + 1 : 0);
	JSON_FOREACH (it, v)
		pack_count(p, it);
}

static struct slice pack_text(struct packing *p, struct slice from)
{
	char *to = p->text;
	if (!from.ptr)
		return SLICE_NULL;
	memcpy(to, from.ptr, from.len);
	to[from.len] = 0;
	p->text += from.len + 1;
	return (struct slice){to, from.len};
}

static struct json *pack(struct packing *p, const struct json *v)
{
	struct json *c = p->node++;
	*c = (struct json){.type = v->type, .boolean = v->boolean, .text = pack_text(p, v->text)};
	JSON_FOREACH (it, v) {
		struct json *child = pack(p, it);
		child->key = pack_text(p, it->key);
		json_append(c, child);
	}
	return c;
}

struct json *json_copy_packed(struct arena *a, const struct json *v)
{
	struct packing p = {.nodes = 0};
	pack_count(&p, v);
	p.node = arena_alloc(a, p.nodes * sizeof *p.node + p.bytes);
	p.text = (char *)(p.node + p.nodes);
	return pack(&p, v);
}

/* ---- changing ---- */

void json_append(struct json *parent, struct json *value)
{
	DCHECK(value->next == NULL);
	value->prev = parent->last;
	if (parent->last)
		parent->last->next = value;
	else
		parent->first = value;
	parent->last = value;
	parent->count++;
}

void json_remove(struct json *parent, struct json *child)
{
	DCHECK(child->prev ? child->prev->next == child : parent->first == child);
	if (child->prev)
		child->prev->next = child->next;
	else
		parent->first = child->next;
	if (child->next)
		child->next->prev = child->prev;
	else
		parent->last = child->prev;
	parent->count--;
	child->next = child->prev = NULL;
}

void json_insert(struct json *array, size_t index, struct json *value)
{
	CHECK(index <= array->count);
	struct json *after = array->first;
	if (index == array->count) {
		json_append(array, value);
		return;
	}
	while (index-- > 0)
		after = after->next;
	value->next = after;
	value->prev = after->prev;
	if (after->prev)
		after->prev->next = value;
	else
		array->first = value;
	after->prev = value;
	array->count++;
}

static void replace(struct json *parent, struct json *old, struct json *value)
{
	value->next = old->next;
	value->prev = old->prev;
	if (old->prev)
		old->prev->next = value;
	else
		parent->first = value;
	if (old->next)
		old->next->prev = value;
	else
		parent->last = value;
	old->next = old->prev = NULL;
}

struct json *json_set_slice(struct arena *a, struct json *obj, struct slice key, struct json *value)
{
	CHECK(json_is(obj, JSON_OBJECT));
	struct json *old = json_get_slice(obj, key);
	if (old == value)
		return value;
	value->key = old ? old->key : (struct slice){arena_memdup(a, key.ptr, key.len), key.len};
	if (old)
		replace(obj, old, value);
	else
		json_append(obj, value);
	return value;
}

struct json *json_set(struct arena *a, struct json *obj, const char *key, struct json *value)
{
	return json_set_slice(a, obj, slice_of(key), value);
}

void json_set_str(struct arena *a, struct json *obj, const char *key, struct slice s)
{
	json_set(a, obj, key, json_new_str(a, s));
}

void json_set_cstr(struct arena *a, struct json *obj, const char *key, const char *s)
{
	json_set(a, obj, key, json_new_cstr(a, s));
}

void json_set_int(struct arena *a, struct json *obj, const char *key, int64_t v)
{
	json_set(a, obj, key, json_new_int(a, v));
}

void json_set_bool(struct arena *a, struct json *obj, const char *key, bool v)
{
	json_set(a, obj, key, json_new_bool(a, v));
}

struct json *json_need(struct arena *a, struct json *obj, const char *key, enum json_type type)
{
	struct json *v = json_get(obj, key);
	return json_is(v, type) ? v : json_set(a, obj, key, json_new(a, type));
}

bool json_del_slice(struct json *obj, struct slice key)
{
	struct json *v = json_get_slice(obj, key);
	if (v)
		json_remove(obj, v);
	return v != NULL;
}

bool json_del(struct json *obj, const char *key)
{
	return json_del_slice(obj, slice_of(key));
}

/* ---- members of objects that may be large ---- */

enum { INDEXED_FROM = 24 };

void json_index_init(struct json_index *x, struct json *object)
{
	*x = (struct json_index){.object = object};
}

void json_index_release(struct json_index *x)
{
	map_release(&x->map);
}

struct json *json_index_get(struct json_index *x, struct slice key)
{
	if (!json_is(x->object, JSON_OBJECT))
		return NULL;
	if (x->object->count < INDEXED_FROM && !x->map.cap)
		return json_get_slice(x->object, key);
	if (!x->map.cap)
		JSON_FOREACH (it, x->object)
			map_put(&x->map, it->key, it);
	return map_get(&x->map, key);
}

void json_index_set(struct json_index *x, struct slice key, struct json *value)
{
	struct json *old = json_index_get(x, key);
	if (old == value)
		return;
	value->key = key;
	if (old) {
		value->offset = old->offset;
		replace(x->object, old, value);
	} else {
		json_append(x->object, value);
	}
	if (x->map.cap)
		map_put(&x->map, key, value);
}

void json_index_del(struct json_index *x, struct slice key)
{
	struct json *old = json_index_get(x, key);
	if (!old)
		return;
	if (x->map.cap)
		map_del(&x->map, key);
	json_remove(x->object, old);
}
