/* See field_set.h. Operations recurse as deep as the object they were made of, which no body is allowed to be deeper
 * than API_TREE_DEPTH_MAX; FieldsV1 that a client sends are held to the same by their reader. */
#include "api/machinery/fields/field_set.h"

#include "base/json/json.h"

/* From so many children on an index is hashed. */
enum { HASHED_FROM = 25 };

static int order(const struct field_set *x, const struct field_set *y)
{
	return x->kind != y->kind ? (x->kind < y->kind ? -1 : 1) : slice_cmp(x->name, y->name);
}

/* ---- making ---- */

void field_set_push(struct arena *a, struct field_set *parent, const struct field_set *child)
{
	if (field_set_is_empty(child))
		return;
	struct field_set *copy = arena_alloc(a, sizeof *copy);
	*copy = *child;
	copy->next = parent->first;
	parent->first = copy;
}

static struct field_set *merge_sorted(struct field_set *x, struct field_set *y)
{
	struct field_set *head = NULL, **tail = &head;
	while (x && y) {
		struct field_set **lower = order(x, y) <= 0 ? &x : &y;
		*tail = *lower;
		tail = &(*lower)->next;
		*lower = (*lower)->next;
	}
	*tail = x ? x : y;
	return head;
}

/* Merges runs of growing length: runs[i] is empty or holds 2^i nodes. */
static struct field_set *sorted(struct field_set *list)
{
	struct field_set *runs[32] = {0};
	int top = 0;
	while (list) {
		struct field_set *run = list;
		int i = 0;
		list = list->next;
		run->next = NULL;
		for (; runs[i]; i++) {
			run = merge_sorted(runs[i], run);
			runs[i] = NULL;
		}
		runs[i] = run;
		top = i > top ? i : top;
	}
	struct field_set *all = NULL;
	for (int i = 0; i <= top; i++)
		all = merge_sorted(runs[i], all);
	return all;
}

bool field_set_sort(struct field_set *parent)
{
	bool is_sorted = true;
	for (struct field_set *it = parent->first; it && it->next && is_sorted; it = it->next)
		is_sorted = order(it, it->next) < 0;
	if (is_sorted)
		return true;
	parent->first = sorted(parent->first);
	for (struct field_set *it = parent->first; it->next; it = it->next)
		if (order(it, it->next) == 0)
			return false;
	return true;
}

/* ---- operations ---- */

static struct field_set *node_of(struct arena *a, const struct field_set *x, const struct field_set *y)
{
	struct field_set *n = ARENA_NEW(a, struct field_set);
	const struct field_set *named = x ? x : y;
	if (named) {
		n->kind = named->kind;
		n->name = named->name;
	}
	return n;
}

/* The next pair of children of two sets: those that are named alike together, else one alone. False at the end. */
static bool next_pair(const struct field_set **x, const struct field_set **y, const struct field_set **ret_x,
        const struct field_set **ret_y)
{
	if (!*x && !*y)
		return false;
	int o = !*x ? 1 : !*y ? -1 : order(*x, *y);
	*ret_x = o <= 0 ? *x : NULL;
	*ret_y = o >= 0 ? *y : NULL;
	if (*ret_x)
		*x = (*x)->next;
	if (*ret_y)
		*y = (*y)->next;
	return true;
}

/* A node of its own, for it gets other siblings; what lies below it is that of the operand. */
static struct field_set *share(struct arena *a, const struct field_set *x)
{
	struct field_set *n = arena_alloc(a, sizeof *n);
	*n = *x;
	n->next = NULL;
	return n;
}

enum operation { UNION, INTERSECTION, DIFFERENCE };

static bool holds(enum operation op, bool x, bool y)
{
	return op == UNION ? x || y : op == INTERSECTION ? x && y : x && !y;
}

static struct field_set *combine(
        struct arena *a, enum operation op, const struct field_set *x, const struct field_set *y)
{
	struct field_set *n = node_of(a, x, y), **tail = &n->first;
	const struct field_set *cx = x ? x->first : NULL, *cy = y ? y->first : NULL, *px, *py;
	n->is_member = holds(op, x && x->is_member, y && y->is_member);
	while (next_pair(&cx, &cy, &px, &py)) {
		if ((op == INTERSECTION && (!px || !py)) || (op == DIFFERENCE && !px))
			continue;
		struct field_set *child = px && py ? combine(a, op, px, py) : share(a, px ? px : py);
		if (field_set_is_empty(child))
			continue;
		*tail = child;
		tail = &child->next;
	}
	return n;
}

