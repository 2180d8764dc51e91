/* A bank: money moves between accounts in transactions; whoever reads all accounts at once always counts the same. */
#include "jepsen/workload.h"

#include <stdio.h>

enum { ACCOUNTS = 8, BALANCE = 100, TRANSFER_MAX = 20 };

static int prepare(struct run *r, struct err *err)
{
	char key[16], text[16];
	for (unsigned i = 0; i < ACCOUNTS; i++) {
		Etcdpb__PutRequest put = ETCDPB__PUT_REQUEST__INIT;
		snprintf(key, sizeof key, "b%u", i);
		snprintf(text, sizeof text, "%d", BALANCE);
		put.key = client_bytes(key);
		put.value = client_bytes(text);
		if (!cluster_ask(&r->cluster, "KV/Put", &put.base, &etcdpb__put_response__descriptor, err))
			return err_wrap(err, "fill the accounts");
	}
	snprintf(text, sizeof text, "%d", ACCOUNTS * BALANCE);
	history_set(&r->history, "total", text);
	history_set(&r->history, "negative", "forbidden");
	return 0;
}

/* All keys at one revision. */
static struct client_answer get_all(
        struct worker *w, const char *const *keys, unsigned count, Etcdpb__TxnResponse **got)
{
	Etcdpb__TxnRequest txn = ETCDPB__TXN_REQUEST__INIT;
	Etcdpb__RequestOp *ops[ACCOUNTS];
	for (unsigned i = 0; i < count; i++)
		ops[i] = workload_op_get(&w->arena, keys[i]);
	txn.success = ops;
	txn.n_success = count;
	struct client_answer a = workload_txn(w, &txn, got);
	if (a.outcome == CLIENT_INFO)
		a.outcome = CLIENT_FAIL;
	return a;
}

static const Etcdpb__KeyValue *pair_of(const Etcdpb__TxnResponse *got, unsigned i)
{
	const Etcdpb__RangeResponse *r = i < got->n_responses ? got->responses[i]->response_range : NULL;
	return r && r->n_kvs ? r->kvs[0] : NULL;
}

static bool read_all(struct worker *w, uint16_t flags)
{
	struct history_record r = HISTORY_RECORD_INIT;
	struct history_item items[ACCOUNTS];
	const char *keys[ACCOUNTS];
	Etcdpb__TxnResponse *got;
	for (unsigned i = 0; i < ACCOUNTS; i++)
		keys[i] = workload_key(w, "b", i);
	r.f = HISTORY_READ;
	r.flags = flags;
	run_invoke(w, &r);
	struct client_answer a = get_all(w, keys, ACCOUNTS, &got);
	if (got) {
		for (unsigned i = 0; i < ACCOUNTS; i++)
			items[i] = HISTORY_ITEM_INIT(HISTORY_READ, keys[i], workload_value(pair_of(got, i)));
		r.items = items;
		r.item_count = ACCOUNTS;
		r.revision = got->header->revision;
	}
	run_complete(w, &r, &a);
	return got != NULL;
}

/* Writes both balances if neither account has changed since. */
static struct client_answer move(
        struct worker *w, const char *const *keys, const int64_t *mods, const int64_t *values, int64_t *revision)
{
	Etcdpb__TxnRequest txn = ETCDPB__TXN_REQUEST__INIT;
	Etcdpb__Compare *compares[2];
	Etcdpb__RequestOp *ops[2];
	Etcdpb__TxnResponse *got;
	for (unsigned i = 0; i < 2; i++) {
		compares[i] = workload_compare_mod(&w->arena, keys[i], mods[i]);
		ops[i] = workload_op_put(&w->arena, keys[i], workload_number(&w->arena, values[i]), 0);
	}
	txn.compare = compares;
	txn.success = ops;
	txn.n_compare = txn.n_success = 2;
	struct client_answer a = workload_txn(w, &txn, &got);
	if (got && !got->succeeded) {
		a.outcome = CLIENT_FAIL;
		err_set(&a.err, ERR_CONFLICT, "an account has changed");
	}
	*revision = got ? got->header->revision : HISTORY_NIL;
	return a;
}

static void transfer(struct worker *w)
{
	struct history_record r = HISTORY_RECORD_INIT;
	unsigned from = rng_below(&w->rng, ACCOUNTS), to = (from + 1 + rng_below(&w->rng, ACCOUNTS - 1)) % ACCOUNTS;
	const char *keys[2] = {workload_key(w, "b", from), workload_key(w, "b", to)};
	int64_t amount = 1 + rng_below(&w->rng, TRANSFER_MAX), mods[2], values[2];
	struct history_item items[2] = {
	        HISTORY_ITEM_INIT(HISTORY_WRITE, keys[0], -amount), HISTORY_ITEM_INIT(HISTORY_WRITE, keys[1], amount)};
	Etcdpb__TxnResponse *got;
	r.f = HISTORY_TRANSFER;
	r.items = items;
	r.item_count = 2;
	run_invoke(w, &r);
	struct client_answer a = get_all(w, keys, 2, &got);
	for (unsigned i = 0; got && i < 2; i++) {
		const Etcdpb__KeyValue *kv = pair_of(got, i);
		mods[i] = kv ? kv->mod_revision : 0;
		values[i] = (kv ? workload_value(kv) : 0) + items[i].value;
	}
	if (got && values[0] >= 0) {
		a = move(w, keys, mods, values, &r.revision);
	} else if (got) {
		a.outcome = CLIENT_FAIL;
		err_set(&a.err, ERR_CONFLICT, "not enough money");
	}
	run_complete(w, &r, &a);
}

static void step(struct worker *w)
{
	if (rng_chance(&w->rng, 40))
		read_all(w, 0);
	else
		transfer(w);
}

static bool last(struct worker *w)
{
	return read_all(w, HISTORY_FINAL);
}

const struct workload workload_bank = {.name = "bank",
        .what = "money moves between accounts: the total stays",
        .prepare = prepare,
        .step = step,
        .last = last,
        .is_paced = true};
