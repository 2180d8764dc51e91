/* See merge.h.
 *
 * Lists. Walking live and config side by side, what only live has keeps its place before the next element that both
 * have; what both have comes in config's order:
 *     live  a b c d      config  c x a     ->     b c d x a
 * An element of live that comes twice under one key is kept as often as config does not name it. */
#include "api/machinery/fields/merge.h"

#include "base/mem/budget.h"

struct merger {
	struct arena *a;
	struct err *err;
};

static struct json *merge(struct merger *m, const struct shape *s, struct json *live, const struct json *config);

/* ---- lists ---- */

struct item {
	struct json *live; /* the first of that name */
	const struct json *config;
	bool is_repeated; /* in live */
	bool is_merged;
};

struct sequence {
	struct item **items;
	struct json **values; /* of live: its elements */
	size_t count;
};

static struct item *item_of(struct merger *m, struct map *by_name, const struct shape_keys *keys, const struct json *v)
{
	struct slice name, missing;
	char kind;
	if (!shape_step(m->a, keys, v, &kind, &name, &missing))
		return ARENA_NEW(m->a, struct item); /* has no name: like nothing else */
	struct item *found = map_get(by_name, name);
	if (!found) {
		found = ARENA_NEW(m->a, struct item);
		map_put(by_name, name, found);
	}
	return found;
}

static struct sequence sequence_of(
        struct merger *m, struct map *by_name, const struct shape_keys *keys, const struct json *list, bool is_live)
{
	struct sequence q = {ARENA_ARRAY(m->a, struct item *, list->count + 1),
	        ARENA_ARRAY(m->a, struct json *, list->count + 1), 0};
	JSON_FOREACH (it, list) {
		struct item *x = item_of(m, by_name, keys, it);
		if (is_live) {
			x->is_repeated = x->live != NULL;
			x->live = x->live ? x->live : it;
		} else {
			x->config = it;
		}
		q.values[q.count] = it;
		q.items[q.count++] = x;
	}
	return q;
}

static void take_live(struct json *list, struct json *v)
{
	v->next = v->prev = NULL;
	json_append(list, v);
}

static void take_config(struct merger *m, struct json *list, const struct shape *inner, struct item *x)
{
	struct json *base = x->is_repeated ? NULL : x->live; /* of several, none is the one that is meant */
	struct json *v = merge(m, inner, base, x->config);
	x->is_merged = true;
	take_live(list, v);
}

/* The next element of config that live has too, from `from` on. */
static size_t next_shared(const struct sequence *config, size_t from)
{
	while (from < config->count && !config->items[from]->live)
		from++;
	return from;
}

/* Both sequences become one list. */
static void weave(struct merger *m, struct json *list, const struct shape *inner, const struct sequence *live,
        const struct sequence *config)
{
	size_t l = 0, c = 0, shared = next_shared(config, 0);
	while (l < live->count || c < config->count) {
		struct item *x = l < live->count ? live->items[l] : NULL;
		bool both = x && c < config->count;
		if (both && x == config->items[c]) {
			take_config(m, list, inner, x);
			l++;
			shared = next_shared(config, ++c);
		} else if (both && x->config && shared < config->count && config->items[shared] != x) {
			l++; /* its turn comes in config's order */
		} else if (x && !x->config) {
			take_live(list, live->values[l++]);
		} else {
			if (x && x->is_merged)
				l++;
			if (c < config->count) {
				take_config(m, list, inner, config->items[c++]);
				if (shared < c)
					shared = next_shared(config, c);
			}
		}
	}
}

static struct json *merge_lists(struct merger *m, const struct shape *s, struct json *live, const struct json *config)
{
	struct shape inner = shape_of_element(s);
	struct shape_keys keys;
	struct map by_name = MAP_INIT;
	shape_keys(s, &keys);
	struct sequence l = sequence_of(m, &by_name, &keys, live, true),
	                c = sequence_of(m, &by_name, &keys, config, false);
	map_release(&by_name);
	live->first = live->last = NULL;
	live->count = 0;
	weave(m, live, &inner, &l, &c);
	return live;
}

/* ---- objects ---- */

static struct json *merge_members(struct merger *m, const struct shape *s, struct json *live, const struct json *config)
{
	struct json_index members;
	bool is_named;
	json_index_init(&members, live);
	JSON_FOREACH (it, config) {
		struct shape inner = shape_of_member(s, it->key, &is_named);
		struct json *old = json_index_get(&members, it->key), *v = merge(m, &inner, old, it);
		struct slice key = {arena_memdup(m->a, it->key.ptr, it->key.len), it->key.len};
		if (v != old)
			json_index_set(&members, key, v);
		if (m->err->code)
			break;
	}
	json_index_release(&members);
	return live;
}

