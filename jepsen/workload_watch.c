/* Watches: a third of the clients watch a prefix, the others change it. Every watcher must see every change once, in
 * order, all changes of a revision together, over reconnects to any server and over compactions. */
#include "jepsen/watcher.h"

enum { KEYS = 10, TXN_CHANGES_MAX = 4 };

#define PREFIX "w/"

struct shared {
	atomic_llong end_revision; /* of the last change of all, 0 while there may be more */
};

static int prepare(struct run *r, struct err *err)
{
	r->state = xcalloc(1, sizeof(struct shared));
	return 0;
}

static bool is_watcher(const struct worker *w)
{
	return w->index % 3 == 0;
}

static const char *any_key(struct worker *w)
{
	return workload_key(w, PREFIX, rng_below(&w->rng, KEYS));
}

static bool put(struct worker *w, int64_t *revision)
{
	struct history_record r = HISTORY_RECORD_INIT;
	Etcdpb__PutRequest q = ETCDPB__PUT_REQUEST__INIT;
	r.f = HISTORY_PUT;
	r.key = any_key(w);
	r.value = run_unique(w->run);
	q.key = client_bytes(r.key);
	q.value = client_bytes(workload_number(&w->arena, r.value));
	q.prev_kv = true;
	run_invoke(w, &r);
	struct client_answer a = client_call(w->client, "KV/Put", &q.base, &etcdpb__put_response__descriptor);
	const Etcdpb__PutResponse *got = a.message;
	if (got) {
		*revision = r.revision = got->header->revision;
		r.prev = workload_value(got->prev_kv);
	}
	run_complete(w, &r, &a);
	return got != NULL;
}

static void delete (struct worker *w)
{
	struct history_record r = HISTORY_RECORD_INIT;
	Etcdpb__DeleteRangeRequest q = ETCDPB__DELETE_RANGE_REQUEST__INIT;
	r.f = HISTORY_DELETE;
	r.key = any_key(w);
	q.key = client_bytes(r.key);
	q.prev_kv = true;
	run_invoke(w, &r);
	struct client_answer a =
	        client_call(w->client, "KV/DeleteRange", &q.base, &etcdpb__delete_range_response__descriptor);
	const Etcdpb__DeleteRangeResponse *got = a.message;
	if (got) {
		r.revision = got->header->revision;
		r.value = got->deleted;
		r.prev = got->n_prev_kvs ? workload_value(got->prev_kvs[0]) : HISTORY_NIL;
	}
	run_complete(w, &r, &a);
}

/* Several keys at one revision; each key once. */
static void transaction(struct worker *w)
{
	struct history_record r = HISTORY_RECORD_INIT;
	struct history_item items[TXN_CHANGES_MAX];
	Etcdpb__RequestOp *ops[TXN_CHANGES_MAX];
	Etcdpb__TxnRequest txn = ETCDPB__TXN_REQUEST__INIT;
	Etcdpb__TxnResponse *got;
	unsigned first = rng_below(&w->rng, KEYS), count = 2 + rng_below(&w->rng, TXN_CHANGES_MAX - 1);
	for (unsigned i = 0; i < count; i++) {
		const char *key = workload_key(w, PREFIX, (first + i) % KEYS);
		bool is_put = rng_chance(&w->rng, 75);
		items[i] = HISTORY_ITEM_INIT(
		        is_put ? HISTORY_PUT : HISTORY_DELETE, key, is_put ? run_unique(w->run) : HISTORY_NIL);
		ops[i] = is_put ? workload_op_put(&w->arena, key, workload_number(&w->arena, items[i].value), 0)
		                : workload_op_delete(&w->arena, key);
	}
	txn.success = ops;
	txn.n_success = count;
	r.f = HISTORY_TXN;
	r.items = items;
	r.item_count = count;
	run_invoke(w, &r);
	struct client_answer a = workload_txn(w, &txn, &got);
	if (got)
		r.revision = got->header->revision;
	run_complete(w, &r, &a);
}

/* Up to some revisions before now, so that watchers that lag are cut off sometimes. */
static void compact(struct worker *w)
{
	struct history_record r = HISTORY_RECORD_INIT;
	Etcdpb__CompactionRequest q = ETCDPB__COMPACTION_REQUEST__INIT;
	Etcdpb__RangeResponse *now;
	struct client_answer seen = workload_get(w, PREFIX "0", &now);
	if (!seen.message)
		return;
	r.f = HISTORY_COMPACT;
	r.revision = q.revision = now->header->revision - (int64_t)rng_below(&w->rng, 60);
	if (q.revision < 1)
		return;
	run_invoke(w, &r);
	struct client_answer a = client_call(w->client, "KV/Compact", &q.base, &etcdpb__header_response__descriptor);
	run_complete(w, &r, &a);
}

static void change(struct worker *w)
{
	uint32_t dice = rng_below(&w->rng, 1000);
	int64_t revision;
	if (dice < 600)
		put(w, &revision);
	else if (dice < 750)
		delete (w);
	else if (dice < 997)
		transaction(w);
	else
		compact(w);
}

static struct watcher *watcher_of(struct worker *w)
{
	struct watcher *v = w->state;
	if (!v) {
		v = w->state = xcalloc(1, sizeof *v);
		*v = (struct watcher){.prefix = PREFIX, .next = 1};
	}
	return v;
}

static void step(struct worker *w)
{
	if (is_watcher(w))
		watcher_step(w, watcher_of(w));
	else
		change(w);
}

/* Client 1 makes the last change; watchers go on until they have seen it. */
static bool last(struct worker *w)
{
	struct shared *s = w->run->state;
	int64_t revision;
	if (w->index == 1) {
		if (!put(w, &revision))
			return false;
		atomic_store(&s->end_revision, revision);
	}
	if (!is_watcher(w))
		return true;
	int64_t end = atomic_load(&s->end_revision);
	if (end && watcher_of(w)->next > end)
		return true;
	watcher_step(w, watcher_of(w));
	return false;
}

static void end(struct worker *w)
{
	if (is_watcher(w) && w->state)
		watcher_stop(w->state);
}

const struct workload workload_watch = {.name = "watch",
        .what = "watchers see every change once, in order, without gaps",
        .prepare = prepare,
        .step = step,
        .last = last,
        .end = end,
        .is_paced = true};
