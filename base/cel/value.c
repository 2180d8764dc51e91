/* Values: made, found in each other, walked, printed.
 *
 * A list or object of JSON stays where it is: a view. JSON's containers are chains, so one that is asked for a member
 * or an element by its place, and is large, gets an index for the time of the run (in its cache). Lists that are joined
 * are not copied but lie one behind the other, no deeper than LIST_DEPTH_MAX. */
#include "base/cel/program_int.h"

#include "base/base64.h"
#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { INDEXED_FROM = 24, LIST_DEPTH_MAX = 64 };

/* ---- work ---- */

bool cel_work(struct cel_run *r, uint64_t parts)
{
	r->work += parts;
	r->cost += r->work / CEL_WORK_PARTS;
	r->work %= CEL_WORK_PARTS;
	if (r->cost > r->cost_max || r->arena->used_bytes > r->bytes_max)
		r->is_over = true;
	return !r->is_over;
}

/* A unit is some 40 steps: as many as a pattern of plain characters has for its length. What is longer than its text
 * says ("(a{100}){100}") costs more. */
bool cel_work_pattern(struct cel_run *r, const struct pattern *p, size_t bytes)
{
	uint64_t steps = (uint64_t)pattern_steps(p) * (bytes + 1);
	return cel_work(r, steps / 40 * CEL_WORK_PARTS);
}

/* ---- making ---- */

struct cel_value cel_of_text(struct slice text)
{
	return (struct cel_value){.kind = CEL_STRING, .text = text};
}

struct cel_value cel_of_bytes(struct slice bytes)
{
	return (struct cel_value){.kind = CEL_BYTES, .text = bytes};
}

struct cel_value cel_of_bool(bool b)
{
	return (struct cel_value){.kind = CEL_BOOL, .boolean = b};
}

struct cel_value cel_of_int(int64_t i)
{
	return (struct cel_value){.kind = CEL_INT, .integer = i};
}

struct cel_value cel_of_double(double d)
{
	return (struct cel_value){.kind = CEL_DOUBLE, .real = d};
}

struct cel_value cel_of_lazy(const struct cel_lazy *lazy)
{
	return (struct cel_value){.kind = CEL_OBJECT, .lazy = lazy};
}

struct cel_value cel_of_opaque(const struct cel_type *type, const struct cel_opaque *p)
{
	return (struct cel_value){.kind = CEL_OPAQUE, .type = type, .opaque = p};
}

struct cel_value cel_null(void)
{
	return (struct cel_value){.kind = CEL_NULL};
}

struct cel_value cel_of_optional(struct arena *a, const struct cel_value *held)
{
	struct cel_value *copy = held ? ARENA_NEW(a, struct cel_value) : NULL;
	if (copy)
		*copy = *held;
	return (struct cel_value){.kind = CEL_OPTIONAL, .held = copy};
}

struct cel_value cel_error(struct arena *a, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return (struct cel_value){.kind = CEL_ERROR, .error = arena_strdup(a, text)};
}

struct cel_value cel_text(struct cel_run *r, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	size_t len = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
	return cel_of_text((struct slice){arena_memdup(r->arena, text, len), len});
}

struct cel_value cel_no_overload(void)
{
	return (struct cel_value){.kind = CEL_ERROR, .error = "no such overload"};
}

const char *cel_error_text(struct cel_value v)
{
	return v.kind == CEL_ERROR ? v.error : "";
}

/* ---- JSON ---- */

static struct cel_value number(struct arena *a, const struct json *tree, enum cel_kind want)
{
	int64_t i;
	double d;
	if (want != CEL_DOUBLE && slice_to_i64(tree->text, &i))
		return cel_of_int(i);
	d = strtod(arena_memdup(a, tree->text.ptr, tree->text.len), NULL);
	if (want == CEL_INT && d >= -9223372036854775808.0 && d < 9223372036854775808.0 && d == (double)(int64_t)d)
		return cel_of_int((int64_t)d);
	return cel_of_double(d);
}

/* A text whose type says what it is. */
static struct cel_value typed_text(struct arena *a, struct slice text, const struct cel_type *type)
{
	struct cel_value v = {.kind = type->kind};
	if (type->kind == CEL_TIMESTAMP) {
		struct slice whole = text;
		if (text.len == 10)
			whole = slice_of(arena_printf(a, "%.*sT00:00:00Z", SLICE_FMT(text)));
		return cel_time_parse(whole, &v.integer, &v.nanos)
		               ? v
		               : cel_error(a, "invalid data, could not parse '%.*s' as a time", SLICE_FMT(text));
	}
	if (type->kind == CEL_DURATION)
		return cel_duration_parse(text, &v.integer)
		               ? v
		               : cel_error(a, "invalid data, could not parse '%.*s' as a duration", SLICE_FMT(text));
	struct slice bytes;
	if (!base64_decode(a, text, &bytes))
		return cel_error(a, "invalid data, could not decode base64");
	return cel_of_bytes(bytes);
}

