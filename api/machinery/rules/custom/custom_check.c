/* Values against a compiled schema, in the words of upstream (kube-openapi's validator, as ValidateCustomResource turns
 * its errors into causes).
 *
 * One walk. The place is a chain of steps on the stack, and becomes text only when there is something to say. A part
 * that is equal to what it was before is passed over (ratcheting): members correspond by name, elements of keyed lists
 * by their keys, of other lists not at all. What can go wrong: a value without end is bounded by the parser, errors by
 * FIELD_ERRORS_MAX; choices (anyOf, oneOf, not) are tried on a scratch list of errors. */
#include "api/machinery/rules/custom/custom_program_int.h"

#include "base/check.h"
#include "base/mem/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct check {
	struct field_errors *errors;
	const char *base;
};

static void check_value(struct check *c, const struct custom_place *at, const struct custom_node *n,
        const struct json *v, const struct json *old, bool is_whole);

/* ---- words ---- */

static void put_place(struct strbuf *out, const struct custom_place *at)
{
	if (!at)
		return;
	put_place(out, at->parent);
	if (at->is_element)
		strbuf_addf(out, "[%zu]", at->index);
	else if (at->is_key)
		strbuf_addf(out, "[%.*s]", SLICE_FMT(at->name));
	else
		strbuf_addf(out, "%s%.*s", out->len ? "." : "", SLICE_FMT(at->name));
}

const char *custom_place_text(struct arena *a, const char *base, const struct custom_place *at)
{
	struct strbuf b = STRBUF_INIT;
	strbuf_adds(&b, base);
	put_place(&b, at);
	const char *text = arena_strdup(a, b.len ? strbuf_cstr(&b) : "<nil>");
	strbuf_release(&b);
	return text;
}

static const char *path_of(const struct check *c, const struct custom_place *at)
{
	return custom_place_text(c->errors->arena, c->base, at);
}

static const char *value_text(const struct check *c, const struct json *v)
{
	struct strbuf b = STRBUF_INIT;
	json_write(&b, v);
	if (b.len > 400) { /* as much as tells which it is */
		b.len = 400;
		strbuf_adds(&b, "...");
	}
	const char *text = arena_strdup(c->errors->arena, strbuf_cstr(&b));
	strbuf_release(&b);
	return text;
}

/* "spec.replicas: Invalid value: 12: spec.replicas in body should be ..." */
__attribute__((format(printf, 4, 5))) static void invalid(
        struct check *c, const struct custom_place *at, const struct json *v, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	const char *path = path_of(c, at);
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	field_error_add(c->errors, "FieldValueInvalid", path, "Invalid value: %s: %s in body %s",
	        v ? value_text(c, v) : "\"\"", path, text);
}

/* The count stands for the value. */
static void too_few(struct check *c, const struct custom_place *at, int64_t have, int64_t least, const char *of_what)
{
	const struct json count = {
	        .type = JSON_NUMBER, .text = slice_of(arena_printf(c->errors->arena, "%" PRId64, have))};
	invalid(c, at, &count, "should have at least %" PRId64 " %s", least, of_what);
}

static void too_many(struct check *c, const struct custom_place *at, int64_t have, int64_t most)
{
	field_error_add(c->errors, "FieldValueTooMany", path_of(c, at),
	        "Too many: %" PRId64 ": must have at most %" PRId64 " items", have, most);
}

static const char *json_word(const struct json *v)
{
	if (v->type == JSON_NUMBER)
		return memchr(v->text.ptr, '.', v->text.len) || memchr(v->text.ptr, 'e', v->text.len) ||
		                       memchr(v->text.ptr, 'E', v->text.len)
		               ? "number"
		               : "integer";
	return v->type == JSON_BOOL ? "boolean" : json_type_name(v->type);
}

static void wrong_type(struct check *c, const struct custom_place *at, const char *want, const char *got)
{
	const char *path = path_of(c, at);
	field_error_add(c->errors, "FieldValueTypeInvalid", path,
	        "Invalid value: \"%s\": %s in body must be of type %s: \"%s\"", got, path, want, got);
}

