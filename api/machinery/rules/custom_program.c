/* Compiling a schema, and filling in its defaults. See custom_program.h. */
#include "api/machinery/rules/custom_program_int.h"

#include "base/check.h"

#include <stdlib.h>

struct compiler {
	struct arena *arena;
	struct err *err;
	int depth;
};

static const struct custom_node *compile(struct compiler *c, const struct json *schema);

/* ---- compiling ---- */

static bool is_true(const struct json *schema, const char *key)
{
	return json_get_bool(schema, key, false);
}

static unsigned type_of(struct slice name)
{
	static const char *const names[] = {"object", "array", "string", "integer", "number", "boolean"};
	for (unsigned i = 0; i < COUNT_OF(names); i++)
		if (slice_is(name, names[i]))
			return 1u << i;
	return CUSTOM_ANY_TYPE;
}

static unsigned flags_of(const struct json *schema)
{
	struct slice list = json_get_str(schema, "x-kubernetes-list-type");
	unsigned f = 0;
	f |= is_true(schema, "nullable") ? CUSTOM_NULLABLE : 0;
	f |= is_true(schema, "x-kubernetes-int-or-string") ? CUSTOM_INT_OR_STRING : 0;
	f |= is_true(schema, "x-kubernetes-embedded-resource") ? CUSTOM_EMBEDDED : 0;
	f |= is_true(schema, "exclusiveMaximum") ? CUSTOM_EXCLUSIVE_MAX : 0;
	f |= is_true(schema, "exclusiveMinimum") ? CUSTOM_EXCLUSIVE_MIN : 0;
	f |= is_true(schema, "uniqueItems") ? CUSTOM_UNIQUE : 0;
	f |= slice_is(list, "set") ? CUSTOM_SET : slice_is(list, "map") ? CUSTOM_KEYED : 0;
	return f;
}

static const struct json *keep(struct compiler *c, const struct json *v)
{
	struct json *copy = v ? json_copy(c->arena, v) : NULL;
	if (copy)
		copy->key = SLICE_NULL;
	return copy;
}

static const char *number_text(struct compiler *c, const struct json *v)
{
	return arena_memdup(c->arena, v->text.ptr, v->text.len);
}

static void set_bounds(struct compiler *c, struct custom_node *n, const struct json *schema)
{
	const struct json *max = json_get(schema, "maximum"), *min = json_get(schema, "minimum"),
	                  *multiple = json_get(schema, "multipleOf");
	if (json_is(max, JSON_NUMBER)) {
		n->flags |= CUSTOM_HAS_MAX;
		n->max_text = number_text(c, max);
		n->max = strtod(n->max_text, NULL);
	}
	if (json_is(min, JSON_NUMBER)) {
		n->flags |= CUSTOM_HAS_MIN;
		n->min_text = number_text(c, min);
		n->min = strtod(n->min_text, NULL);
	}
	if (json_is(multiple, JSON_NUMBER)) {
		n->multiple_text = number_text(c, multiple);
		n->multiple_of = strtod(n->multiple_text, NULL);
	}
	n->length_max = json_get_int(schema, "maxLength", -1);
	n->length_min = json_get_int(schema, "minLength", -1);
	n->items_max = json_get_int(schema, "maxItems", -1);
	n->items_min = json_get_int(schema, "minItems", -1);
	n->members_max = json_get_int(schema, "maxProperties", -1);
	n->members_min = json_get_int(schema, "minProperties", -1);
}

static bool set_pattern(struct compiler *c, struct custom_node *n, const struct json *schema)
{
	struct slice pattern = json_get_str(schema, "pattern");
	if (!pattern.len)
		return true;
	n->pattern_text = arena_memdup(c->arena, pattern.ptr, pattern.len);
	n->pattern = pattern_compile(c->arena, pattern, c->err);
	return n->pattern != NULL;
}

static struct slice *words(struct compiler *c, const struct json *list, size_t *ret_count)
{
	size_t n = 0, max = json_is(list, JSON_ARRAY) ? list->count : 0;
	struct slice *out = ARENA_ARRAY(c->arena, struct slice, max + 1);
	if (max)
		JSON_FOREACH (it, list)
			out[n++] = (struct slice){
			        arena_memdup(c->arena, json_str(it).ptr ? json_str(it).ptr : "", json_str(it).len),
			        json_str(it).len};
	*ret_count = n;
	return out;
}

static int by_name(const void *a, const void *b)
{
	const struct custom_member *x = a, *y = b;
	return slice_cmp(x->name, y->name);
}

static bool set_members(struct compiler *c, struct custom_node *n, const struct json *properties)
{
	if (!json_is(properties, JSON_OBJECT))
		return true;
	n->members = ARENA_ARRAY(c->arena, struct custom_member, properties->count + 1);
	JSON_FOREACH (it, properties) {
		struct custom_member *m = &n->members[n->member_count++];
		m->name = (struct slice){arena_memdup(c->arena, it->key.ptr, it->key.len), it->key.len};
		m->node = compile(c, it);
		if (!m->node)
			return false;
		if (m->node->fallback || m->node->flags & CUSTOM_FILLS)
			n->flags |= CUSTOM_FILLS;
	}
	qsort(n->members, n->member_count, sizeof *n->members, by_name);
	return true;
}

