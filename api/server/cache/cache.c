/* See cache.h.
 *
 * Start: the store is read in pages at one revision, then a watch is opened at the revision after it. Objects are found
 * their resource by the longest storage prefix, through a map of prefixes; keys under no known prefix (a CRD that is
 * gone, foreign keys) are left alone.
 *
 * A turn of the feed reads what the store has ready, applies it, and only then wakes the watchers, each once: with a
 * thousand watchers on one resource a burst of writes costs one wake per watcher and turn, not one per event. They are
 * woken some at a time, with the loop's deferred work in between, so that what one has written is encrypted and sent
 * while it is still in the processor's caches, and the first is not kept waiting for the last.
 *
 * What can go wrong: the store compacts past what the watch has read, or replaces its state. Then everything is read
 * anew beside what is here, and takes its place at once; watchers fall out of their rings and list again. While the
 * store cannot be read that is tried again and again, and reads go on from what is here. */
#include "api/server/cache/cache_int.h"

#include "api/server/sealing/sealer.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"

#include <stdlib.h>

enum {
	LOAD_PAGE_KEYS = 500,
	RING_FIRST = 64,
	RING_EVENTS_MAX = 8192,
	WAKE_AT_ONCE = 64,
	RING_BYTES_MAX = 4 * 1024 * 1024, /* of bytes that only the ring may still hold, per resource */
	RELOAD_PAUSE_MS = 500,
	OPENED_BYTES_KEPT = 64 * 1024,
};

static const char registry[] = "/registry/";

/* ---- resources ---- */

struct cache_resource *cache_resource_new(struct cache *c, const struct resource *r)
{
	struct cache_resource *cr = MAP_ENTRY_NEW(struct cache_resource, prefix, slice_of(r->storage_prefix));
	cr->resource = resource_ref(r);
	omap_init(&cr->objects);
	omap_init(&cr->incoming);
	list_init(&cr->watchers);
	list_init(&cr->in_waking);
	cr->first_seq = cr->next_seq = 1;
	cr->horizon = c->revision;
	map_put(&c->by_prefix, cr->prefix, cr);
	return cr;
}

struct cache_resource *cache_resource(struct cache *c, const struct resource *r)
{
	LOOP_CHECK_OWNER(c->loop);
	CHECK(r->storage_prefix != NULL);
	r = r->storage;
	struct cache_resource *cr = map_get(&c->by_prefix, slice_of(r->storage_prefix));
	if (!cr && r->is_custom) /* its definition is gone, and a call that began before is still here */
		return &c->nowhere;
	return cr ? cr : cache_resource_new(c, r);
}

static bool add_row(void *arg, const struct resource *r)
{
	if (r->storage_prefix && !r->is_custom)
		cache_resource(arg, r);
	return true;
}

/* Splits "/registry/pods/default/web" into its resource and "default/web". */
static struct cache_resource *find_resource(struct cache *c, struct slice key, struct slice *rest)
{
	size_t len = key.len;
	for (;;) {
		while (len && key.ptr[len - 1] != '/')
			len--;
		if (len <= sizeof registry - 1)
			return NULL;
		struct cache_resource *cr = map_get(&c->by_prefix, (struct slice){key.ptr, len});
		if (cr) {
			*rest = (struct slice){key.ptr + len, key.len - len};
			return cr;
		}
		len--;
	}
}

struct object *cache_get(struct cache_resource *cr, struct slice key)
{
	return omap_get(&cr->objects, key);
}

/* ---- the ring ---- */

static struct cache_event *ring_at(struct cache_resource *cr, uint64_t seq)
{
	return &cr->ring[seq & (cr->ring_cap - 1)];
}

static size_t event_bytes(const struct cache_event *e)
{
	const struct object *o = e->before, *gone = e->is_delete ? e->object : NULL;
	return (o ? o->json->len + o->packed_len : 0) + (gone ? gone->json->len + gone->packed_len : 0) + sizeof *e;
}

static void ring_drop_oldest(struct cache_resource *cr)
{
	struct cache_event *e = ring_at(cr, cr->first_seq++);
	CHECK(cr->ring_bytes >= event_bytes(e));
	cr->ring_bytes -= event_bytes(e);
	cr->horizon = e->revision;
	object_unref(e->object);
	object_unref(e->before);
}

static void ring_grow(struct cache_resource *cr)
{
	size_t cap = cr->ring_cap ? cr->ring_cap * 2 : RING_FIRST;
	struct cache_event *ring = xmalloc(cap * sizeof *ring);
	for (uint64_t s = cr->first_seq; s < cr->next_seq; s++)
		ring[s & (cap - 1)] = *ring_at(cr, s);
	free(cr->ring);
	cr->ring = ring;
	cr->ring_cap = cap;
}