struct cel_value cel_of_json(struct arena *a, const struct json *tree, const struct cel_type *type)
{
	enum cel_kind want = type ? type->kind : CEL_DYN;
	switch (tree ? tree->type : JSON_NULL) {
	case JSON_NULL:
		return cel_null();
	case JSON_BOOL:
		return cel_of_bool(tree->boolean);
	case JSON_NUMBER:
		return number(a, tree, want);
	case JSON_STRING:
		if (want == CEL_TIMESTAMP || want == CEL_DURATION || want == CEL_BYTES)
			return typed_text(a, tree->text, type);
		return cel_of_text(tree->text);
	case JSON_ARRAY:
		return (struct cel_value){
		        .kind = CEL_LIST, .is_view = true, .type = want == CEL_LIST ? type : NULL, .tree = tree};
	case JSON_OBJECT:
		return (struct cel_value){.kind = want == CEL_OBJECT ? CEL_OBJECT : CEL_MAP,
		        .is_view = true,
		        .type = want == CEL_OBJECT || want == CEL_MAP ? type : NULL,
		        .tree = tree};
	}
	return cel_null();
}

/* ---- what a run remembers ---- */

static void release_map(void *arg)
{
	map_release(arg);
}

static struct slice cache_key(struct cel_run *r, char what, struct slice key)
{
	char *text = arena_alloc(r->arena, key.len + 1);
	text[0] = what;
	if (key.len)
		memcpy(text + 1, key.ptr, key.len);
	return (struct slice){text, key.len + 1};
}

void *cel_run_cache_get(struct cel_run *r, char what, struct slice key)
{
	return r->cache ? map_get(r->cache, cache_key(r, what, key)) : NULL;
}

void cel_run_cache_put(struct cel_run *r, char what, struct slice key, void *value)
{
	if (!r->cache) {
		r->cache = ARENA_NEW(r->arena, struct map);
		arena_on_release(r->arena, release_map, r->cache);
	}
	map_put(r->cache, cache_key(r, what, key), value);
}

const struct pattern *cel_run_pattern(struct cel_run *r, struct slice text, struct cel_value *ret_error)
{
	struct err err = ERR_INIT;
	const struct pattern *p = cel_run_cache_get(r, 'p', text);
	if (p)
		return p;
	p = pattern_compile(r->arena, text, &err);
	if (p)
		cel_run_cache_put(r, 'p', text, (void *)p);
	else
		*ret_error = cel_error(r->arena, "%s", err.msg);
	return p;
}

static void release_index(void *arg)
{
	json_index_release(arg);
}

static const struct json *json_member(struct cel_run *r, const struct json *object, struct slice name)
{
	if (object->count < INDEXED_FROM)
		return json_get_slice(object, name);
	struct slice key = {(const char *)&object, sizeof object};
	struct json_index *x = cel_run_cache_get(r, 'o', key);
	if (!x) {
		x = ARENA_NEW(r->arena, struct json_index);
		json_index_init(x, (struct json *)object);
		arena_on_release(r->arena, release_index, x);
		cel_run_cache_put(r, 'o', key, x);
	}
	return json_index_get(x, name);
}

static const struct json *json_element(struct cel_run *r, const struct json *array, size_t i)
{
	if (array->count < INDEXED_FROM)
		return json_at(array, i);
	struct slice key = {(const char *)&array, sizeof array};
	const struct json **all = cel_run_cache_get(r, 'a', key);
	if (!all) {
		size_t n = 0;
		all = ARENA_ARRAY(r->arena, const struct json *, array->count);
		JSON_FOREACH (it, array)
			all[n++] = it;
		cel_run_cache_put(r, 'a', key, all);
	}
	return all[i];
}

/* ---- lists ---- */

static const struct cel_type *elem_of(const struct cel_type *t)
{
	return t ? t->elem : NULL;
}

size_t cel_list_count(struct cel_value list)
{
	return list.is_view ? list.tree->count : list.list->count;
}

