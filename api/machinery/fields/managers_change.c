/* What writes do to the entries of managedFields. See managers.h.
 *
 * An update owns what it has added or changed, and takes it from all others, itself included: what it owned before and
 * has not touched stays its own by the union. What is gone is nobody's. An apply owns exactly what it names.
 *
 * Entries tell fields in the version of the API they were written in. Where a kind is served in two, both objects are
 * converted into the entry's before they are compared; the entry of a version that is not served any more is dropped,
 * as upstream does. */
#include "api/machinery/fields/managers_int.h"

#include "api/machinery/codec/decode.h"
#include "api/machinery/fields/merge.h"
#include "base/check.h"

struct json *managers_zero(struct arena *a, const struct resource *r)
{
	struct json *zero = json_new(a, JSON_OBJECT);
	if (r->type && !r->is_custom)
		decode_normalise(a, zero, r->type);
	return zero;
}

/* ---- what is left out ---- */

/* Fields of every object that are the server's or say what it is: nobody's. */
static void strip(struct field_set *s)
{
	static const char *const names[] = {"name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName",
	        "generation", "managedFields", "resourceVersion"};
	struct field_set *meta = field_set_child(s, 'f', SLICE("metadata"));
	s->is_member = false;
	field_set_drop(s, 'f', SLICE("apiVersion"));
	field_set_drop(s, 'f', SLICE("kind"));
	if (!meta)
		return;
	meta->is_member = false;
	for (size_t i = 0; i < COUNT_OF(names); i++)
		field_set_drop(meta, 'f', slice_of(names[i]));
	if (!meta->first)
		field_set_drop(s, 'f', SLICE("metadata"));
}

static void drop_path(struct field_set *s, struct slice dotted)
{
	struct slice name = slice_cut(&dotted, '.');
	if (!dotted.ptr) {
		field_set_drop(s, 'f', name);
		return;
	}
	struct field_set *child = field_set_child(s, 'f', name);
	if (child)
		drop_path(child, dotted);
	if (child && field_set_is_empty(child))
		field_set_drop(s, 'f', name);
}

/* What the write may not set. */
static void reset(const struct managers_write *w, struct field_set *s)
{
	struct slice rest = w->resets ? slice_of(w->resets) : SLICE_NULL;
	while (rest.ptr)
		drop_path(s, slice_cut(&rest, ','));
	for (struct field_set *next, *it = w->is_status ? s->first : NULL; it; it = next) {
		next = it->next;
		if (!slice_is(it->name, "metadata") && !slice_is(it->name, "status"))
			field_set_drop(s, it->kind, it->name);
	}
}

/* ---- comparing, in whatever version ---- */

struct change {
	struct field_set *touched; /* added or modified */
	struct field_set *removed;
};

struct versions {
	const struct managers_write *w;
	const struct json *old, *now;
	bool is_merged;    /* `now` is not in Go's form yet */
	struct change own; /* in the version of the write */
};

/* What an applier names and Go leaves out, as it is nothing ({}, false): it is in nobody's way. */
static void leave_out_nothings(
        const struct managers_write *w, const struct resource *r, const struct json *now, struct comparison *c)
{
	struct json *in_go = json_copy(w->arena, now);
	struct comparison nothings;
	decode_normalise(w->arena, in_go, r->type);
	compare_objects(w->arena, r->type, now, in_go, &nothings);
	c->added = *field_set_difference(w->arena, &c->added, &nothings.removed);
}

static struct change change_between(const struct managers_write *w, const struct resource *r, const struct json *old,
        const struct json *now, bool is_merged)
{
	struct comparison c;
	compare_objects(w->arena, r->type, old, now, &c);
	if (!field_set_is_empty(&c.added) && is_merged && r->type && !r->is_custom)
		leave_out_nothings(w, r, now, &c);
	struct change change = {
	        field_set_union(w->arena, &c.added, &c.modified), field_set_union(w->arena, &c.removed, NULL)};
	reset(w, change.touched);
	reset(w, change.removed);
	return change;
}

static bool is_nothing(const struct change *c)
{
	return field_set_is_empty(c->touched) && field_set_is_empty(c->removed);
}

/* The row of another version with the same storage; NULL: not served. */
static const struct resource *row_of_version(const struct resource *r, struct slice api_version)
{
	const struct resource *found = resource_find_kind(api_version, slice_of(r->kind));
	return found && found->storage == r->storage ? found : NULL;
}