/* Takes over the references in e. */
static void ring_add(struct cache_resource *cr, struct cache_event e)
{
	CHECK(e.object != NULL && e.revision > 0);
	cr->ring_bytes += event_bytes(&e);
	while (cr->next_seq > cr->first_seq &&
	        (cr->ring_bytes > RING_BYTES_MAX || cr->next_seq - cr->first_seq >= RING_EVENTS_MAX))
		ring_drop_oldest(cr);
	if (cr->next_seq - cr->first_seq == cr->ring_cap)
		ring_grow(cr);
	*ring_at(cr, cr->next_seq++) = e;
}

bool cache_watch_from(struct cache_resource *cr, struct cache_watcher *w, int64_t revision)
{
	if (revision < cr->horizon)
		return false;
	uint64_t low = cr->first_seq, high = cr->next_seq;
	while (low < high) { /* first event above the revision */
		uint64_t mid = low + (high - low) / 2;
		if (ring_at(cr, mid)->revision > revision)
			high = mid;
		else
			low = mid + 1;
	}
	w->next = low;
	w->told = false;
	w->resource = cr;
	cr->watchers_count++;
	list_push_back(&cr->watchers, &w->link);
	return true;
}

const struct cache_event *cache_watch_next(struct cache_resource *cr, struct cache_watcher *w, bool *lost)
{
	*lost = w->next < cr->first_seq;
	if (*lost)
		return NULL;
	if (w->next == cr->next_seq) {
		w->told = false;
		return NULL;
	}
	return ring_at(cr, w->next++);
}

void cache_watch_stop(struct cache_watcher *w)
{
	if (!w->link.next)
		return;
	list_del(&w->link);
	w->link.next = NULL;
	w->resource->watchers_count--;
}

/* Looks at the first watcher and puts it last. */
static bool wake_first(struct cache_resource *cr)
{
	struct list_link *it = list_pop_front(&cr->watchers);
	cr->unwoken--;
	if (!it) {
		cr->unwoken = 0;
		return false;
	}
	list_push_back(&cr->watchers, it);
	struct cache_watcher *w = CONTAINER_OF(it, struct cache_watcher, link);
	if (w->told || w->next == cr->next_seq)
		return false;
	w->told = true;
	w->wake(w); /* may unlink itself, not others */
	return true;
}

static void wake_some(struct loop_defer *d)
{
	struct cache *c = CONTAINER_OF(d, struct cache, wake_more);
	int woken = 0;
	while (!list_empty(&c->waking) && woken < WAKE_AT_ONCE) {
		struct cache_resource *cr = CONTAINER_OF(c->waking.next, struct cache_resource, in_waking);
		while (cr->unwoken && woken < WAKE_AT_ONCE)
			woken += wake_first(cr);
		if (!cr->unwoken)
			list_del(&cr->in_waking);
	}
	if (!list_empty(&c->waking))
		loop_defer(c->loop, &c->wake_more);
}

static void note_event(struct cache *c, struct cache_resource *cr)
{
	cr->unwoken = cr->watchers_count;
	if (cr->unwoken && !list_linked(&cr->in_waking))
		list_push_back(&c->waking, &cr->in_waking);
}

/* ---- waiting for a revision ---- */

static void wake_due(struct loop_defer *d)
{
	struct cache *c = CONTAINER_OF(d, struct cache, wake_due);
	struct list_link *it;
	while ((it = list_pop_front(&c->due))) {
		struct cache_wait *w = CONTAINER_OF(it, struct cache_wait, link);
		w->reached(w); /* may add waits, and cancel others */
	}
}

static void collect_due(struct cache *c)
{
	LIST_FOREACH (it, &c->waits)
		if (CONTAINER_OF(it, struct cache_wait, link)->revision <= c->revision) {
			list_del(it);
			list_push_back(&c->due, it);
		}
	if (!list_empty(&c->due))
		loop_defer(c->loop, &c->wake_due);
}

void cache_wait(struct cache *c, struct cache_wait *w)
{
	LOOP_CHECK_OWNER(c->loop);
	CHECK(!c->is_closing);
	bool is_due = w->revision <= c->revision;
	list_push_back(is_due ? &c->due : &c->waits, &w->link);
	loop_defer(c->loop, is_due ? &c->wake_due : &c->look);
}

void cache_wait_cancel(struct cache_wait *w)
{
	DCHECK(w != NULL);
	if (w->link.next && list_linked(&w->link))
		list_del(&w->link);
}