struct cel_value cel_list_at(struct cel_run *r, struct cel_value list, uint64_t i)
{
	while (!list.is_view && list.list->left) {
		size_t left = cel_list_count(*list.list->left);
		bool is_left = i < left;
		i -= is_left ? 0 : left;
		list = is_left ? *list.list->left : *list.list->right;
	}
	if (list.is_view)
		return cel_of_json(r->arena, json_element(r, list.tree, i), elem_of(list.type));
	return list.list->items[i];
}

struct cel_value cel_list_concat(struct cel_run *r, struct cel_value a, struct cel_value b)
{
	unsigned left = a.is_view ? 0 : a.list->depth, right = b.is_view ? 0 : b.list->depth;
	struct cel_list *l = ARENA_NEW(r->arena, struct cel_list);
	struct cel_value *both = ARENA_ARRAY(r->arena, struct cel_value, 2);
	if (!cel_list_count(a) || !cel_list_count(b))
		return cel_list_count(a) ? a : b;
	both[0] = a;
	both[1] = b;
	l->depth = (left > right ? left : right) + 1;
	if (l->depth > LIST_DEPTH_MAX || __builtin_add_overflow(cel_list_count(a), cel_list_count(b), &l->count))
		return cel_error(r->arena, "a list is joined of too many");
	l->left = &both[0];
	l->right = &both[1];
	return (struct cel_value){.kind = CEL_LIST, .list = l};
}

void cel_list_add(struct cel_run *r, struct cel_list_maker *m, struct cel_value v)
{
	if (r->arena->used_bytes > r->bytes_max) {
		r->is_over = true; /* nobody will see the list */
		return;
	}
	if (m->count == m->cap) {
		struct cel_value *more = arena_alloc(r->arena, (m->cap * 2 + 8) * sizeof *more);
		if (m->count)
			memcpy(more, m->items, m->count * sizeof *more);
		m->items = more;
		m->cap = m->cap * 2 + 8;
	}
	m->items[m->count++] = v;
}

struct cel_value cel_list_value(struct cel_run *r, const struct cel_list_maker *m)
{
	struct cel_list *l = ARENA_NEW(r->arena, struct cel_list);
	l->items = m->items;
	l->count = m->count;
	return (struct cel_value){.kind = CEL_LIST, .list = l};
}

/* ---- maps ---- */

void cel_map_add(struct cel_run *r, struct cel_map_maker *m, struct cel_value key, struct cel_value v)
{
	cel_list_add(r, &m->keys, key);
	cel_list_add(r, &m->values, v);
}

struct cel_value cel_map_value(struct cel_run *r, const struct cel_map_maker *m)
{
	struct cel_map *out = ARENA_NEW(r->arena, struct cel_map);
	*out = (struct cel_map){.count = m->keys.count, .keys = m->keys.items, .values = m->values.items};
	return (struct cel_value){.kind = CEL_MAP, .map = out};
}

/* A name for a key: equal keys have equal names. False: it can be no key. */
static bool key_name(struct cel_value key, char out[32], struct slice *ret)
{
	int n;
	switch (key.kind) {
	case CEL_STRING:
		*ret = key.text;
		return true;
	case CEL_BOOL:
		n = snprintf(out, 32, "\1%d", key.boolean);
		break;
	case CEL_INT:
		n = snprintf(out, 32, "\2%lld", (long long)key.integer);
		break;
	case CEL_UINT:
		n = snprintf(out, 32, "\2%llu", (unsigned long long)key.natural);
		break;
	case CEL_DOUBLE:
		if (!(key.real >= -9223372036854775808.0 && key.real < 9223372036854775808.0) ||
		        key.real != (double)(int64_t)key.real)
			return false;
		n = snprintf(out, 32, "\2%lld", (long long)key.real);
		break;
	default:
		return false;
	}
	*ret = (struct slice){out, (size_t)n};
	return true;
}

static struct cel_value find_in_map(struct cel_run *r, const struct cel_map *m, struct cel_value key)
{
	char room[32];
	struct slice name, where = {(const char *)&m, sizeof m};
	if (!key_name(key, room, &name))
		return (struct cel_value){.kind = CEL_DYN};
	if (m->count < INDEXED_FROM) {
		for (size_t i = 0; i < m->count; i++)
			if (cel_equal(r, m->keys[i], key))
				return m->values[i];
		return (struct cel_value){.kind = CEL_DYN};
	}
	struct map *x = cel_run_cache_get(r, 'm', where);
	if (!x) {
		x = ARENA_NEW(r->arena, struct map);
		arena_on_release(r->arena, release_map, x);
		for (size_t i = 0; i < m->count; i++) {
			char key_room[32];
			struct slice k;
			if (key_name(m->keys[i], key_room, &k))
				map_put(x, (struct slice){arena_memdup(r->arena, k.ptr, k.len), k.len},
				        (void *)&m->values[i]);
		}
		cel_run_cache_put(r, 'm', where, x);
	}
	const struct cel_value *v = map_get(x, name);
	return v ? *v : (struct cel_value){.kind = CEL_DYN};
}

