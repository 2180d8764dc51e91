/* See follower.h. */
#include "api/server/cache/follower.h"

#include "base/check.h"

static void woken(struct cache_watcher *w)
{
	cache_follower_catch_up(CONTAINER_OF(w, struct cache_follower, watcher));
}

void cache_follower_init(struct cache_follower *f, struct cache *c, const struct resource *r)
{
	CHECK(f->changed && f->forget && r);
	f->cache = c;
	f->source = cache_resource(c, r);
	f->watcher = (struct cache_watcher){.wake = woken};
	f->is_begun = false;
}

static void begin(struct cache_follower *f)
{
	cache_watch_stop(&f->watcher);
	f->forget(f);
	f->is_begun = cache_watch_from(f->source, &f->watcher, cache_revision(f->cache));
	for (struct omap_node *n = f->source->objects.head[0]; n; n = omap_next(n))
		f->changed(f, NULL, n->value);
}

void cache_follower_catch_up(struct cache_follower *f)
{
	const struct cache_event *e;
	bool lost = !f->is_begun;
	if (f->is_begun && f->watcher.next == f->source->next_seq) {
		f->watcher.told = false;
		return;
	}
	while (!lost && (e = cache_watch_next(f->source, &f->watcher, &lost)))
		f->changed(f, e->before, e->is_delete ? NULL : e->object);
	if (lost)
		begin(f);
}

void cache_follower_stop(struct cache_follower *f)
{
	if (f->is_begun)
		cache_watch_stop(&f->watcher);
	f->is_begun = false;
}
