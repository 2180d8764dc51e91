/* Compiling a schema, and filling in its defaults. See custom_program.h.
 *
 * Schemas say the same again and again: a name and a value, a reference, a list of conditions. Short ones that say the
 * same, descriptions aside, are one node; most of what a definition takes is saved by that. */
#include "api/machinery/rules/custom/custom_program_int.h"

#include "api/machinery/cel/schema_type.h"
#include "api/machinery/rules/custom/custom_rule.h"
#include "base/check.h"
#include "base/mem/map.h"

#include <stdlib.h>

enum { SHARED_BYTES_MAX = 512 };

struct compiler {
	struct arena *arena;
	struct err *err;
	int depth;
	struct map shared; /* what a short schema says -> its node */
	struct arena keys; /* of it */
};

/* `type`: in expressions; NULL: it has none, or there are none. */
static const struct custom_node *compile(struct compiler *c, const struct json *schema, const struct cel_type *type);

/* ---- what is shared ---- */

static bool add_saying(struct strbuf *out, const struct json *schema);

/* Members that are schemas themselves, by name. */
static bool add_sayings(struct strbuf *out, const struct json *schemas)
{
	strbuf_addc(out, '{');
	JSON_FOREACH (it, schemas) {
		json_write_str(out, it->key);
		if (!add_saying(out, it))
			return false;
	}
	strbuf_addc(out, '}');
	return true;
}

/* False: it is long, or what it means depends on where it stands (rules), or nobody would find it twice. */
static bool add_saying(struct strbuf *out, const struct json *schema)
{
	static const char *const says_nothing[] = {"description", "title", "example", "externalDocs"};
	static const char *const is_own[] = {"x-kubernetes-validations", "allOf", "anyOf", "oneOf", "not"};
	strbuf_addc(out, '(');
	JSON_FOREACH (it, schema) {
		if (slice_is_any(it->key, says_nothing, COUNT_OF(says_nothing)))
			continue;
		if (slice_is_any(it->key, is_own, COUNT_OF(is_own)) || out->len > SHARED_BYTES_MAX)
			return false;
		bool is_schema = json_is(it, JSON_OBJECT) &&
		                 (slice_is(it->key, "items") || slice_is(it->key, "additionalProperties"));
		json_write_str(out, it->key);
		if (is_schema ? !add_saying(out, it) : slice_is(it->key, "properties") && !add_sayings(out, it))
			return false;
		if (!is_schema && !slice_is(it->key, "properties"))
			json_write(out, it);
	}
	strbuf_addc(out, ')');
	return out->len <= SHARED_BYTES_MAX;
}

/* In the compiler's arena of keys; SLICE_NULL: it is not shared. */
static struct slice saying_of(struct compiler *c, const struct json *schema)
{
	struct strbuf b = STRBUF_INIT;
	struct slice key = SLICE_NULL;
	if (add_saying(&b, schema))
		key = (struct slice){arena_memdup(&c->keys, b.data, b.len), b.len};
	strbuf_release(&b);
	return key;
}

/* ---- compiling ---- */

static bool is_true(const struct json *schema, const char *key)
{
	return json_get_bool(schema, key, false);
}

static const char *const type_names[] = {"object", "array", "string", "integer", "number", "boolean"};

static unsigned type_of(struct slice name)
{
	for (unsigned i = 0; i < COUNT_OF(type_names); i++)
		if (slice_is(name, type_names[i]))
			return 1u << i;
	return CUSTOM_ANY_TYPE;
}