int64_t cache_revision(const struct cache *c)
{
	return c->revision;
}

/* ---- the feed ---- */

struct object *cache_object_new(struct cache *c, const struct resource *r, struct slice key, const struct store_kv *kv,
        bool is_whole, struct err *err)
{
	struct slice plain = kv->value;
	uint32_t seal = 0;
	LOOP_CHECK_OWNER(c->loop);
	if (c->sealer && sealer_open(c->sealer, r, kv->key, kv->value, &c->opened, &plain, &seal, err) != 0)
		return NULL;
	struct object *o = is_whole ? object_new_whole(r, key, plain, kv->mod_revision)
	                            : object_new(r, key, plain, kv->mod_revision);
	if (o)
		o->seal = seal;
	if (c->opened.cap > OPENED_BYTES_KEPT)
		strbuf_release(&c->opened);
	return o;
}

void cache_note_unreadable(struct cache *c, const struct err *err)
{
	CHECK(err->code);
	if (!c->is_unreadable)
		log_error("cache", "what is stored cannot be read: it is served as it was before, or not at all",
		        "error=\"%s\"", err->msg);
	c->is_unreadable = true;
}

static void apply_put(struct cache *c, struct cache_resource *cr, struct slice key, const struct store_kv *kv)
{
	struct err err = ERR_INIT;
	struct object *o = cache_object_new(c, cr->resource, key, kv, false, &err);
	if (err.code) {
		cache_note_unreadable(c, &err);
		return;
	}
	if (!o) {
		log_warn("cache", "stored value is not an object, ignored", "key=%.*s revision=%lld",
		        SLICE_FMT(kv->key), (long long)kv->mod_revision);
		return;
	}
	if (cr->kind)
		cache_kind_touched(cr, o->key);
	struct object *before = omap_put(&cr->objects, o->key, o);
	ring_add(cr, (struct cache_event){kv->mod_revision, object_ref(o), before, false});
}

/* The text without the resourceVersion member that object_new() had put first into metadata. */
struct object *cache_remade(const struct resource *r, struct object *o, int64_t revision)
{
	struct arena a = ARENA_INIT;
	struct strbuf text = STRBUF_INIT;
	struct rcbuf *whole = object_whole(o);
	struct json *tree = json_parse(&a, (struct slice){whole->data, whole->len}, NULL, NULL);
	CHECK(tree != NULL);
	rcbuf_unref(whole);
	json_del(json_get(tree, "metadata"), "resourceVersion");
	json_write(&text, tree);
	struct object *made = object_new(r, o->key, strbuf_slice(&text), revision);
	if (made)
		made->seal = o->seal;
	strbuf_release(&text);
	arena_release(&a);
	return made;
}

static void apply_delete(struct cache_resource *cr, struct slice key, int64_t revision)
{
	struct object *before = omap_del(&cr->objects, key);
	if (cr->kind)
		cache_kind_touched(cr, key);
	if (before)
		ring_add(
		        cr, (struct cache_event){revision, cache_remade(cr->resource, before, revision), before, true});
}

static void apply_event(struct cache *c, const struct store_event *e)
{
	struct slice key;
	struct cache_resource *cr = find_resource(c, e->kv.key, &key);
	if (!cr)
		return;
	if (e->is_delete)
		apply_delete(cr, key, e->kv.mod_revision);
	else
		apply_put(c, cr, key, &e->kv);
	note_event(c, cr);
}

static void feed(void *arg);

static void look(struct loop_defer *d)
{
	struct cache *c = CONTAINER_OF(d, struct cache, look);
	if (c->watch)
		feed(c);
}

static void reload(struct cache *c);

static void feed(void *arg)
{
	struct cache *c = arg;
	LOOP_CHECK_OWNER(c->loop);
	if (!list_empty(&c->gone))
		cache_kinds_reap(c);
	for (;;) {
		struct store_watch_batch batch;
		struct err err = ERR_INIT;
		if (store_watch_read(c->store, c->watch, &batch, &err) != 0) {
			log_warn("cache", "watch on the store broke, everything is read anew", "error=\"%s\"", err.msg);
			reload(c);
			return;
		}
		for (size_t i = 0; i < batch.n_events; i++)
			apply_event(c, &batch.events[i]);
		bool moved = batch.revision > c->revision;
		if (moved)
			c->revision = batch.revision;
		if (!batch.n_events && !moved)
			break;
	}
	collect_due(c);
	wake_some(&c->wake_more);
}

/* ---- loading ---- */

static void load_page(struct cache_page *page, struct slice from);