/* False: that version is not served, or cannot say what the objects are. */
static bool change_in_version(const struct versions *v, struct slice api_version, struct change *out)
{
	const struct resource *r = v->w->resource, *row;
	struct arena *a = v->w->arena;
	*out = v->own;
	if (slice_is(api_version, r->api_version))
		return true;
	row = row_of_version(r, api_version);
	if (!row)
		return false;
	struct json *old = json_copy(a, v->old), *now = json_copy(a, v->now);
	if (resource_convert(a, old, r, row, NULL) != 0 || resource_convert(a, now, r, row, NULL) != 0)
		return false;
	*out = change_between(v->w, row, old, now, v->is_merged);
	return true;
}

/* ---- updates ---- */

static void take_from(struct arena *a, struct manager *m, const struct change *c)
{
	if (!field_set_is_empty(c->touched))
		m->fields = field_set_difference(a, m->fields, c->touched);
	if (!field_set_is_empty(c->removed))
		m->fields = field_set_difference(a, m->fields, c->removed);
}

static void take_from_all(const struct versions *v, struct managers *m, const struct manager *but)
{
	for (struct manager *next, *it = m->first; it; it = next) {
		struct change c;
		next = it->next;
		if (it == but)
			continue;
		if (change_in_version(v, it->api_version, &c))
			take_from(v->w->arena, it, &c);
		else
			managers_remove(m, it);
	}
}

static struct manager *manager_new(const struct managers_write *w, bool is_apply)
{
	struct manager *m = ARENA_NEW(w->arena, struct manager);
	m->name = w->manager.len ? w->manager : SLICE("unknown");
	m->api_version = slice_of(w->resource->api_version);
	m->subresource = slice_of(w->sub);
	m->is_apply = is_apply;
	return m;
}

static struct manager *find_or_add(const struct managers_write *w, struct managers *m, bool is_apply)
{
	struct manager *like = manager_new(w, is_apply), *found = managers_find(m, like);
	if (found)
		return found;
	like->next = m->first;
	m->first = like;
	return like;
}

void managers_update(const struct managers_write *w, struct managers *m, const struct json *old, const struct json *now)
{
	struct versions v = {w, old, now, false, change_between(w, w->resource, old, now, false)};
	if (is_nothing(&v.own))
		return;
	struct field_set *mine = v.own.touched;
	strip(mine); /* nobody else has any of those either */
	take_from_all(&v, m, NULL);
	if (!field_set_is_empty(mine)) {
		struct manager *self = find_or_add(w, m, false);
		self->fields = field_set_union(w->arena, self->fields, mine);
		self->time = slice_of(w->now);
	}
	managers_drop_empty(m);
	managers_cap(w->arena, m);
	managers_sort(w->arena, m);
}

/* ---- conflicts ---- */

const char *manager_text(struct arena *a, const struct manager *m)
{
	struct strbuf out = STRBUF_INIT;
	json_write_str(&out, m->name);
	if (m->subresource.len) {
		strbuf_adds(&out, " with subresource ");
		json_write_str(&out, m->subresource);
	}
	if (!m->is_apply)
		strbuf_addf(&out, " using %.*s", SLICE_FMT(m->api_version));
	const char *text = arena_strdup(a, strbuf_cstr(&out));
	strbuf_release(&out);
	return text;
}

const char *managers_conflict_text(struct arena *a, const struct manager_conflicts *c)
{
	struct strbuf out = STRBUF_INIT;
	const struct manager *last = NULL;
	if (c->count == 1)
		strbuf_addf(&out, "Apply failed with 1 conflict: conflict with %s: %s",
		        manager_text(a, c->items[0].with), c->items[0].path);
	else
		strbuf_addf(&out, "Apply failed with %zu conflicts: ", c->count);
	for (size_t i = 0; c->count > 1 && i < c->count; i++) {
		if (c->items[i].with != last)
			strbuf_addf(&out, "%sconflicts with %s:", last ? "\n" : "", manager_text(a, c->items[i].with));
		strbuf_addf(&out, "\n- %s", c->items[i].path);
		last = c->items[i].with;
	}
	const char *text = arena_strdup(a, strbuf_cstr(&out));
	strbuf_release(&out);
	return text;
}

