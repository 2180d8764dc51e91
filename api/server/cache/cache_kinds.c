/* Kinds that come and go while the cache follows the store: custom resources.
 *
 * A kind that comes is followed at once, and what lies under its prefix is read at the revision that the cache stands
 * at: all that the feed brings is newer. So of each key the feed's word counts, and what was read fills in the rest.
 * Nobody asks for the kind meanwhile, for its rows are not in the registry yet.
 *
 * What can go wrong: the store compacts past that revision while the pages are read: it begins again. The cache reads
 * everything anew: then the objects are there with all others. A kind that goes may still be watched: it stays beside
 * the others until the last watcher has left. */
#include "api/server/cache/cache_int.h"

#include "base/check.h"

#include <stdlib.h>

enum { KIND_PAGE_KEYS = 500 };

static void load_page(struct cache_kind *k, struct slice from);

static void finish(struct cache_kind *k, const struct err *err)
{
	struct cache *c = k->cache;
	list_del(&k->link);
	if (k->target)
		k->target->kind = NULL;
	map_release(&k->touched);
	arena_release(&k->arena);
	if (c->is_closing) {
		struct err canceled = ERR_INIT;
		err_set(&canceled, ERR_CANCELED, "the server closes");
		k->loaded(k, &canceled);
		closing_part_done(&c->closing);
		return;
	}
	k->loaded(k, err);
}

static void begin(struct cache_kind *k)
{
	map_release(&k->touched);
	map_init(&k->touched);
	arena_reset(&k->arena);
	k->revision = k->cache->revision;
	load_page(k, SLICE_NULL);
}

void cache_kind_touched(struct cache_resource *cr, struct slice key)
{
	struct cache_kind *k = cr->kind;
	char *copy = arena_memdup(&k->arena, key.ptr, key.len);
	map_put(&k->touched, (struct slice){copy, key.len}, k);
}

static void take_page(struct cache_kind *k, const struct store_result *result)
{
	struct cache_resource *cr = k->target;
	for (size_t i = 0; cr && i < result->n_kvs; i++) {
		const struct store_kv *kv = &result->kvs[i];
		struct slice key = {kv->key.ptr + cr->prefix.len, kv->key.len - cr->prefix.len};
		struct err err = ERR_INIT;
		struct object *o = map_get(&k->touched, key)
		                           ? NULL
		                           : cache_object_new(k->cache, cr->resource, key, kv, false, &err);
		if (err.code)
			cache_note_unreadable(k->cache, &err);
		if (o)
			object_unref(omap_put(&cr->objects, o->key, o));
	}
}

static void page_done(struct store_request *req)
{
	struct cache_kind *k = CONTAINER_OF(req, struct cache_kind, request);
	struct err err = req->err;
	bool more = !err.code && req->result.more && k->target && !k->cache->is_closing;
	struct slice next = SLICE_NULL;
	if (!err.code)
		take_page(k, &req->result);
	if (more) {
		struct slice last = req->result.kvs[req->result.n_kvs - 1].key;
		next = (struct slice){arena_memdup(&k->arena, last.ptr, last.len), last.len + 1};
	}
	store_request_release(req);
	if (more) {
		load_page(k, next);
	} else if (err.code == ERR_COMPACTED && k->target && !k->cache->is_closing) {
		begin(k);
	} else {
		if (!err.code && k->target)
			cache_resource_restart(k->cache, k->target);
		if (!k->target)
			err = ERR_INIT; /* all was read anew, with this */
		finish(k, &err);
	}
}

static void load_page(struct cache_kind *k, struct slice from)
{
	struct cache *c = k->cache;
	struct store_key_range all = store_prefix_range(&k->arena, slice_of(k->resource->storage_prefix));
	k->request = (struct store_request){.type = STORE_REQUEST_OP, .loop = c->loop, .done = page_done};
	k->request.op.type = STORE_OP_RANGE;
	k->request.op.range = (struct store_range){.keys = {from.ptr ? from : all.key, all.end},
	        .limit = KIND_PAGE_KEYS,
	        .revision = k->revision,
	        .serializable = true,
	        .no_count = true};
	store_submit(c->store, &k->request);
}

void cache_kind_add(struct cache *c, struct cache_kind *k)
{
	const struct resource *r = k->resource->storage;
	LOOP_CHECK_OWNER(c->loop);
	CHECK(!c->is_closing && r->storage_prefix);
	CHECK(!map_get(&c->by_prefix, slice_of(r->storage_prefix)));
	k->cache = c;
	k->target = cache_resource_new(c, r);
	k->target->kind = k;
	map_init(&k->touched);
	arena_init(&k->arena);
	list_push_back(&c->kind_loads, &k->link);
	begin(k);
}

/* ---- changes ---- */

void cache_kind_renew(struct cache *c, const struct resource *r, bool changes_objects)
{
	struct cache_resource *cr = map_get(&c->by_prefix, slice_of(r->storage_prefix));
	LOOP_CHECK_OWNER(c->loop);
	if (!cr)
		return;
	const struct resource *before = cr->resource;
	cr->resource = resource_ref(r->storage);
	resource_unref(before);
	if (!changes_objects)
		return;
	for (struct omap_node *n = cr->objects.head[0]; n; n = omap_next(n)) {
		struct object *o = n->value, *now = cache_remade(cr->resource, o, o->revision);
		n->value = now;
		n->key = now->key;
		object_unref(o);
	}
	cache_resource_restart(c, cr);
}

void cache_kind_forget(struct cache *c, const struct resource *r)
{
	struct cache_resource *cr = map_del(&c->by_prefix, slice_of(r->storage_prefix));
	LOOP_CHECK_OWNER(c->loop);
	if (!cr)
		return;
	if (cr->kind)
		cr->kind->target = NULL;
	cr->kind = NULL;
	cache_resource_restart(c, cr);
	cr->horizon = INT64_MAX;
	list_push_back(&c->gone, &cr->in_gone);
}

void cache_kinds_reap(struct cache *c)
{
	LIST_FOREACH (it, &c->gone) {
		struct cache_resource *cr = CONTAINER_OF(it, struct cache_resource, in_gone);
		if (c->is_closing)
			list_del(&cr->in_waking); /* nobody is woken any more */
		if (cr->watchers_count || list_linked(&cr->in_waking))
			continue;
		list_del(it);
		cache_resource_free(cr);
	}
}

void cache_kinds_close(struct cache *c)
{
	LIST_FOREACH (it, &c->kind_loads)
		closing_hold(&c->closing);
}