static void drop_objects(struct omap *objects)
{
	for (struct omap_node *n = objects->head[0]; n; n = omap_next(n))
		object_unref(n->value);
	omap_release(objects);
	omap_init(objects);
}

void cache_resource_restart(struct cache *c, struct cache_resource *cr)
{
	CHECK(cr->first_seq <= cr->next_seq);
	while (cr->first_seq < cr->next_seq)
		ring_drop_oldest(cr);
	cr->first_seq = ++cr->next_seq;
	cr->horizon = c->revision;
	note_event(c, cr);
}

/* What was read takes the place of what was there; whoever watches has missed what lies between. */
static void take_over(struct cache *c, struct cache_resource *cr)
{
	struct omap old = cr->objects;
	if (cr->kind) /* what is read of it besides is older */
		cr->kind->target = NULL;
	cr->kind = NULL;
	cr->objects = cr->incoming;
	omap_init(&cr->incoming);
	drop_objects(&old);
	cache_resource_restart(c, cr);
}

static void follow(struct cache *c)
{
	struct arena a = ARENA_INIT;
	struct store_watch_options options = {
	        .keys = store_prefix_range(&a, slice_of(registry)), .start_revision = c->load_revision + 1};
	c->watch = store_watch_open(c->store, &options, c->loop, feed, c);
	arena_release(&a);
}

static void load_begin(struct cache *c);
static void on_reload_timer(uv_timer_t *t);

static void load_again(struct cache *c, const struct err *err)
{
	MAP_FOREACH (slot, &c->by_prefix)
		drop_objects(&((struct cache_resource *)slot->value)->incoming);
	if (err->code == ERR_COMPACTED) { /* while the pages were read */
		load_begin(c);
		return;
	}
	log_warn("cache", "cannot read the store, it is tried again", "error=\"%s\"", err->msg);
	uv_timer_start(&c->reload_timer, on_reload_timer, RELOAD_PAUSE_MS, 0);
}

static void load_done(struct cache *c, const struct err *err)
{
	LOOP_CHECK_OWNER(c->loop);
	CHECK(c->is_loading);
	arena_reset(&c->page_arena);
	c->is_loading = false;
	if (c->is_closing) {
		closing_part_done(&c->closing);
		return;
	}
	/* At the start too: who comes back first waits for a majority, however long the others take. */
	if (err->code == ERR_COMPACTED || (err->code && (c->is_loaded || err_may_retry(err->code)))) {
		load_again(c, err);
		return;
	}
	if (err->code) {
		c->loaded(c->loaded_arg, err);
		return;
	}
	c->revision = c->load_revision;
	c->is_unreadable = false;
	MAP_FOREACH (slot, &c->by_prefix)
		take_over(c, slot->value);
	follow(c);
	log_info("cache", "loaded", "objects=%zu revision=%lld", c->loaded_count, (long long)c->revision);
	collect_due(c);
	loop_defer(c->loop, &c->wake_more);
	if (!c->is_loaded) {
		c->is_loaded = true;
		c->loaded(c->loaded_arg, err);
	}
}

static int take_page(struct cache *c, const struct store_result *result, struct err *err)
{
	for (size_t i = 0; !err->code && i < result->n_kvs; i++) {
		struct store_kv *kv = &result->kvs[i];
		struct slice key;
		struct cache_resource *cr = find_resource(c, kv->key, &key);
		struct object *o = cr ? cache_object_new(c, cr->resource, key, kv, false, err) : NULL;
		if (o) {
			object_unref(omap_put(&cr->incoming, o->key, o));
			c->loaded_count++;
		}
	}
	return err->code;
}

static void load_page_done(struct store_request *req)
{
	struct cache_page *page = CONTAINER_OF(req, struct cache_page, request);
	struct cache *c = page->cache;
	struct err err = req->err;
	if (!c->load_revision)
		c->load_revision = req->revision;
	if (!err.code)
		take_page(c, &req->result, &err);
	bool more = !err.code && req->result.more && !c->is_closing;
	if (more) {
		struct slice last =
		        req->result.kvs[req->result.n_kvs - 1].key; /* the zero byte after it makes it the next key */
		char *copy = arena_memdup(&c->page_arena, last.ptr, last.len);
		load_page(page == &c->pages[0] ? &c->pages[1] : &c->pages[0], (struct slice){copy, last.len + 1});
	}
	store_request_release(req);
	if (!more)
		load_done(c, &err);
}

