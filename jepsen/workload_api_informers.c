/* Informers: clients that list, watch from there, and keep a cache by the events, while others change the objects. A
 * watch that was cut is resumed where it was, at the same server or another; one that was told 410 lists anew.
 *
 *     no list --list--> listed --watch--> following --cut--> listed        any --410--> no list
 *
 * Every event is recorded, and what the cache holds now and then. In the end each cache has to become what every server
 * lists, by events alone. */
#include "jepsen/api_objects.h"

#include <stdlib.h>

enum { WAIT_MS = 200, CACHE_EVERY = 20, LEAVE_PERMILLE = 15, FINAL_MS_MAX = 2000 };

struct object {
	int64_t value, mod_revision; /* mod_revision 0: not there */
};

struct informer {
	struct api_state api; /* first */
	struct kube_watch *watch;
	bool has_listed;
	int64_t revision; /* everything up to here is in the cache */
	unsigned events;
	struct object cache[API_OBJECTS];
};

static bool is_informer(const struct worker *w)
{
	return w->index % 3 == 0;
}

static unsigned index_of(const char *name)
{
	unsigned long n = strtoul(name + sizeof API_PREFIX - 1, NULL, 10);
	return n < API_OBJECTS ? (unsigned)n : 0;
}

/* ---- what is recorded ---- */

static void record_cache(struct worker *w, struct informer *n)
{
	struct history_record r = HISTORY_RECORD_INIT;
	struct history_item items[API_OBJECTS];
	r.f = HISTORY_CACHE;
	r.key = API_PREFIX;
	r.revision = n->revision;
	r.items = items;
	for (unsigned i = 0; i < API_OBJECTS; i++) {
		if (!n->cache[i].mod_revision)
			continue;
		items[r.item_count] = HISTORY_ITEM_INIT(
		        HISTORY_READ, arena_printf(&w->arena, API_PREFIX "%02u", i), n->cache[i].value);
		items[r.item_count++].mod_revision = n->cache[i].mod_revision;
	}
	run_observe(w, &r);
	n->events = 0;
}

static void leave(struct worker *w, struct informer *n, bool is_gone, const char *why)
{
	struct history_record r = HISTORY_RECORD_INIT;
	r.f = HISTORY_WATCH_CANCEL;
	r.key = API_PREFIX;
	r.error = why;
	r.revision = is_gone ? n->revision + 1 : HISTORY_NIL;
	run_observe(w, &r);
	kube_watch_close(n->watch);
	n->watch = NULL;
	if (is_gone)
		n->has_listed = false;
	api_move_on(w);
}

/* ---- its steps ---- */

static void list(struct worker *w, struct informer *n)
{
	struct history_item *items;
	unsigned count;
	int64_t revision;
	if (!api_objects_list(w, api_client(w, sizeof *n), &items, &count, &revision)) {
		api_move_on(w);
		return;
	}
	memset(n->cache, 0, sizeof n->cache);
	for (unsigned i = 0; i < count; i++)
		n->cache[index_of(items[i].key)] = (struct object){items[i].value, items[i].mod_revision};
	n->revision = revision;
	n->has_listed = true;
}

static void watch(struct worker *w, struct informer *n)
{
	struct history_record r = HISTORY_RECORD_INIT;
	struct client_answer ok = {.outcome = CLIENT_OK};
	r.f = HISTORY_WATCH;
	r.key = API_PREFIX;
	r.revision = n->revision + 1;
	run_invoke(w, &r);
	n->watch = kube_watch_open(api_client(w, sizeof *n),
	        arena_printf(&w->arena, API_CONFIGMAPS "?watch=1&allowWatchBookmarks=true&resourceVersion=%lld",
	                (long long)n->revision));
	r.revision = HISTORY_NIL;
	run_complete(w, &r, &ok); /* whether it is one comes with its events */
}