static bool set_list(struct compiler *c, struct custom_list *out, const struct json *list)
{
	if (!json_is(list, JSON_ARRAY))
		return true;
	out->nodes = ARENA_ARRAY(c->arena, const struct custom_node *, list->count + 1);
	JSON_FOREACH (it, list) {
		out->nodes[out->count] = compile(c, it);
		if (!out->nodes[out->count++])
			return false;
	}
	return true;
}

static bool set_child(
        struct compiler *c, struct custom_node *n, const struct custom_node **out, const struct json *schema)
{
	if (!json_is(schema, JSON_OBJECT))
		return true;
	*out = compile(c, schema);
	if (*out && (*out)->flags & CUSTOM_FILLS)
		n->flags |= CUSTOM_FILLS;
	return *out != NULL;
}

static const struct custom_node *compile(struct compiler *c, const struct json *schema)
{
	struct custom_node *n = ARENA_NEW(c->arena, struct custom_node);
	struct slice type = json_get_str(schema, "type");
	const struct json *extra = json_get(schema, "additionalProperties");
	if (++c->depth > JSON_DEPTH_MAX) {
		err_set(c->err, ERR_INVAL, "the schema nests too deep");
		return NULL;
	}
	n->type = type_of(type);
	n->type_name = arena_memdup(c->arena, type.ptr ? type.ptr : "", type.len);
	n->flags = flags_of(schema);
	n->flags |= json_is(extra, JSON_BOOL) && !extra->boolean ? CUSTOM_CLOSED : 0;
	set_bounds(c, n, schema);
	n->required = words(c, json_get(schema, "required"), &n->required_count);
	n->keys = words(c, json_get(schema, "x-kubernetes-list-map-keys"), &n->key_count);
	n->fallback = json_is(json_get(schema, "default"), JSON_NULL) ? NULL : keep(c, json_get(schema, "default"));
	n->choices = keep(c, json_get(schema, "enum"));
	n->format = custom_format_find(json_get_str(schema, "format"));
	bool good = set_pattern(c, n, schema) && set_members(c, n, json_get(schema, "properties")) &&
	            set_child(c, n, &n->items, json_get(schema, "items")) && set_child(c, n, &n->values, extra) &&
	            set_list(c, &n->all_of, json_get(schema, "allOf")) &&
	            set_list(c, &n->any_of, json_get(schema, "anyOf")) &&
	            set_list(c, &n->one_of, json_get(schema, "oneOf")) &&
	            set_child(c, n, &n->not, json_get(schema, "not"));
	c->depth--;
	return good ? n : NULL;
}

const struct custom_program *custom_program_new(struct arena *a, const struct json *schema, struct err *err)
{
	struct err own = ERR_INIT;
	struct compiler c = {.arena = a, .err = err ? err : &own};
	struct custom_program *p = ARENA_NEW(a, struct custom_program);
	p->root = compile(&c, schema);
	return p->root ? p : NULL;
}

const struct custom_node *custom_node_member(const struct custom_node *n, struct slice name)
{
	size_t low = 0, high = n->member_count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = slice_cmp(n->members[mid].name, name);
		if (order == 0)
			return n->members[mid].node;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* ---- defaults ---- */

static bool is_head(struct slice key)
{
	return slice_is(key, "apiVersion") || slice_is(key, "kind") || slice_is(key, "metadata");
}

static bool fill(struct arena *a, const struct custom_node *n, struct json *v, bool is_whole);

static bool is_bad_null(const struct custom_node *n, const struct json *v)
{
	return v->type == JSON_NULL && !(n->flags & CUSTOM_NULLABLE);
}

/* Nulls that the schema does not know are as if they were not there. */
static bool drop_nulls(const struct custom_node *n, struct json *v)
{
	bool changed = false;
	for (struct json *next, *it = v->first; it; it = next) {
		const struct custom_node *m = custom_node_member(n, it->key);
		next = it->next;
		m = m ? m : n->values;
		if (m && is_bad_null(m, it)) {
			json_remove(v, it);
			changed = true;
		}
	}
	return changed;
}

static bool fill_object(struct arena *a, const struct custom_node *n, struct json *v, bool is_whole)
{
	bool changed = drop_nulls(n, v);
	struct json_index members;
	json_index_init(&members, v);
	for (size_t i = 0; i < n->member_count; i++) {
		const struct custom_member *m = &n->members[i];
		if (!m->node->fallback || (is_whole && is_head(m->name)) || json_index_get(&members, m->name))
			continue;
		json_index_set(&members, (struct slice){arena_memdup(a, m->name.ptr, m->name.len), m->name.len},
		        json_copy(a, m->node->fallback));
		changed = true;
	}
	json_index_release(&members);
	JSON_FOREACH (it, v) {
		const struct custom_node *m = custom_node_member(n, it->key);
		m = m ? m : n->values;
		if (m && !(is_whole && is_head(it->key)))
			changed |= fill(a, m, it, false);
	}
	return changed;
}

static bool fill(struct arena *a, const struct custom_node *n, struct json *v, bool is_whole)
{
	bool changed = false;
	if (v->type == JSON_OBJECT)
		return fill_object(a, n, v, is_whole);
	if (v->type == JSON_ARRAY && n->items)
		JSON_FOREACH (it, v)
			changed |= fill(a, n->items, it, false);
	return changed;
}

bool custom_program_fill(struct arena *a, const struct custom_program *p, struct json *object)
{
	return json_is(object, JSON_OBJECT) && fill(a, p->root, object, true);
}
