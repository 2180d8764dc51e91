/* The requests Kubernetes makes of its store: objects created, updated and deleted by compare-and-swap on their
 * modification revision; lists in pages, all at the revision of the first; watches from a list's revision, whose
 * watcher keeps a cache that must equal what a list would show. */
#include "jepsen/watcher.h"

#include <inttypes.h>
#include <stdlib.h>

enum { OBJECTS = 40, PAGE = 7, CACHE_EVERY = 20 };

#define PREFIX "/registry/pods/"

struct object {
	int64_t value, mod_revision; /* mod_revision 0: not there */
};

struct informer {
	struct watcher watcher; /* first: w->state is both */
	bool has_listed;
	unsigned events;
	struct object cache[OBJECTS];
};

struct shared {
	atomic_llong end_revision;
};

static int prepare(struct run *r, struct err *err)
{
	r->state = xcalloc(1, sizeof(struct shared));
	return 0;
}

static bool is_informer(const struct worker *w)
{
	return w->index % 3 == 0;
}

static const char *object_key(struct worker *w, unsigned i)
{
	return arena_printf(&w->arena, PREFIX "pod-%02u", i);
}

/* pod-07 to 7; OBJECTS for anything else. */
static unsigned object_index(const Etcdpb__KeyValue *kv)
{
	size_t prefix = sizeof PREFIX "pod-" - 1;
	uint64_t n;
	struct slice text = {(const char *)kv->key.data + prefix, kv->key.len > prefix ? kv->key.len - prefix : 0};
	return text.len && slice_to_u64(text, &n) && n < OBJECTS ? (unsigned)n : OBJECTS;
}

/* ---- writers ---- */

/* One change that holds only at `mod_revision` (0: the object is not there). */
static bool change(struct worker *w, enum history_f f, const char *key, int64_t mod_revision, int64_t *revision)
{
	struct history_record r = HISTORY_RECORD_INIT;
	Etcdpb__TxnRequest txn = ETCDPB__TXN_REQUEST__INIT;
	Etcdpb__TxnResponse *got;
	r.f = (uint8_t)f;
	r.key = key;
	r.expect = f == HISTORY_CREATE ? HISTORY_NIL : mod_revision;
	r.value = f == HISTORY_DELETE ? HISTORY_NIL : run_unique(w->run);
	Etcdpb__Compare *compare = workload_compare_mod(&w->arena, key, mod_revision);
	Etcdpb__RequestOp *op = f == HISTORY_DELETE
	                                ? workload_op_delete(&w->arena, key)
	                                : workload_op_put(&w->arena, key, workload_number(&w->arena, r.value), 0);
	txn.compare = &compare;
	txn.success = &op;
	txn.n_compare = txn.n_success = 1;
	run_invoke(w, &r);
	struct client_answer a = workload_txn(w, &txn, &got);
	bool is_done = got && got->succeeded;
	if (is_done) {
		*revision = r.revision = got->header->revision;
	} else if (got) {
		a.outcome = CLIENT_FAIL;
		err_set(&a.err, ERR_CONFLICT, "did not match");
	}
	run_complete(w, &r, &a);
	return is_done;
}

/* Reads an object, and acts on what it saw. */
static bool write(struct worker *w, int64_t *revision)
{
	struct history_record r = HISTORY_RECORD_INIT;
	Etcdpb__RangeResponse *got;
	r.f = HISTORY_READ;
	r.key = object_key(w, rng_below(&w->rng, OBJECTS));
	run_invoke(w, &r);
	struct client_answer a = workload_get(w, r.key, &got);
	if (got) {
		r.value = workload_value(got->n_kvs ? got->kvs[0] : NULL);
		r.mod_revision = got->n_kvs ? got->kvs[0]->mod_revision : HISTORY_NIL;
		r.revision = got->header->revision;
	}
	run_complete(w, &r, &a);
	if (!got)
		return false;
	if (r.mod_revision == HISTORY_NIL)
		return change(w, HISTORY_CREATE, r.key, 0, revision);
	return change(w, rng_chance(&w->rng, 25) ? HISTORY_DELETE : HISTORY_UPDATE, r.key, r.mod_revision, revision);
}

/* ---- lists ---- */

static void add_page(struct worker *w, const Etcdpb__RangeResponse *page, struct history_item *items, unsigned *count)
{
	for (size_t i = 0; i < page->n_kvs && *count < 2 * OBJECTS; i++) {
		struct history_item *it = &items[(*count)++];
		*it = HISTORY_ITEM_INIT(
		        HISTORY_READ, workload_key_text(&w->arena, page->kvs[i]), workload_value(page->kvs[i]));
		it->mod_revision = page->kvs[i]->mod_revision;
	}
}

