/* See compare.h. Both walks go down as the shapes say. What cannot be owned in parts (atoms, containers that are empty
 * on both sides, values that are not what their shape promises) is a leaf.
 *
 * In objects that are stored a list may hold two elements of one key, as validation of some kinds lets them. Such are
 * compared together, as if they were one atomic value. */
#include "api/machinery/fields/compare.h"

/* Down to here subtrees are asked first whether they are equal, which is a faster walk: a write of the status leaves
 * the whole of the spec as it is. */
enum { EQUAL_FIRST_DEPTH = 2 };

struct walk {
	struct arena *a;
	struct err *err;
	int depth;
};

/* ---- lists as maps of elements ---- */

struct element {
	char kind;
	struct slice name;
	const struct json *old, *now; /* the first ones of that name */
	bool is_old_repeated, is_now_repeated;
};

struct elements {
	struct element *items;
	size_t count;
	struct map by_name;
};

static void name_of(struct walk *w, const struct shape_keys *keys, const struct json *v, uint32_t place, char *kind,
        struct slice *name)
{
	struct slice missing;
	if (shape_step(w->a, keys, v, kind, name, &missing))
		return;
	*kind = 'i';
	*name = slice_of(arena_printf(w->a, "%u", place));
}

static struct element *element_of(struct elements *e, char kind, struct slice name)
{
	struct element *found = map_get(&e->by_name, name);
	if (!found) {
		found = &e->items[e->count++];
		*found = (struct element){.kind = kind, .name = name};
		map_put(&e->by_name, name, found);
	}
	return found;
}

static void collect(
        struct walk *w, struct elements *e, const struct shape *list, const struct json *old, const struct json *now)
{
	struct shape_keys keys;
	struct slice name;
	uint32_t place = 0;
	char kind;
	shape_keys(list, &keys);
	*e = (struct elements){
	        .items = ARENA_ARRAY(w->a, struct element, (old ? old->count : 0) + (now ? now->count : 0) + 1)};
	JSON_FOREACH (it, old) {
		name_of(w, &keys, it, place++, &kind, &name);
		struct element *x = element_of(e, kind, name);
		x->is_old_repeated = x->old != NULL;
		x->old = x->old ? x->old : it;
	}
	place = 0;
	JSON_FOREACH (it, now) {
		name_of(w, &keys, it, place++, &kind, &name);
		struct element *x = element_of(e, kind, name);
		x->is_now_repeated = x->now != NULL;
		x->now = x->now ? x->now : it;
	}
}

/* ---- comparing ---- */

struct parents {
	struct field_set *added, *modified, *removed;
};

static void compare(
        struct walk *w, const struct shape *s, const struct json *old, const struct json *now, struct parents *here);

static void compare_child(struct walk *w, char kind, struct slice name, const struct shape *s, const struct json *old,
        const struct json *now, struct parents *p)
{
	struct field_set added = {.kind = kind, .name = name}, modified = added, removed = added;
	struct parents here = {&added, &modified, &removed};
	if (w->depth < EQUAL_FIRST_DEPTH && old && now && json_equal(old, now))
		return;
	w->depth++;
	compare(w, s, old, now, &here);
	w->depth--;
	field_set_push(w->a, p->added, &added);
	field_set_push(w->a, p->modified, &modified);
	field_set_push(w->a, p->removed, &removed);
}

static void leaf(const struct json *old, const struct json *now, struct parents *here)
{
	if (!old)
		here->added->is_member = true;
	else if (!now)
		here->removed->is_member = true;
	else if (!json_equal(old, now))
		here->modified->is_member = true;
}

static void compare_members(
        struct walk *w, const struct shape *s, const struct json *old, const struct json *now, struct parents *here)
{
	struct json_index index = {.object = (struct json *)now};
	const struct json *guess = now ? now->first : NULL; /* members are nearly always in the same order */
	bool is_named;
	uint32_t met = 0;
	JSON_FOREACH (it, old) {
		const struct json *other =
		        guess && slice_eq(guess->key, it->key) ? guess : json_index_get(&index, it->key);
		struct shape inner = shape_of_member(s, it->key, &is_named);
		compare_child(w, 'f', it->key, &inner, it, other, here);
		guess = other ? other->next : guess;
		met += other != NULL;
	}
	json_index_release(&index);
	if (!now || met == now->count)
		return;
	index = (struct json_index){.object = (struct json *)old};
	JSON_FOREACH (it, now) {
		if (old && json_index_get(&index, it->key))
			continue;
		struct shape inner = shape_of_member(s, it->key, &is_named);
		compare_child(w, 'f', it->key, &inner, NULL, it, here);
	}
	json_index_release(&index);
}

