/* Transactions on lists: each reads keys and appends to keys, all at one moment. etcd has no append: the lists are
 * read, and written back in a transaction that holds only if none of them has changed (mod revisions). Transactions
 * that only read are one request without compares.
 *
 * Keys are given up after a while and new ones taken, so that lists stay short. */
#include "jepsen/workload.h"

#include <stdlib.h>

enum { STEPS_MAX = 4, KEYS_AT_ONCE = 6, APPENDS_PER_KEY = 40 };

struct list {
	const char *key;
	int64_t mod_revision;
	const int64_t *values;
	uint32_t count;
	bool is_changed;
};

struct plan {
	struct history_item items[STEPS_MAX];
	unsigned count;
	struct list lists[STEPS_MAX];
	unsigned list_count;
	bool writes;
};

static struct list *list_of(struct plan *p, const char *key)
{
	for (unsigned i = 0; i < p->list_count; i++)
		if (strcmp(p->lists[i].key, key) == 0)
			return &p->lists[i];
	p->lists[p->list_count] = (struct list){.key = key};
	return &p->lists[p->list_count++];
}

static void make_plan(struct worker *w, struct plan *p)
{
	int64_t base = atomic_load(&w->run->next_value) / APPENDS_PER_KEY;
	p->count = 1 + rng_below(&w->rng, STEPS_MAX);
	for (unsigned i = 0; i < p->count; i++) {
		const char *key = workload_key(w, "a", (unsigned)base + rng_below(&w->rng, KEYS_AT_ONCE));
		bool appends = rng_chance(&w->rng, 50);
		p->items[i] = HISTORY_ITEM_INIT(
		        appends ? HISTORY_APPEND : HISTORY_READ, key, appends ? run_unique(w->run) : HISTORY_NIL);
		p->writes = p->writes || appends;
		list_of(p, key);
	}
}

/* "3 17 4" */
static void parse(struct arena *a, const Etcdpb__KeyValue *kv, struct list *l)
{
	struct slice rest = {(const char *)kv->value.data, kv->value.len};
	uint32_t count = 0;
	int64_t *values = ARENA_ARRAY(a, int64_t, kv->value.len + 1);
	while (rest.ptr && rest.len) {
		int64_t v;
		values[count++] = slice_to_i64(slice_cut(&rest, ' '), &v) ? v : -1;
	}
	l->values = values;
	l->count = count;
	l->mod_revision = kv->mod_revision;
}

static struct client_answer read_lists(struct worker *w, struct plan *p, int64_t *revision)
{
	Etcdpb__TxnRequest txn = ETCDPB__TXN_REQUEST__INIT;
	Etcdpb__RequestOp *ops[STEPS_MAX];
	Etcdpb__TxnResponse *got;
	for (unsigned i = 0; i < p->list_count; i++)
		ops[i] = workload_op_get(&w->arena, p->lists[i].key);
	txn.success = ops;
	txn.n_success = p->list_count;
	struct client_answer a = workload_txn(w, &txn, &got);
	if (a.outcome == CLIENT_INFO)
		a.outcome = CLIENT_FAIL; /* nothing was written yet */
	for (unsigned i = 0; got && i < p->list_count && i < got->n_responses; i++)
		if (got->responses[i]->response_range->n_kvs)
			parse(&w->arena, got->responses[i]->response_range->kvs[0], &p->lists[i]);
	*revision = got ? got->header->revision : HISTORY_NIL;
	return a;
}

/* What each step sees and leaves, on the lists as they were read. */
static void execute(struct worker *w, struct plan *p)
{
	for (unsigned i = 0; i < p->count; i++) {
		struct history_item *item = &p->items[i];
		struct list *l = list_of(p, item->key);
		if (item->f == HISTORY_READ) {
			item->values = l->values;
			item->value_count = l->count;
			continue;
		}
		int64_t *longer = ARENA_ARRAY(&w->arena, int64_t, l->count + 1);
		if (l->count)
			memcpy(longer, l->values, l->count * sizeof *longer);
		longer[l->count++] = item->value;
		l->values = longer;
		l->is_changed = true;
	}
}

static const char *list_text(struct arena *a, const struct list *l)
{
	struct strbuf b = STRBUF_INIT;
	for (uint32_t i = 0; i < l->count; i++) {
		if (i)
			strbuf_addc(&b, ' ');
		strbuf_add_i64(&b, l->values[i]);
	}
	const char *text = arena_memdup(a, b.data ? b.data : "", b.len);
	strbuf_release(&b);
	return text;
}

static struct client_answer write_lists(struct worker *w, struct plan *p, int64_t *revision)
{
	Etcdpb__TxnRequest txn = ETCDPB__TXN_REQUEST__INIT;
	Etcdpb__Compare *compares[STEPS_MAX];
	Etcdpb__RequestOp *ops[STEPS_MAX];
	Etcdpb__TxnResponse *got;
	for (unsigned i = 0; i < p->list_count; i++) {
		const struct list *l = &p->lists[i];
		compares[txn.n_compare++] = workload_compare_mod(&w->arena, l->key, l->mod_revision);
		if (l->is_changed)
			ops[txn.n_success++] = workload_op_put(&w->arena, l->key, list_text(&w->arena, l), 0);
	}
	txn.compare = compares;
	txn.success = ops;
	struct client_answer a = workload_txn(w, &txn, &got);
	if (got && !got->succeeded) {
		a.outcome = CLIENT_FAIL;
		err_set(&a.err, ERR_CONFLICT, "a list has changed");
	}
	*revision = got ? got->header->revision : HISTORY_NIL;
	return a;
}

static void step(struct worker *w)
{
	struct history_record r = HISTORY_RECORD_INIT;
	struct plan p = {0};
	int64_t revision;
	make_plan(w, &p);
	r.f = HISTORY_TXN;
	r.items = p.items;
	r.item_count = p.count;
	run_invoke(w, &r);
	struct client_answer a = read_lists(w, &p, &revision);
	if (a.outcome == CLIENT_OK) {
		execute(w, &p);
		if (p.writes)
			a = write_lists(w, &p, &revision);
		r.revision = revision;
	}
	run_complete(w, &r, &a);
}

const struct workload workload_append = {.name = "append",
        .what = "transactions that read lists and append to them: strict serializable",
        .step = step,
        .is_paced = true};