/* One event; objects of others and bookmarks say how far it has come. */
static void take(struct worker *w, struct informer *n, const char *type, const json_t *object)
{
	struct history_record r = HISTORY_RECORD_INIT;
	const char *name = strcmp(type, "BOOKMARK") == 0 ? NULL : api_object_name(w, object);
	bool deletes = strcmp(type, "DELETED") == 0;
	struct history_item item;
	r.f = HISTORY_WATCH_EVENT;
	r.key = API_PREFIX;
	r.revision = kube_revision(object);
	if (name) {
		item = HISTORY_ITEM_INIT(
		        deletes ? HISTORY_DELETE : HISTORY_PUT, name, deletes ? HISTORY_NIL : api_object_value(object));
		item.mod_revision = r.revision;
		r.items = &item;
		r.item_count = 1;
		n->cache[index_of(name)] = (struct object){deletes ? 0 : item.value, deletes ? 0 : r.revision};
		n->events++;
	}
	run_observe(w, &r);
	n->revision = r.revision;
	if (n->events >= CACHE_EVERY)
		record_cache(w, n);
}

static void follow(struct worker *w, struct informer *n)
{
	bool ended;
	json_auto_t *event = kube_watch_next(n->watch, WAIT_MS, &ended);
	const json_t *object = json_object_get(event, "object");
	struct slice type = json_lib_get_str(event, "type");
	int status = kube_watch_status(n->watch);
	if (event && slice_is(type, "ERROR"))
		leave(w, n, json_lib_get_int(object, "code", 0) == 410,
		        arena_printf(&w->arena, "%.*s", SLICE_FMT(json_lib_get_str(object, "message"))));
	else if (event && status == 200)
		take(w, n, arena_memdup(&w->arena, type.ptr, type.len), object);
	else if (event || ended)
		leave(w, n, status == 410, kube_watch_error(n->watch)->msg);
	if (n->watch && !run_is_final(w->run) && rng_below(&w->rng, 1000) < LEAVE_PERMILLE)
		leave(w, n, false, "left");
}

static void inform(struct worker *w)
{
	api_client(w, sizeof(struct informer));
	struct informer *n = w->state;
	if (!n->has_listed)
		list(w, n);
	else if (!n->watch)
		watch(w, n);
	else
		follow(w, n);
	w->goes_on = n->watch != NULL;
}

static void step(struct worker *w)
{
	int64_t revision;
	if (is_informer(w))
		inform(w);
	else
		api_object_step(w, rng_below(&w->rng, API_OBJECTS), false, 0, &revision);
}

/* ---- the end ---- */

static bool equals(const struct informer *n, const struct history_item *items, unsigned count)
{
	unsigned cached = 0;
	for (unsigned i = 0; i < API_OBJECTS; i++)
		cached += n->cache[i].mod_revision != 0;
	for (unsigned i = 0; i < count; i++) {
		const struct object *o = &n->cache[index_of(items[i].key)];
		if (o->value != items[i].value || o->mod_revision != items[i].mod_revision)
			return false;
	}
	return cached == count;
}

/* Each server's list is taken through a client of its own: the worker's one is busy with the watch. */
static bool equals_every_list(struct worker *w, const struct informer *n)
{
	struct cluster *c = &w->run->cluster;
	bool all = true;
	for (unsigned i = 0; i < c->count && all; i++) {
		struct history_item *items;
		unsigned count;
		int64_t revision;
		struct kube_client *to =
		        kube_client_new(c->tls, c->net.nodes[i].address, CLUSTER_API_PORT, FINAL_MS_MAX);
		all = api_objects_list(w, to, &items, &count, &revision) && equals(n, items, count);
		kube_client_free(to);
	}
	return all;
}

static bool last(struct worker *w)
{
	if (!is_informer(w))
		return true;
	struct informer *n = w->state;
	if (n && n->has_listed && n->watch && equals_every_list(w, n)) {
		record_cache(w, n);
		return true;
	}
	inform(w);
	return false;
}

static void end(struct worker *w)
{
	struct informer *n = w->state;
	if (n && is_informer(w))
		kube_watch_close(n->watch);
	api_end(w);
}

const struct workload workload_api_informers = {.name = "api-informers",
        .what = "list and watch of ConfigMaps: caches equal what every server lists",
        .prepare = api_prepare,
        .step = step,
        .last = last,
        .end = end,
        .wants_kube = true,
        .is_paced = true};