static bool same_repeats(struct walk *w, const struct shape *list, const struct element *e, const struct json *old,
        const struct json *now)
{
	struct shape_keys keys;
	struct slice missing, name;
	char kind;
	const struct json *x = old->first, *y = now->first;
	shape_keys(list, &keys);
	for (;; x = x->next, y = y->next) {
		while (x && !(shape_step(w->a, &keys, x, &kind, &name, &missing) && slice_eq(name, e->name)))
			x = x->next;
		while (y && !(shape_step(w->a, &keys, y, &kind, &name, &missing) && slice_eq(name, e->name)))
			y = y->next;
		if (!x || !y)
			return !x && !y;
		if (!json_equal(x, y))
			return false;
	}
}

static void compare_repeated(struct walk *w, const struct shape *list, const struct element *e, const struct json *old,
        const struct json *now, struct parents *here)
{
	struct shape inner = shape_of_element(list);
	struct field_set mark = {.kind = e->kind, .name = e->name, .is_member = true};
	if (e->is_old_repeated && e->is_now_repeated) {
		if (!same_repeats(w, list, e, old, now))
			field_set_push(w->a, here->modified, &mark);
	} else if (e->is_old_repeated) {
		if (e->now)
			compare_child(w, e->kind, e->name, &inner, NULL, e->now, here);
		field_set_push(w->a, here->removed, &mark);
	} else {
		if (e->old)
			compare_child(w, e->kind, e->name, &inner, e->old, NULL, here);
		field_set_push(w->a, here->added, &mark);
	}
}

static void compare_elements(
        struct walk *w, const struct shape *list, const struct json *old, const struct json *now, struct parents *here)
{
	struct shape inner = shape_of_element(list);
	struct elements all;
	collect(w, &all, list, old, now);
	for (size_t i = 0; i < all.count; i++) {
		struct element *e = &all.items[i];
		if (e->is_old_repeated || e->is_now_repeated)
			compare_repeated(w, list, e, old, now, here);
		else
			compare_child(w, e->kind, e->name, &inner, e->old, e->now, here);
	}
	map_release(&all.by_name);
}

static bool is_none(const struct json *v)
{
	return !v || v->type == JSON_NULL;
}

/* NULL and null may stand for a container; anything else must be one. */
static bool may_be(const struct json *v, enum json_type type)
{
	return is_none(v) || v->type == type;
}

static bool is_bare(const struct json *v)
{
	return is_none(v) || !v->first;
}

/* Whether the shape goes further down here. */
static bool has_parts(const struct shape *s, const struct json *old, const struct json *now)
{
	enum json_type type = shape_is_list(s) ? JSON_ARRAY : JSON_OBJECT;
	if (s->kind == SHAPE_OF_ATOM || !may_be(old, type) || !may_be(now, type))
		return false;
	return !is_bare(old) || !is_bare(now);
}

static void sort_all(struct parents *here)
{
	field_set_sort(here->added);
	field_set_sort(here->modified);
	field_set_sort(here->removed);
}

static void compare(
        struct walk *w, const struct shape *s, const struct json *old, const struct json *now, struct parents *here)
{
	if (!has_parts(s, old, now)) {
		leaf(old, now, here);
		return;
	}
	if (shape_is_list(s))
		compare_elements(w, s, is_none(old) ? NULL : old, is_none(now) ? NULL : now, here);
	else
		compare_members(w, s, is_none(old) ? NULL : old, is_none(now) ? NULL : now, here);
	sort_all(here);
	here->added->is_member |= !old;
	here->removed->is_member |= !now;
}

void compare_objects(struct arena *a, const struct schema_type *type, const struct json *old, const struct json *now,
        struct comparison *out)
{
	struct walk w = {.a = a};
	struct shape s = shape_of_type(type);
	struct parents roots = {&out->added, &out->modified, &out->removed};
	*out = (struct comparison){0};
	compare(&w, &s, old, now, &roots);
}

bool comparison_is_empty(const struct comparison *c)
{
	return field_set_is_empty(&c->added) && field_set_is_empty(&c->modified) && field_set_is_empty(&c->removed);
}

/* ---- the fields of an object ---- */

/* Where the walk stands, for messages: the steps from the innermost out. */
struct place {
	const struct place *outer;
	const struct field_set *step;
};