/* ---- types ---- */

static bool is_integer(const struct json *v)
{
	double d = strtod(v->text.ptr ? v->text.ptr : "0", NULL);
	return isfinite(d) && d == floor(d);
}

static bool fits_type(const struct custom_node *n, const struct json *v)
{
	switch (v->type) {
	case JSON_NULL:
		return (n->flags & CUSTOM_NULLABLE) || !n->type;
	case JSON_OBJECT:
		return n->type == CUSTOM_OBJECT;
	case JSON_ARRAY:
		return n->type == CUSTOM_ARRAY;
	case JSON_STRING:
		return n->type == CUSTOM_STRING;
	case JSON_BOOL:
		return n->type == CUSTOM_BOOLEAN;
	case JSON_NUMBER:
		return n->type == CUSTOM_NUMBER || (n->type == CUSTOM_INTEGER && is_integer(v));
	}
	return false;
}

/* False: nothing else of it need be looked at. */
static bool check_type(
        struct check *c, const struct custom_place *at, const struct custom_node *n, const struct json *v)
{
	if (n->flags & CUSTOM_INT_OR_STRING) {
		if (v->type == JSON_STRING || (v->type == JSON_NUMBER && is_integer(v)) ||
		        (v->type == JSON_NULL && n->flags & CUSTOM_NULLABLE))
			return true;
		wrong_type(c, at, "integer,string", json_word(v));
		return false;
	}
	if (!n->type || fits_type(n, v))
		return true;
	wrong_type(c, at, custom_type_name(n->type), json_word(v));
	return false;
}

/* ---- scalars ---- */

static int64_t count_characters(struct slice s)
{
	int64_t n = 0;
	for (size_t i = 0; i < s.len; n++) {
		size_t len = utf8_len((const unsigned char *)s.ptr + i, s.len - i);
		i += len ? len : 1;
	}
	return n;
}

static void check_string(
        struct check *c, const struct custom_place *at, const struct custom_node *n, const struct json *v)
{
	const struct custom_sizes *b = n->sizes;
	int64_t length = b && (b->length_max >= 0 || b->length_min >= 0) ? count_characters(v->text) : 0;
	if (n->format && !n->format->fits(v->text))
		invalid(c, at, v, "must be of type %s: %s", n->format->name, value_text(c, v));
	if (n->pattern && !pattern_matches(n->pattern->pattern, v->text))
		invalid(c, at, v, "should match '%s'", n->pattern->text);
	if (!b)
		return;
	if (b->length_max >= 0 && length > b->length_max)
		field_error_add(c->errors, "FieldValueTooLong", path_of(c, at),
		        "Too long: may not be more than %" PRId64 " bytes", b->length_max);
	if (length < b->length_min)
		invalid(c, at, v, "should be at least %" PRId64 " chars long", b->length_min);
}

static void check_number(
        struct check *c, const struct custom_place *at, const struct custom_node *n, const struct json *v)
{
	const struct custom_range *b = n->range;
	if (!b)
		return;
	double d = strtod(v->text.ptr, NULL);
	bool open_max = n->flags & CUSTOM_EXCLUSIVE_MAX, open_min = n->flags & CUSTOM_EXCLUSIVE_MIN;
	if (b->max_text && (d > b->max || (open_max && d == b->max)))
		invalid(c, at, v, "should be less than %s%s", open_max ? "" : "or equal to ", b->max_text);
	if (b->min_text && (d < b->min || (open_min && d == b->min)))
		invalid(c, at, v, "should be greater than %s%s", open_min ? "" : "or equal to ", b->min_text);
	if (b->multiple_of != 0) {
		double q = d / b->multiple_of;
		if (fabs(q - round(q)) > 1e-9 * fmax(1, fabs(q)))
			invalid(c, at, v, "should be a multiple of %s", b->multiple_text);
	}
}

