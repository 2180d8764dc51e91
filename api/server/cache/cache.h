/* The watch cache: every stored object as finished bytes, and the recent events of each resource.
 *
 * One watch on the store feeds all resources, so the cache as a whole stands at one revision: every event up to it has
 * been taken in. A read that must be consistent asks the store for its newest revision and waits until the cache is
 * there. Each resource keeps its objects ordered by key and a ring of recent events; a watcher holds a position in the
 * ring and is told when something follows it. One that falls out of the ring must list again (410), as with upstream.
 *
 * All on the API loop. */
#ifndef K3X_API_SERVER_CACHE_CACHE_H
#define K3X_API_SERVER_CACHE_CACHE_H

#include "api/server/cache/object.h"
#include "base/mem/list.h"
#include "base/mem/map.h"
#include "base/mem/omap.h"
#include "base/rt/loop.h"
#include "store/engine.h"

struct cache_event {
	int64_t revision;
	struct object *object; /* the new state; of a deletion the last one, with the deletion's revision */
	struct object *before; /* NULL for a creation */
	bool is_delete;
};

/* A consumer of one resource's events. */
struct cache_watcher {
	struct list_link link;
	struct cache_resource *resource;
	uint64_t next; /* sequence number of the first event not yet seen */
	bool told;     /* wake() was called and cache_watcher_next() has not run dry since */
	void (*wake)(struct cache_watcher *w);
};

struct cache_resource {
	const struct resource *resource; /* the storage row; a reference, as custom resources come and go */
	struct slice prefix;             /* of its keys in the store */
	struct omap objects;             /* key -> struct object */
	struct omap incoming;            /* the same, while everything is read anew */
	struct cache_event *ring;
	size_t ring_cap;    /* a power of two */
	uint64_t first_seq; /* oldest event in the ring */
	uint64_t next_seq;
	size_t ring_bytes;
	int64_t horizon; /* events above this revision are all in the ring */
	struct list_link watchers;
	size_t watchers_count;
	size_t unwoken; /* at least so many at the front of `watchers` are to be looked at */
	struct list_link in_waking;
	struct cache_kind *kind; /* a custom resource's, while its objects are loaded */
	struct list_link in_gone;
};

/* A kind that comes while the cache follows the store: embedded by who brings it. */
struct cache_kind {
	/* set by the caller */
	const struct resource *resource; /* held by him until loaded() */
	void (*loaded)(struct cache_kind *k, const struct err *err);
	/* the cache's own */
	struct list_link link;
	struct cache *cache;
	struct cache_resource *target; /* NULL: given up, or all was read anew meanwhile */
	struct store_request request;
	struct arena arena; /* keys of pages, and of what the feed has touched meanwhile */
	struct map touched;
	int64_t revision;
};

/* Waits until the cache has reached a revision; embedded by the caller. */
struct cache_wait {
	struct list_link link;
	int64_t revision;
	void (*reached)(struct cache_wait *w);
};

struct cache;
struct sealer;

/* Loads everything under /registry/ and follows the store from there; `loaded` runs on the loop when that is done, or
 * with an error. sealer: opens what is stored encrypted; borrowed, NULL: nothing is. */
struct cache *cache_new(struct loop *loop, struct engine *store, struct sealer *sealer,
        void (*loaded)(void *arg, const struct err *err), void *arg);
void cache_close(struct cache *c, void (*closed)(void *arg), void *arg);

int64_t cache_revision(const struct cache *c);

/* Calls w->reached, never from inside, once the cache stands at w->revision or later. */
void cache_wait(struct cache *c, struct cache_wait *w);
void cache_wait_cancel(struct cache_wait *w);

/* Kinds that come and go (cache_kinds.c). cache_kind_add() reads what lies under the row's prefix, which is followed
 * from then on; loaded() is called once, never from inside, also with ERR_CANCELED when the cache closes. Until then
 * nobody may ask for the kind. */
void cache_kind_add(struct cache *c, struct cache_kind *k);
/* A row takes the place of another of the same storage. Objects are made anew when `changes_objects`: when it reads
 * them another way (version, defaults, selectable fields); who watches must then list again. */
void cache_kind_renew(struct cache *c, const struct resource *r, bool changes_objects);
/* Its objects are let go, and who watches them is told that he has fallen behind. */
void cache_kind_forget(struct cache *c, const struct resource *r);

/* The object of a stored value, opened when it is encrypted. key: behind the resource's prefix. NULL with err->code 0:
 * it is no object; with ERR_CORRUPT: it cannot be opened. is_whole: as object_new_whole(). */
struct object *cache_object_new(struct cache *c, const struct resource *r, struct slice key, const struct store_kv *kv,
        bool is_whole, struct err *err);
/* The sealer's configuration is another one. When something could not be opened, everything is read anew. */
void cache_sealer_changed(struct cache *c);

/* Of a row's storage. Never NULL for a stored resource; made when first asked for. */
struct cache_resource *cache_resource(struct cache *c, const struct resource *r);
struct object *cache_get(struct cache_resource *cr, struct slice key); /* borrowed, NULL when absent */

/* Positions a watcher behind `revision` and links it: false when events after it are no longer kept. */
bool cache_watch_from(struct cache_resource *cr, struct cache_watcher *w, int64_t revision);
/* The next event, NULL when there is none yet (wake() will tell). *lost is set when the watcher fell behind the ring.
 */
const struct cache_event *cache_watch_next(struct cache_resource *cr, struct cache_watcher *w, bool *lost);
void cache_watch_stop(struct cache_watcher *w);

#endif