/* What comes of the two: live itself, changed, or a new value that is linked nowhere. */
static struct json *merge(struct merger *m, const struct shape *s, struct json *live, const struct json *config)
{
	enum json_type type = shape_is_list(s) ? JSON_ARRAY : JSON_OBJECT;
	bool has_parts = s->kind != SHAPE_OF_ATOM && json_is(live, type) && live->first;
	if (budget_check(m->a->budget, m->a->used_bytes, m->err) != 0)
		return live ? live : json_new(m->a, JSON_NULL);
	if (!has_parts || (config->type != type && config->type != JSON_NULL))
		return json_copy(m->a, config);
	if (!config->first) /* null or empty: names nothing of what is there */
		return live;
	return shape_is_list(s) ? merge_lists(m, s, live, config) : merge_members(m, s, live, config);
}

int merge_objects(
        struct arena *a, const struct schema_type *type, struct json *live, const struct json *config, struct err *err)
{
	struct err own = ERR_INIT;
	struct merger m = {a, &own};
	struct shape s = shape_of_type(type);
	struct json *v = merge(&m, &s, live, config);
	if (v != live && !own.code) { /* live was empty */
		live->first = v->first;
		live->last = v->last;
		live->count = v->count;
	}
	if (own.code && err)
		*err = own;
	return own.code;
}

/* ---- pruning ---- */

static void prune(struct arena *a, const struct shape *s, struct json *v, const struct field_set *last,
        const struct field_set *owned);

/* A named field is held by whoever holds something in it; a member of a map and an element only by its own mark. */
static bool is_held(const struct field_set *s, bool is_named)
{
	return s && (s->is_member || (is_named && s->first));
}

/* True: it goes. */
static bool prune_part(struct arena *a, const struct shape *inner, struct json *v, bool is_named,
        const struct field_set *last, const struct field_set *owned)
{
	if (is_held(last, is_named) && !is_held(owned, is_named))
		return true;
	bool had = v->first != NULL;
	prune(a, inner, v, last, owned);
	return had && !v->first && !(owned && owned->is_member);
}

static void prune_members(struct arena *a, const struct shape *s, struct json *v, const struct field_set *last,
        const struct field_set *owned)
{
	struct field_index ours, theirs;
	bool is_named;
	field_index_init(&ours, last);
	field_index_init(&theirs, owned);
	for (struct json *next, *it = v->first; it; it = next) {
		const struct field_set *mine = field_index_get(&ours, 'f', it->key);
		next = it->next;
		if (!mine)
			continue;
		struct shape inner = shape_of_member(s, it->key, &is_named);
		is_named = is_named && s->kind == SHAPE_OF_STRUCT;
		if (prune_part(a, &inner, it, is_named, mine, field_index_get(&theirs, 'f', it->key)))
			json_remove(v, it);
	}
	field_index_release(&ours);
	field_index_release(&theirs);
}

static void prune_elements(struct arena *a, const struct shape *s, struct json *v, const struct field_set *last,
        const struct field_set *owned)
{
	struct field_index ours, theirs;
	struct shape inner = shape_of_element(s);
	struct shape_keys keys;
	struct slice name, missing;
	char kind;
	shape_keys(s, &keys);
	field_index_init(&ours, last);
	field_index_init(&theirs, owned);
	for (struct json *next, *it = v->first; it; it = next) {
		next = it->next;
		if (!shape_step(a, &keys, it, &kind, &name, &missing))
			continue;
		const struct field_set *mine = field_index_get(&ours, kind, name),
		                       *others = field_index_get(&theirs, kind, name);
		if (mine && is_held(mine, false) && !is_held(others, false))
			json_remove(v, it);
		else if (mine)
			prune(a, &inner, it, mine, others);
	}
	field_index_release(&ours);
	field_index_release(&theirs);
}

static void prune(struct arena *a, const struct shape *s, struct json *v, const struct field_set *last,
        const struct field_set *owned)
{
	if (shape_has_members(s) && v->type == JSON_OBJECT)
		prune_members(a, s, v, last, owned);
	else if (shape_is_list(s) && v->type == JSON_ARRAY)
		prune_elements(a, s, v, last, owned);
}

void prune_object(struct arena *a, const struct schema_type *type, struct json *object, const struct field_set *last,
        const struct field_set *owned)
{
	struct shape s = shape_of_type(type);
	prune(a, &s, object, last, owned);
}