static void check_choices(
        struct check *c, const struct custom_place *at, const struct custom_node *n, const struct json *v)
{
	struct strbuf words = STRBUF_INIT;
	if (v->type == JSON_NULL && n->flags & CUSTOM_NULLABLE)
		return;
	JSON_FOREACH (it, n->choices) {
		if (json_equal(it, v)) {
			strbuf_release(&words);
			return;
		}
		strbuf_adds(&words, words.len ? ", " : "");
		if (it->type == JSON_STRING)
			json_write(&words, it);
		else
			strbuf_addf(&words, "\"%s\"", value_text(c, it));
	}
	field_error_add(c->errors, "FieldValueNotSupported", path_of(c, at),
	        "Unsupported value: %s: supported values: %s", value_text(c, v), strbuf_cstr(&words));
	strbuf_release(&words);
}

/* ---- lists ---- */

/* What names an element of a keyed list; the keys' defaults count. */
static void write_keys(struct strbuf *out, const struct custom_node *list, const struct json *element)
{
	strbuf_addc(out, '{');
	for (size_t i = 0; i < list->key_count; i++) {
		const struct json *v = json_get_slice(element, list->keys[i]);
		const struct custom_node *m = list->items ? custom_node_member(list->items, list->keys[i]) : NULL;
		if (!v && m)
			v = m->fallback;
		strbuf_adds(out, i ? "," : "");
		json_write_str(out, list->keys[i]);
		strbuf_addc(out, ':');
		if (v)
			json_write(out, v);
		else
			strbuf_adds(out, "null");
	}
	strbuf_addc(out, '}');
}

void custom_element_name(struct strbuf *out, const struct custom_node *list, const struct json *element)
{
	strbuf_reset(out);
	if (list->flags & CUSTOM_KEYED)
		write_keys(out, list, element);
	else
		json_write(out, element);
}

/* The elements of a list by what names them: for duplicates, and to find what they were before. */
static void index_list(struct check *c, struct map *names, const struct custom_node *list, const struct json *v)
{
	struct strbuf name = STRBUF_INIT;
	JSON_FOREACH (it, v) {
		custom_element_name(&name, list, it);
		struct slice key = {arena_memdup(c->errors->arena, name.data, name.len), name.len};
		if (!map_get(names, key))
			map_put(names, key, it);
	}
	strbuf_release(&name);
}

static void check_duplicates(
        struct check *c, const struct custom_place *at, const struct custom_node *n, const struct json *v)
{
	struct strbuf name = STRBUF_INIT;
	struct map seen = MAP_INIT;
	size_t i = 0;
	JSON_FOREACH (it, v) {
		struct custom_place here = {.parent = at, .index = i++, .is_element = true};
		custom_element_name(&name, n, it);
		struct slice key = {arena_memdup(c->errors->arena, name.data, name.len), name.len};
		if (map_put(&seen, key, (void *)n))
			field_error_add(c->errors, "FieldValueDuplicate", path_of(c, &here), "Duplicate value: %.*s",
			        (int)(key.len < 400 ? key.len : 400), key.ptr);
	}
	map_release(&seen);
	strbuf_release(&name);
}

static bool has_duplicates(const struct json *v)
{
	struct arena a = ARENA_INIT;
	struct map seen = MAP_INIT;
	struct strbuf name = STRBUF_INIT;
	bool found = false;
	JSON_FOREACH (it, v) {
		strbuf_reset(&name);
		json_write(&name, it);
		struct slice key = {arena_memdup(&a, name.data, name.len), name.len};
		found = found || map_put(&seen, key, it) != NULL;
	}
	strbuf_release(&name);
	map_release(&seen);
	arena_release(&a);
	return found;
}

static void check_elements(struct check *c, const struct custom_place *at, const struct custom_node *n,
        const struct json *v, const struct json *old)
{
	struct strbuf name = STRBUF_INIT;
	struct map before = MAP_INIT;
	size_t i = 0;
	bool finds = n->flags & CUSTOM_KEYED && json_is(old, JSON_ARRAY);
	if (finds)
		index_list(c, &before, n, old);
	JSON_FOREACH (it, v) {
		struct custom_place here = {.parent = at, .index = i++, .is_element = true};
		if (finds)
			custom_element_name(&name, n, it);
		check_value(c, &here, n->items, it, finds ? map_get(&before, strbuf_slice(&name)) : NULL, false);
	}
	map_release(&before);
	strbuf_release(&name);
}