/* All pages at the revision of the first. */
static struct client_answer get_pages(struct worker *w, struct history_item *items, unsigned *count, int64_t *revision)
{
	Etcdpb__RangeRequest q = ETCDPB__RANGE_REQUEST__INIT;
	struct client_answer a;
	const char *from = PREFIX;
	q.range_end = client_bytes("/registry/pods0");
	q.limit = PAGE;
	for (bool more = true; more && *count < 2 * OBJECTS;) {
		q.key = client_bytes(from);
		if (*count)
			q.key.len++; /* with the zero byte: the first key behind it */
		a = client_call(w->client, "KV/Range", &q.base, &etcdpb__range_response__descriptor);
		const Etcdpb__RangeResponse *page = a.message;
		if (!page) {
			a.outcome = CLIENT_FAIL;
			return a;
		}
		if (!q.revision)
			q.revision = page->header->revision;
		add_page(w, page, items, count);
		more = page->more && page->n_kvs;
		from = *count ? items[*count - 1].key : from;
	}
	*revision = q.revision;
	return a;
}

static bool list(struct worker *w, struct object *cache, int64_t *revision)
{
	struct history_record r = HISTORY_RECORD_INIT;
	struct history_item items[2 * OBJECTS];
	unsigned count = 0;
	r.f = HISTORY_LIST;
	r.key = PREFIX;
	run_invoke(w, &r);
	struct client_answer a = get_pages(w, items, &count, &r.revision);
	r.items = items;
	r.item_count = count;
	if (a.outcome == CLIENT_OK && cache)
		memset(cache, 0, OBJECTS * sizeof *cache);
	for (unsigned i = 0; i < count && a.outcome == CLIENT_OK && cache; i++) {
		unsigned n = (unsigned)strtoul(items[i].key + sizeof PREFIX "pod-" - 1, NULL, 10);
		if (n < OBJECTS)
			cache[n] = (struct object){items[i].value, items[i].mod_revision};
	}
	*revision = r.revision;
	run_complete(w, &r, &a);
	return a.outcome == CLIENT_OK;
}

/* ---- informers ---- */

static void record_cache(struct worker *w, struct informer *n)
{
	struct history_record r = HISTORY_RECORD_INIT;
	struct history_item items[OBJECTS];
	r.f = HISTORY_CACHE;
	r.key = PREFIX;
	r.revision = n->watcher.next - 1;
	r.items = items;
	for (unsigned i = 0; i < OBJECTS; i++) {
		if (!n->cache[i].mod_revision)
			continue;
		items[r.item_count] = HISTORY_ITEM_INIT(HISTORY_READ, object_key(w, i), n->cache[i].value);
		items[r.item_count++].mod_revision = n->cache[i].mod_revision;
	}
	run_observe(w, &r);
}

static void on_events(struct worker *w, const Etcdpb__WatchResponse *m)
{
	struct informer *n = w->state;
	for (size_t i = 0; i < m->n_events; i++) {
		const Etcdpb__Event *e = m->events[i];
		unsigned at = object_index(e->kv);
		bool is_put = e->type == ETCDPB__EVENT__TYPE__PUT;
		if (at < OBJECTS)
			n->cache[at] =
			        (struct object){is_put ? workload_value(e->kv) : 0, is_put ? e->kv->mod_revision : 0};
		n->events++;
	}
	if (n->events >= CACHE_EVERY) {
		n->events = 0;
		record_cache(w, n);
	}
}

static void inform(struct worker *w)
{
	struct informer *n = w->state;
	int64_t revision;
	if (!n) {
		n = w->state = xcalloc(1, sizeof *n);
		n->watcher = (struct watcher){.prefix = PREFIX, .on_events = on_events};
	}
	if (!n->has_listed || n->watcher.is_compacted) {
		if (!list(w, n->cache, &revision))
			return;
		n->has_listed = true;
		n->watcher.is_compacted = false;
		n->watcher.next = revision + 1;
		return;
	}
	watcher_step(w, &n->watcher);
}

static void step(struct worker *w)
{
	int64_t revision;
	if (is_informer(w))
		inform(w);
	else if (rng_chance(&w->rng, 90))
		write(w, &revision);
	else
		list(w, NULL, &revision);
}

/* Client 1 makes the last change; informers go on until they have seen it, and show their cache. */
static bool last(struct worker *w)
{
	struct shared *s = w->run->state;
	int64_t revision;
	if (w->index == 1) {
		if (!write(w, &revision))
			return false;
		atomic_store(&s->end_revision, revision);
	}
	if (!is_informer(w))
		return list(w, NULL, &revision);
	struct informer *n = w->state;
	int64_t end = atomic_load(&s->end_revision);
	if (n && end && n->watcher.next > end) {
		record_cache(w, n);
		return true;
	}
	inform(w);
	return false;
}

static void end(struct worker *w)
{
	struct informer *n = w->state;
	if (is_informer(w) && n)
		watcher_stop(&n->watcher);
}

const struct workload workload_kube = {.name = "kube",
        .what = "compare-and-swap, paged lists, list and watch: caches equal lists",
        .prepare = prepare,
        .step = step,
        .last = last,
        .end = end,
        .is_paced = true};