struct field_set *field_set_union(struct arena *a, const struct field_set *x, const struct field_set *y)
{
	return combine(a, UNION, x, y);
}

struct field_set *field_set_intersection(struct arena *a, const struct field_set *x, const struct field_set *y)
{
	return combine(a, INTERSECTION, x, y);
}

struct field_set *field_set_difference(struct arena *a, const struct field_set *x, const struct field_set *y)
{
	return combine(a, DIFFERENCE, x, y);
}

bool field_set_equal(const struct field_set *x, const struct field_set *y)
{
	const struct field_set *cx = x ? x->first : NULL, *cy = y ? y->first : NULL;
	if ((x && x->is_member) != (y && y->is_member))
		return false;
	for (; cx && cy; cx = cx->next, cy = cy->next)
		if (order(cx, cy) != 0 || !field_set_equal(cx, cy))
			return false;
	return !cx && !cy;
}

/* ---- children ---- */

struct field_set *field_set_child(const struct field_set *s, char kind, struct slice name)
{
	for (struct field_set *it = s ? s->first : NULL; it; it = it->next)
		if (it->kind == kind && slice_eq(it->name, name))
			return it;
	return NULL;
}

void field_set_drop(struct field_set *s, char kind, struct slice name)
{
	for (struct field_set **at = &s->first; *at; at = &(*at)->next)
		if ((*at)->kind == kind && slice_eq((*at)->name, name)) {
			*at = (*at)->next;
			return;
		}
}

void field_index_init(struct field_index *x, const struct field_set *set)
{
	size_t n = 0;
	*x = (struct field_index){.set = set};
	for (const struct field_set *it = set ? set->first : NULL; it && n < HASHED_FROM; it = it->next)
		n++;
	if (n < HASHED_FROM)
		return;
	for (struct field_set *it = set->first; it; it = it->next)
		map_put(&x->map, it->name, it); /* of one kind, mostly; else the walk finds it */
}

void field_index_release(struct field_index *x)
{
	map_release(&x->map);
}

const struct field_set *field_index_get(const struct field_index *x, char kind, struct slice name)
{
	if (x->map.count) {
		const struct field_set *found = map_get(&x->map, name);
		if (!found || found->kind == kind)
			return found;
	}
	return field_set_child(x->set, kind, name);
}

/* ---- paths ---- */

static void add_key(struct strbuf *path, struct slice key)
{
	struct arena a = ARENA_INIT;
	struct json *v = json_parse(&a, key, NULL, NULL);
	strbuf_addc(path, '[');
	JSON_FOREACH (it, v) {
		strbuf_addf(path, "%s%.*s=", it == v->first ? "" : ",", SLICE_FMT(it->key));
		json_write(path, it);
	}
	strbuf_addc(path, ']');
	arena_release(&a);
}

static void add_step(struct strbuf *path, const struct field_set *s)
{
	if (s->kind == 'f')
		strbuf_addf(path, ".%.*s", SLICE_FMT(s->name));
	else if (s->kind == 'k')
		add_key(path, s->name);
	else if (s->kind)
		strbuf_addf(path, s->kind == 'v' ? "[=%.*s]" : "[%.*s]", SLICE_FMT(s->name));
}

struct visitor {
	struct strbuf path;
	void (*fn)(void *arg, const char *path);
	void *arg;
};

static void visit(struct visitor *v, const struct field_set *s)
{
	size_t before = v->path.len;
	add_step(&v->path, s);
	if (s->is_member)
		v->fn(v->arg, strbuf_cstr(&v->path));
	for (const struct field_set *it = s->first; it; it = it->next)
		visit(v, it);
	v->path.len = before;
	if (v->path.data)
		v->path.data[before] = 0;
}

void field_set_each(const struct field_set *s, void (*fn)(void *arg, const char *path), void *arg)
{
	struct visitor v = {.fn = fn, .arg = arg};
	if (s)
		visit(&v, s);
	strbuf_release(&v.path);
}