struct conflict_list {
	struct arena *a;
	struct manager_conflicts *out;
	const struct manager *with;
};

static void add_conflict(void *arg, const char *path)
{
	struct conflict_list *l = arg;
	struct manager_conflicts *c = l->out;
	if (c->count == c->cap) {
		size_t cap = c->cap ? c->cap * 2 : 8;
		struct manager_conflict *bigger = ARENA_ARRAY(l->a, struct manager_conflict, cap);
		if (c->count)
			memcpy(bigger, c->items, c->count * sizeof *bigger);
		c->items = bigger;
		c->cap = cap;
	}
	c->items[c->count++] = (struct manager_conflict){l->with, arena_strdup(l->a, path)};
}

static void find_conflicts(
        const struct versions *v, struct managers *m, const struct manager *self, struct manager_conflicts *out)
{
	managers_sort(v->w->arena, m);
	for (struct manager *it = m->first; it; it = it->next) {
		struct change c;
		struct conflict_list list = {v->w->arena, out, it};
		if (it != self && change_in_version(v, it->api_version, &c) && !field_set_is_empty(c.touched))
			field_set_each(field_set_intersection(v->w->arena, it->fields, c.touched), add_conflict, &list);
	}
}

/* ---- applying ---- */

/* An object that was written while nobody kept managers: what it has is told apart from what is applied. */
static void claim_for_the_past(const struct managers_write *w, struct managers *m, const struct json *live)
{
	struct managers_write past = *w;
	past.manager = SLICE("before-first-apply");
	managers_update(&past, m, managers_zero(w->arena, w->resource), live);
}

/* What all own. Entries of other versions count where both call a field alike: what they alone call so is nothing that
 * pruning would meet. */
static struct field_set *owned_by_all(const struct managers_write *w, const struct managers *m)
{
	struct field_set *all = ARENA_NEW(w->arena, struct field_set);
	for (const struct manager *it = m->first; it; it = it->next)
		all = field_set_union(w->arena, all, it->fields);
	return all;
}

/* An applier may come in another version than last time: its old names are followed in the old version's form. */
static void prune_in_version(
        const struct managers_write *w, struct json *merged, const struct manager *last, const struct field_set *owned)
{
	const struct resource *r = w->resource, *row;
	struct arena *a = w->arena;
	if (slice_is(last->api_version, r->api_version)) {
		prune_object(a, r->type, merged, last->fields, owned);
		return;
	}
	row = row_of_version(r, last->api_version);
	struct json *other = json_copy(a, merged);
	if (!row || resource_convert(a, other, r, row, NULL) != 0)
		return;
	prune_object(a, row->type, other, last->fields, owned);
	if (resource_convert(a, other, row, r, NULL) != 0)
		return;
	merged->first = other->first;
	merged->last = other->last;
	merged->count = other->count;
}

int managers_apply(const struct managers_write *w, struct managers *m, const struct json *live, bool exists,
        const struct json *config, bool force, struct json **ret, struct manager_conflicts *conflicts, struct err *err)
{
	struct field_set *named = ARENA_NEW(w->arena, struct field_set);
	struct json *merged = json_copy(w->arena, live);
	if (exists && !m->first)
		claim_for_the_past(w, m, live);
	if (fields_of_object(w->arena, w->resource->type, config, named, err) != 0 ||
	        merge_objects(w->arena, w->resource->type, merged, config, err) != 0)
		return err->code;
	strip(named);
	reset(w, named);
	struct manager *self = find_or_add(w, m, true), last = *self;
	self->fields = named;
	self->api_version = slice_of(w->resource->api_version);
	if (!field_set_is_empty(last.fields))
		prune_in_version(w, merged, &last, owned_by_all(w, m));
	struct versions v = {w, live, merged, true, change_between(w, w->resource, live, merged, true)};
	*conflicts = (struct manager_conflicts){0};
	if (!force)
		find_conflicts(&v, m, self, conflicts);
	if (conflicts->count)
		return err_set(err, ERR_CONFLICT, "%s", managers_conflict_text(w->arena, conflicts));
	take_from_all(&v, m, self);
	if (!is_nothing(&v.own) || !field_set_equal(last.fields, named) ||
	        !slice_eq(last.api_version, self->api_version))
		self->time = slice_of(w->now);
	managers_drop_empty(m);
	managers_sort(w->arena, m);
	*ret = merged;
	return 0;
}
