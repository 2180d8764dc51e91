/* The cache's inside, shared by its two files: the feed (cache.c), and kinds that come and go (cache_kinds.c). */
#ifndef K3X_API_SERVER_CACHE_CACHE_INT_H
#define K3X_API_SERVER_CACHE_CACHE_INT_H

#include "api/server/cache/cache.h"
#include "base/rt/closing.h"

struct cache {
	struct loop *loop;
	struct engine *store;
	struct sealer *sealer;
	struct strbuf opened; /* of the value that is looked at */
	bool is_unreadable;   /* something could not be opened, and is as it was before, or not here */
	struct map by_prefix; /* storage prefix -> struct cache_resource */
	int64_t revision;
	struct list_link waits;
	struct list_link due; /* waits whose revision is there */
	struct loop_defer wake_due;
	struct loop_defer
	        look; /* reads the watch: writes of keys that are not followed move the revision without a word */
	struct list_link waking; /* resources with watchers to wake */
	struct loop_defer wake_more;
	struct store_watch *watch;
	struct cache_page {
		struct store_request request;
		struct cache *cache;
	} pages[2];              /* while one is taken in the store reads the next */
	struct arena page_arena; /* keys of the pages asked for */
	int64_t load_revision;
	size_t loaded_count;
	bool is_loading, is_loaded; /* is_loaded: once at least */
	bool is_dropping;           /* the watch is being closed, to load again */
	uv_timer_t reload_timer;
	struct list_link gone;         /* resources that are no longer served, while somebody watches them */
	struct list_link kind_loads;   /* of struct cache_kind, under way */
	struct cache_resource nowhere; /* what a row that is no longer served finds: nothing */
	void (*loaded)(void *arg, const struct err *err);
	void *loaded_arg;
	bool is_closing;
	struct closing closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

struct cache_resource *cache_resource_new(struct cache *c, const struct resource *r);
void cache_resource_free(struct cache_resource *cr);
/* The ring is empty and whoever watches has to list again. */
void cache_resource_restart(struct cache *c, struct cache_resource *cr);
/* Says so, and remembers it. */
void cache_note_unreadable(struct cache *c, const struct err *err);
struct object *cache_remade(const struct resource *r, struct object *o, int64_t revision);
/* The feed has changed or deleted an object while its kind is loaded: what is read of it is older. */
void cache_kind_touched(struct cache_resource *cr, struct slice key);
/* Frees what nobody watches any more. */
void cache_kinds_reap(struct cache *c);
/* The close: gives up what is loaded; each load that is under way holds c->closing until it is back. */
void cache_kinds_close(struct cache *c);

#endif