static void check_array(struct check *c, const struct custom_place *at, const struct custom_node *n,
        const struct json *v, const struct json *old)
{
	const struct custom_sizes *b = n->sizes;
	if (b && b->items_max >= 0 && (int64_t)v->count > b->items_max)
		too_many(c, at, v->count, b->items_max);
	if (b && (int64_t)v->count < b->items_min)
		too_few(c, at, v->count, b->items_min, "items");
	if (n->flags & CUSTOM_UNIQUE && has_duplicates(v))
		invalid(c, at, v, "shouldn't contain duplicates");
	if (n->flags & (CUSTOM_SET | CUSTOM_KEYED))
		check_duplicates(c, at, n, v);
	if (n->items)
		check_elements(c, at, n, v, old);
}

/* ---- objects ---- */

static bool is_head(struct slice key)
{
	return slice_is(key, "apiVersion") || slice_is(key, "kind") || slice_is(key, "metadata");
}

static void check_embedded(struct check *c, const struct custom_place *at, const struct json *v)
{
	static const char *const needed[] = {"apiVersion", "kind"};
	for (size_t i = 0; i < 2; i++) {
		struct custom_place here = {.parent = at, .name = slice_of(needed[i])};
		if (!json_get_str(v, needed[i]).len)
			field_error_add(c->errors, "FieldValueRequired", path_of(c, &here),
			        "Required value: must not be empty");
	}
}

static void check_members(struct check *c, const struct custom_place *at, const struct custom_node *n,
        const struct json *v, const struct json *old, bool is_whole)
{
	struct json_index before;
	json_index_init(&before, (struct json *)old);
	JSON_FOREACH (it, v) {
		const struct custom_node *m = custom_node_member(n, it->key);
		struct custom_place here = {.parent = at, .name = it->key};
		if ((is_whole || n->flags & CUSTOM_EMBEDDED) && is_head(it->key))
			continue;
		if (m || n->values)
			check_value(c, &here, m ? m : n->values, it, json_index_get(&before, it->key), false);
		else if (n->flags & CUSTOM_CLOSED)
			field_error_add(c->errors, "FieldValueForbidden", path_of(c, &here),
			        "Forbidden: a member of this name is not allowed here");
	}
	json_index_release(&before);
}

static void check_object(struct check *c, const struct custom_place *at, const struct custom_node *n,
        const struct json *v, const struct json *old, bool is_whole)
{
	const struct custom_sizes *b = n->sizes;
	struct json_index members;
	json_index_init(&members, (struct json *)v);
	for (size_t i = 0; i < n->required_count; i++) {
		struct custom_place here = {.parent = at, .name = n->required[i]};
		if (!json_index_get(&members, n->required[i]))
			field_error_add(c->errors, "FieldValueRequired", path_of(c, &here), "Required value");
	}
	json_index_release(&members);
	if (b && b->members_max >= 0 && (int64_t)v->count > b->members_max)
		too_many(c, at, v->count, b->members_max);
	if (b && (int64_t)v->count < b->members_min)
		too_few(c, at, v->count, b->members_min, "properties");
	if (n->flags & CUSTOM_EMBEDDED)
		check_embedded(c, at, v);
	check_members(c, at, n, v, old, is_whole);
}

/* ---- choices between schemas ---- */

/* What is wrong with a value by itself, on a list of its own; the words lie in the same arena. */
static struct field_errors *try_schema(struct check *c, const struct custom_place *at, const struct custom_node *n,
        const struct json *v, bool is_whole)
{
	struct field_errors *found = ARENA_NEW(c->errors->arena, struct field_errors);
	struct check mine = {.errors = found, .base = c->base};
	field_errors_init(found, c->errors->arena);
	check_value(&mine, at, n, v, NULL, is_whole);
	return found;
}

