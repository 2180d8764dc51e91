/* Follows one resource of the watch cache, for whoever keeps something that is computed of all its objects: an index of
 * roles, a graph of what pods refer to. Says of every object that is there, and of every change after that, how it was
 * and how it is. It looks when it is asked to (cache_follower_catch_up()), so that what is computed is never older than
 * the cache; and when the cache wakes it, so that it seldom falls out of the ring. When it has, everything is told
 * anew. API loop. */
#ifndef K3X_API_SERVER_CACHE_FOLLOWER_H
#define K3X_API_SERVER_CACHE_FOLLOWER_H

#include "api/server/cache/cache.h"

struct cache_follower {
	struct cache_watcher watcher;
	struct cache *cache;
	struct cache_resource *source;
	bool is_begun;
	/* `before` NULL: it is new; `now` NULL: it is gone. Borrowed. */
	void (*changed)(struct cache_follower *f, const struct object *before, const struct object *now);
	/* Whatever was told is void; all objects follow as new ones. */
	void (*forget)(struct cache_follower *f);
};

/* changed and forget are set. Embedded; nothing is told before the first cache_follower_catch_up(). */
void cache_follower_init(struct cache_follower *f, struct cache *c, const struct resource *r);
void cache_follower_catch_up(struct cache_follower *f);
/* Before the cache closes. */
void cache_follower_stop(struct cache_follower *f);

#endif