const char *custom_type_name(unsigned type)
{
	for (unsigned i = 0; i < COUNT_OF(type_names); i++)
		if (type == 1u << i)
			return type_names[i];
	return "";
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

static bool has_any(const struct json *schema, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (json_get(schema, words[i]))
			return true;
	return false;
}

static double number_of(struct compiler *c, const struct json *v, const char **ret_text)
{
	if (!json_is(v, JSON_NUMBER))
		return 0;
	*ret_text = number_text(c, v);
	return strtod(*ret_text, NULL);
}

static void set_range(struct compiler *c, struct custom_node *n, const struct json *schema)
{
	static const char *const words[] = {"maximum", "minimum", "multipleOf"};
	if (!has_any(schema, words, COUNT_OF(words)))
		return;
	struct custom_range *r = ARENA_NEW(c->arena, struct custom_range);
	r->max = number_of(c, json_get(schema, "maximum"), &r->max_text);
	r->min = number_of(c, json_get(schema, "minimum"), &r->min_text);
	r->multiple_of = number_of(c, json_get(schema, "multipleOf"), &r->multiple_text);
	n->range = r;
}

static void set_sizes(struct compiler *c, struct custom_node *n, const struct json *schema)
{
	static const char *const words[] = {
	        "maxLength", "minLength", "maxItems", "minItems", "maxProperties", "minProperties"};
	if (!has_any(schema, words, COUNT_OF(words)))
		return;
	struct custom_sizes *s = ARENA_NEW(c->arena, struct custom_sizes);
	s->length_max = json_get_int(schema, "maxLength", -1);
	s->length_min = json_get_int(schema, "minLength", -1);
	s->items_max = json_get_int(schema, "maxItems", -1);
	s->items_min = json_get_int(schema, "minItems", -1);
	s->members_max = json_get_int(schema, "maxProperties", -1);
	s->members_min = json_get_int(schema, "minProperties", -1);
	n->sizes = s;
}

static bool set_pattern(struct compiler *c, struct custom_node *n, const struct json *schema)
{
	struct slice text = json_get_str(schema, "pattern");
	if (!text.len)
		return true;
	struct custom_pattern *p = ARENA_NEW(c->arena, struct custom_pattern);
	p->text = arena_memdup(c->arena, text.ptr, text.len);
	p->pattern = pattern_compile(c->arena, text, c->err);
	n->pattern = p;
	return p->pattern != NULL;
}

static struct slice *words(struct compiler *c, const struct json *list, uint16_t *ret_count)
{
	size_t n = 0, max = json_is(list, JSON_ARRAY) ? list->count : 0;
	if (max == 0 || max > UINT16_MAX)
		return NULL;
	struct slice *out = ARENA_ARRAY(c->arena, struct slice, max);
	JSON_FOREACH (it, list) {
		struct slice s = json_str(it);
		out[n++] = (struct slice){arena_memdup(c->arena, s.ptr ? s.ptr : "", s.len), s.len};
	}
	*ret_count = (uint16_t)n;
	return out;
}

static int by_name(const void *a, const void *b)
{
	const struct custom_member *x = a, *y = b;
	return slice_cmp(x->name, y->name);
}

/* What shines through to the nodes above. */
static void inherit(struct custom_node *n, const struct custom_node *child)
{
	if (child->fallback || child->flags & CUSTOM_FILLS)
		n->flags |= CUSTOM_FILLS;
	n->flags |= child->flags & CUSTOM_RULED;
}

/* Names that expressions cannot say still have rules of their own. */
static const struct cel_type *member_type(struct compiler *c, const struct cel_type *type, const struct json *property)
{
	struct slice name = type ? cel_escape(c->arena, property->key) : SLICE_NULL;
	const struct cel_field *f = name.ptr && type->kind == CEL_OBJECT ? cel_type_field(type, name) : NULL;
	if (type && !name.ptr)
		return schema_cel_type(c->arena, property, schema_is_embedded(property));
	return f ? f->type : NULL;
}

static bool set_members(
        struct compiler *c, struct custom_node *n, const struct json *properties, const struct cel_type *type)
{
	if (!json_is(properties, JSON_OBJECT))
		return true;
	n->members = ARENA_ARRAY(c->arena, struct custom_member, properties->count + 1);
	JSON_FOREACH (it, properties) {
		struct custom_member *m = &n->members[n->member_count++];
		m->name = (struct slice){arena_memdup(c->arena, it->key.ptr, it->key.len), it->key.len};
		m->node = compile(c, it, member_type(c, type, it));
		if (!m->node)
			return false;
		inherit(n, m->node);
	}
	qsort(n->members, n->member_count, sizeof *n->members, by_name);
	return true;
}

static bool set_list(struct compiler *c, struct custom_node *n, struct custom_list *out, const struct json *list,
        const struct cel_type *type)
{
	if (!json_is(list, JSON_ARRAY))
		return true;
	out->nodes = ARENA_ARRAY(c->arena, const struct custom_node *, list->count + 1);
	JSON_FOREACH (it, list) {
		const struct custom_node *node = compile(c, it, type);
		if (!node)
			return false;
		out->nodes[out->count++] = node;
		n->flags |= node->flags & CUSTOM_RULED;
	}
	return true;
}

static bool set_child(struct compiler *c, struct custom_node *n, const struct custom_node **out,
        const struct json *schema, const struct cel_type *type)
{
	if (!json_is(schema, JSON_OBJECT))
		return true;
	*out = compile(c, schema, type);
	if (*out)
		inherit(n, *out);
	return *out != NULL;
}

static bool set_combinations(
        struct compiler *c, struct custom_node *n, const struct json *schema, const struct cel_type *type)
{
	const struct json *all = json_get(schema, "allOf"), *any = json_get(schema, "anyOf"),
	                  *one = json_get(schema, "oneOf"), *unlike = json_get(schema, "not");
	if (!all && !any && !one && !unlike)
		return true;
	struct custom_combinations *x = ARENA_NEW(c->arena, struct custom_combinations);
	n->combinations = x;
	return set_list(c, n, &x->all_of, all, type) && set_list(c, n, &x->any_of, any, NULL) &&
	       set_list(c, n, &x->one_of, one, NULL) && set_child(c, n, &x->unlike, unlike, NULL);
}

static bool set_rules(struct compiler *c, struct custom_node *n, const struct json *schema, const struct cel_type *type)
{
	const struct json *rules = json_get(schema, "x-kubernetes-validations");
	if (!type || !rules || !rules->count)
		return true;
	n->rules = custom_rules_new(c->arena, rules, type, c->err);
	n->flags |= CUSTOM_RULED;
	return n->rules != NULL;
}

static const struct custom_node *compile_own(struct compiler *c, const struct json *schema, const struct cel_type *type)
{
	struct custom_node *n = ARENA_NEW(c->arena, struct custom_node);
	const struct json *extra = json_get(schema, "additionalProperties");
	if (++c->depth > JSON_DEPTH_MAX) {
		err_set(c->err, ERR_INVAL, "the schema nests too deep");
		return NULL;
	}
	n->type = (uint16_t)type_of(json_get_str(schema, "type"));
	n->flags = (uint16_t)(flags_of(schema) | (json_is(extra, JSON_BOOL) && !extra->boolean ? CUSTOM_CLOSED : 0));
	n->required = words(c, json_get(schema, "required"), &n->required_count);
	n->keys = words(c, json_get(schema, "x-kubernetes-list-map-keys"), &n->key_count);
	n->fallback = json_is(json_get(schema, "default"), JSON_NULL) ? NULL : keep(c, json_get(schema, "default"));
	n->choices = keep(c, json_get(schema, "enum"));
	n->format = custom_format_find(json_get_str(schema, "format"));
	set_range(c, n, schema);
	set_sizes(c, n, schema);
	const struct cel_type *elem = type && (type->kind == CEL_LIST || type->kind == CEL_MAP) ? type->elem : NULL;
	bool good = set_pattern(c, n, schema) && set_members(c, n, json_get(schema, "properties"), type) &&
	            set_child(c, n, &n->items, json_get(schema, "items"), elem) &&
	            set_child(c, n, &n->values, extra, elem) && set_combinations(c, n, schema, type) &&
	            set_rules(c, n, schema, type);
	c->depth--;
	return good ? n : NULL;
}

static const struct custom_node *compile(struct compiler *c, const struct json *schema, const struct cel_type *type)
{
	struct slice key = saying_of(c, schema);
	const struct custom_node *n = key.ptr ? map_get(&c->shared, key) : NULL;
	if (n)
		return n;
	n = compile_own(c, schema, type);
	if (n && key.ptr)
		map_put(&c->shared, key, (void *)n);
	return n;
}

bool custom_schema_has_rules(const struct json *v)
{
	JSON_FOREACH (it, v)
		if (slice_is(it->key, "x-kubernetes-validations") || custom_schema_has_rules(it))
			return true;
	return false;
}

static const struct custom_program *new_program(
        struct arena *a, const struct json *schema, const struct cel_type *type, struct err *err)
{
	struct err own = ERR_INIT;
	struct compiler c = {.arena = a, .err = err ? err : &own};
	struct custom_program *p = ARENA_NEW(a, struct custom_program);
	p->root = compile(&c, schema, type);
	map_release(&c.shared);
	arena_release(&c.keys);
	return p->root ? p : NULL;
}

const struct custom_program *custom_program_new(struct arena *a, const struct json *schema, struct err *err)
{
	return new_program(a, schema, custom_schema_has_rules(schema) ? schema_cel_type(a, schema, true) : NULL, err);
}

const struct custom_program *custom_program_of_part(
        struct arena *a, const struct json *schema, bool with_rules, struct err *err)
{
	bool is_root = schema_is_embedded(schema);
	return new_program(a, schema, with_rules ? schema_cel_type(a, schema, is_root) : NULL, err);
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