struct cel_value cel_member_find(
        struct cel_run *r, struct cel_value v, struct slice name, const struct cel_field *field)
{
	struct cel_value none = {.kind = CEL_DYN};
	if (!v.is_view)
		return v.kind == CEL_OBJECT ? v.lazy->member(v.lazy->arg, r, name)
		                            : find_in_map(r, v.map, cel_of_text(name));
	const struct cel_type *type = elem_of(v.type);
	if (v.kind == CEL_OBJECT && v.type) {
		if (!field)
			field = cel_type_field(v.type, name);
		if (!field)
			return none;
		name = field->member;
		type = field->type;
	}
	const struct json *it = json_member(r, v.tree, name);
	return it ? cel_of_json(r->arena, it, type) : none;
}

struct cel_value cel_map_find(struct cel_run *r, struct cel_value map, struct cel_value key)
{
	if (map.is_view || map.kind == CEL_OBJECT)
		return key.kind == CEL_STRING ? cel_member_find(r, map, key.text, NULL)
		                              : (struct cel_value){.kind = CEL_DYN};
	return find_in_map(r, map.map, key);
}

/* ---- walking ---- */

void cel_walk_start(struct cel_walk *w, struct cel_value of)
{
	*w = (struct cel_walk){.of = of};
	if (of.is_view)
		w->next = of.tree->first;
}

static bool walk_view(struct cel_run *r, struct cel_walk *w)
{
	const struct cel_type *type = elem_of(w->of.type);
	const struct cel_field *field = NULL;
	bool is_object = w->of.kind == CEL_OBJECT && w->of.type;
	/* of an object only what is declared is there */
	while (is_object && w->next) {
		struct slice name = cel_escape(r->arena, w->next->key);
		field = name.ptr ? cel_type_field(w->of.type, name) : NULL;
		field = field ? field : cel_type_field(w->of.type, w->next->key);
		if (field)
			break;
		w->next = w->next->next;
	}
	if (!w->next)
		return false;
	w->value = cel_of_json(r->arena, w->next, field ? field->type : type);
	w->key = w->of.kind == CEL_LIST ? cel_of_int((int64_t)w->at) : cel_of_text(field ? field->name : w->next->key);
	w->next = w->next->next;
	w->at++;
	return true;
}

bool cel_walk_next(struct cel_run *r, struct cel_walk *w)
{
	if (w->of.is_view)
		return walk_view(r, w);
	if (w->of.kind == CEL_LIST) {
		if (w->at >= w->of.list->count)
			return false;
		w->key = cel_of_int((int64_t)w->at);
		w->value = cel_list_at(r, w->of, w->at++);
		return true;
	}
	if (w->of.kind != CEL_MAP || w->at >= w->of.map->count)
		return false;
	w->key = w->of.map->keys[w->at];
	w->value = w->of.map->values[w->at++];
	return true;
}

/* ---- names of properties ---- */

static bool is_reserved(struct slice name)
{
	static const char *const words[] = {"true", "false", "null", "in", "as", "break", "const", "continue", "else",
	        "for", "function", "if", "import", "let", "loop", "package", "namespace", "return", "var", "void",
	        "while"};
	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (slice_is(name, words[i]))
			return true;
	return false;
}

struct slice cel_escape(struct arena *a, struct slice name)
{
	struct strbuf b = STRBUF_INIT;
	bool good = name.len > 0 && !(name.ptr[0] >= '0' && name.ptr[0] <= '9'), changed = is_reserved(name);
	if (changed)
		return slice_of(arena_printf(a, "__%.*s__", SLICE_FMT(name)));
	for (size_t i = 0; i < name.len && good; i++) {
		char c = name.ptr[i];
		const char *word = c == '.' ? "__dot__" : c == '-' ? "__dash__" : c == '/' ? "__slash__" : NULL;
		if (c == '_' && i + 1 < name.len && name.ptr[i + 1] == '_') {
			word = "__underscores__";
			i++;
		}
		good = word || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		changed = changed || word;
		if (word)
			strbuf_adds(&b, word);
		else
			strbuf_addc(&b, c);
	}
	struct slice out = !good ? SLICE_NULL : !changed ? name : (struct slice){arena_memdup(a, b.data, b.len), b.len};
	strbuf_release(&b);
	return out;
}