static void add_all(struct check *c, const struct field_errors *from)
{
	for (size_t i = 0; from && i < from->count; i++)
		field_error_add(c->errors, from->items[i].reason, from->items[i].field, "%s", from->items[i].message);
}

/* How many of them fit, and what is wrong by the one that is the nearest. */
static size_t count_fitting(struct check *c, const struct custom_place *at, const struct custom_list *list,
        const struct json *v, bool is_whole, struct field_errors **ret_nearest)
{
	size_t fitting = 0;
	*ret_nearest = NULL;
	for (size_t i = 0; i < list->count; i++) {
		struct field_errors *e = try_schema(c, at, list->nodes[i], v, is_whole);
		fitting += e->count == 0;
		if (!*ret_nearest || e->count < (*ret_nearest)->count)
			*ret_nearest = e;
	}
	return fitting;
}

static void unfit(struct check *c, const struct custom_place *at, const char *words)
{
	const char *path = path_of(c, at);
	field_error_add(c->errors, "FieldValueInvalid", path, "Invalid value: \"\": \"%s\" must %s",
	        strcmp(path, "<nil>") == 0 ? "" : path, words);
}

static void check_combinations(struct check *c, const struct custom_place *at, const struct custom_node *n,
        const struct json *v, bool is_whole)
{
	const struct custom_combinations *x = n->combinations;
	struct field_errors *nearest;
	for (size_t i = 0; x && i < x->all_of.count; i++) {
		struct field_errors *e = try_schema(c, at, x->all_of.nodes[i], v, is_whole);
		add_all(c, e);
		if (e->count)
			unfit(c, at, "validate all the schemas (allOf)");
	}
	if (x && x->any_of.count && !count_fitting(c, at, &x->any_of, v, is_whole, &nearest)) {
		unfit(c, at, "validate at least one schema (anyOf)");
		add_all(c, nearest);
	}
	if (x && x->one_of.count) {
		size_t fitting = count_fitting(c, at, &x->one_of, v, is_whole, &nearest);
		if (fitting == 0) {
			unfit(c, at, "validate one and only one schema (oneOf). Found none valid");
			add_all(c, nearest);
		} else if (fitting > 1) {
			unfit(c, at,
			        arena_printf(c->errors->arena,
			                "validate one and only one schema (oneOf). Found %zu valid alternatives",
			                fitting));
		}
	}
	if (x && x->unlike && try_schema(c, at, x->unlike, v, is_whole)->count == 0)
		unfit(c, at, "not validate the schema (not)");
}

/* ---- values ---- */

static void check_value(struct check *c, const struct custom_place *at, const struct custom_node *n,
        const struct json *v, const struct json *old, bool is_whole)
{
	if (old && json_equal(v, old))
		return;
	if (!check_type(c, at, n, v) || (v->type == JSON_NULL && n->flags & CUSTOM_NULLABLE))
		return;
	if (n->choices)
		check_choices(c, at, n, v);
	if (v->type == JSON_STRING)
		check_string(c, at, n, v);
	else if (v->type == JSON_NUMBER)
		check_number(c, at, n, v);
	else if (v->type == JSON_ARRAY)
		check_array(c, at, n, v, old);
	else if (v->type == JSON_OBJECT)
		check_object(c, at, n, v, old, is_whole);
	check_combinations(c, at, n, v, is_whole);
}

void custom_program_check(struct field_errors *e, const struct custom_program *p, const struct json *value,
        const struct json *old, const char *path, bool is_whole)
{
	struct check c = {.errors = e, .base = path};
	check_value(&c, NULL, p->root, value, old, is_whole);
}

int custom_schema_check_value(
        struct field_errors *e, const struct json *schema, const struct json *value, const char *path, struct err *err)
{
	const struct custom_program *p = custom_program_of_part(e->arena, schema, false, err);
	if (!p)
		return ERR_INVAL;
	custom_program_check(e, p, value, NULL, path, false);
	return 0;
}