static int fields_of(
        struct walk *w, const struct shape *s, const struct json *v, struct field_set *here, const struct place *outer);

static void keep_path(void *arg, const char *path)
{
	strbuf_adds(arg, path);
}

/* The path of a place as a set of one. */
static void write_place(struct strbuf *out, const struct place *p, const struct field_set *below)
{
	struct field_set step = {0};
	if (!p) {
		field_set_each(below, keep_path, out);
		return;
	}
	step.kind = p->step->kind;
	step.name = p->step->name;
	step.first = (struct field_set *)below;
	step.is_member = !below;
	write_place(out, p->outer, &step);
}

static int blame(struct walk *w, const struct place *at, const char *text)
{
	struct strbuf path = STRBUF_INIT;
	write_place(&path, at, NULL);
	err_set(w->err, ERR_INVAL, "%s: %s", strbuf_cstr(&path), text);
	strbuf_release(&path);
	return w->err->code;
}

static int blame_repeat(struct walk *w, const struct place *at, char kind, struct slice name)
{
	struct field_set step = {.kind = kind, .name = name, .is_member = true};
	struct strbuf text = STRBUF_INIT;
	strbuf_adds(&text, "duplicate entries for key ");
	field_set_each(&step, keep_path, &text);
	int rc = blame(w, at, strbuf_cstr(&text));
	strbuf_release(&text);
	return rc;
}

static int fields_of_elements(
        struct walk *w, const struct shape *list, const struct json *v, struct field_set *here, const struct place *at)
{
	struct shape inner = shape_of_element(list);
	struct shape_keys keys;
	struct map seen = MAP_INIT;
	struct slice missing;
	int rc = 0;
	uint32_t i = 0;
	shape_keys(list, &keys);
	for (const struct json *it = v->first; it && rc == 0; it = it->next, i++) {
		struct field_set child = {0};
		if (!shape_step(w->a, &keys, it, &child.kind, &child.name, &missing)) {
			rc = blame(w, at,
			        missing.ptr ? arena_printf(w->a,
			                              "element %u: associative list with keys has an element that "
			                              "omits key field \"%.*s\" (and doesn't have default value)",
			                              i, SLICE_FMT(missing))
			                    : arena_printf(w->a, "element %u: is not of the type of the list", i));
		} else if (map_put(&seen, child.name, child.name.len ? (void *)child.name.ptr : w)) {
			rc = blame_repeat(w, at, child.kind, child.name);
		} else {
			rc = fields_of(w, &inner, it, &child, at);
			child.is_member = true;
			field_set_push(w->a, here, &child);
		}
	}
	map_release(&seen);
	return rc;
}

static int fields_of_members(
        struct walk *w, const struct shape *s, const struct json *v, struct field_set *here, const struct place *at)
{
	bool is_named;
	JSON_FOREACH (it, v) {
		struct field_set child = {.kind = 'f', .name = it->key};
		struct shape inner = shape_of_member(s, it->key, &is_named);
		if (fields_of(w, &inner, it, &child, at) != 0)
			return w->err->code;
		if (!is_named || it->type == JSON_NULL || (it->type == JSON_OBJECT && !it->first))
			child.is_member = true;
		field_set_push(w->a, here, &child);
	}
	return 0;
}

static int fields_of(
        struct walk *w, const struct shape *s, const struct json *v, struct field_set *here, const struct place *outer)
{
	enum json_type type = shape_is_list(s) ? JSON_ARRAY : JSON_OBJECT;
	struct place at = {outer, here};
	int rc;
	if (s->kind == SHAPE_OF_ATOM || (s->kind == SHAPE_OF_UNTYPED && v->type != JSON_OBJECT)) {
		here->is_member = true;
		return 0;
	}
	if (v->type != type)
		return v->type == JSON_NULL
		               ? 0
		               : blame(w, &at,
		                         arena_printf(w->a, "expected %s, got %s", type == JSON_ARRAY ? "list" : "map",
		                                 json_type_name(v->type)));
	if (shape_is_list(s))
		rc = fields_of_elements(w, s, v, here, &at);
	else
		rc = fields_of_members(w, s, v, here, &at);
	field_set_sort(here);
	return rc;
}

int fields_of_object(struct arena *a, const struct schema_type *type, const struct json *object, struct field_set *out,
        struct err *err)
{
	struct err own = ERR_INIT;
	struct walk w = {.a = a, .err = err ? err : &own};
	struct shape s = shape_of_type(type);
	*out = (struct field_set){0};
	return fields_of(&w, &s, object, out, NULL);
}