static void load_page(struct cache_page *page, struct slice from)
{
	struct cache *c = page->cache;
	struct store_key_range all = store_prefix_range(&c->page_arena, slice_of(registry));
	page->request = (struct store_request){.type = STORE_REQUEST_OP, .loop = c->loop, .done = load_page_done};
	page->request.op.type = STORE_OP_RANGE;
	page->request.op.range = (struct store_range){.keys = {from.ptr ? from : all.key, all.end},
	        .limit = LOAD_PAGE_KEYS,
	        .revision = c->load_revision,
	        .no_count = true};
	store_submit(c->store, &page->request);
}

static void load_begin(struct cache *c)
{
	CHECK(!c->is_loading && !c->watch);
	c->is_loading = true;
	c->load_revision = 0;
	c->loaded_count = 0;
	load_page(&c->pages[0], SLICE_NULL);
}

static void on_reload_timer(uv_timer_t *t)
{
	load_begin(t->data);
}

static void watch_dropped(void *arg)
{
	struct cache *c = arg;
	c->is_dropping = false;
	if (c->is_closing)
		closing_part_done(&c->closing);
	else
		load_begin(c);
}

/* The watch is of no use any more. */
static void reload(struct cache *c)
{
	struct store_watch *w = TAKE(c->watch);
	c->is_dropping = true;
	store_watch_close(c->store, w, watch_dropped, c);
}

static void all_closed(struct closing *closing);

void cache_sealer_changed(struct cache *c)
{
	LOOP_CHECK_OWNER(c->loop);
	if (c->is_unreadable && c->watch && !c->is_closing)
		reload(c);
}

struct cache *cache_new(struct loop *loop, struct engine *store, struct sealer *sealer,
        void (*loaded)(void *arg, const struct err *err), void *arg)
{
	struct cache *c = xcalloc(1, sizeof *c);
	c->loop = loop;
	c->store = store;
	c->sealer = sealer;
	c->loaded = loaded;
	c->loaded_arg = arg;
	c->closing.all_closed = all_closed;
	list_init(&c->waits);
	list_init(&c->due);
	list_init(&c->waking);
	list_init(&c->gone);
	list_init(&c->kind_loads);
	list_init(&c->nowhere.watchers);
	list_init(&c->nowhere.in_waking);
	omap_init(&c->nowhere.objects);
	c->nowhere.resource = resource_find_preferred(SLICE(""), SLICE("configmaps")); /* there is none of it */
	c->nowhere.horizon = INT64_MAX;
	loop_defer_init(&c->wake_more, wake_some);
	loop_defer_init(&c->wake_due, wake_due);
	loop_defer_init(&c->look, look);
	CHECK(uv_timer_init(loop_uv(loop), &c->reload_timer) == 0);
	c->reload_timer.data = c;
	resources_each(add_row, c);
	c->pages[0].cache = c->pages[1].cache = c;
	load_begin(c);
	return c;
}

/* ---- the end ---- */

void cache_resource_free(struct cache_resource *cr)
{
	CHECK(list_empty(&cr->watchers));
	while (cr->first_seq < cr->next_seq)
		ring_drop_oldest(cr);
	drop_objects(&cr->objects);
	drop_objects(&cr->incoming);
	omap_release(&cr->objects);
	omap_release(&cr->incoming);
	resource_unref(cr->resource);
	free(cr->ring);
	free(cr);
}

static void all_closed(struct closing *closing)
{
	struct cache *c = CONTAINER_OF(closing, struct cache, closing);
	void (*closed)(void *) = c->closed;
	void *closed_arg = c->closed_arg;
	MAP_FOREACH (slot, &c->by_prefix)
		cache_resource_free(slot->value);
	cache_kinds_reap(c);
	CHECK(list_empty(&c->gone));
	map_release(&c->by_prefix);
	arena_release(&c->page_arena);
	strbuf_release(&c->opened);
	free(c);
	if (closed)
		closed(closed_arg);
}

static void timer_closed(uv_handle_t *h)
{
	struct cache *c = h->data;
	closing_part_done(&c->closing);
}

void cache_close(struct cache *c, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(c->loop);
	CHECK(list_empty(&c->waits) && list_empty(&c->due) && !c->is_closing);
	c->is_closing = true;
	c->closed = closed;
	c->closed_arg = arg;
	loop_defer_cancel(&c->wake_more);
	loop_defer_cancel(&c->wake_due);
	loop_defer_cancel(&c->look);
	cache_kinds_close(c);
	closing_hold(&c->closing);
	uv_close((uv_handle_t *)&c->reload_timer, timer_closed);
	if (c->is_loading || c->is_dropping)
		closing_hold(&c->closing);
	if (c->watch) {
		closing_hold(&c->closing);
		store_watch_close(c->store, TAKE(c->watch), closing_part_done, &c->closing);
	}
}
