/* Registers: keys that are read, written and compared and swapped, each linearizable by itself. */
#include "jepsen/workload.h"

enum { KEYS = 12 };

static int64_t revision_of(const Etcdpb__ResponseHeader *h)
{
	return h ? h->revision : HISTORY_NIL;
}

static void read_key(struct worker *w, const char *key, uint16_t flags)
{
	struct history_record r = HISTORY_RECORD_INIT;
	Etcdpb__RangeResponse *got;
	r.f = HISTORY_READ;
	r.key = key;
	r.flags = flags;
	run_invoke(w, &r);
	struct client_answer a = workload_get(w, key, &got);
	if (got) {
		r.value = workload_value(got->n_kvs ? got->kvs[0] : NULL);
		r.mod_revision = got->n_kvs ? got->kvs[0]->mod_revision : HISTORY_NIL;
		r.revision = revision_of(got->header);
	}
	run_complete(w, &r, &a);
}

static void write_key(struct worker *w, const char *key)
{
	struct history_record r = HISTORY_RECORD_INIT;
	r.f = HISTORY_WRITE;
	r.key = key;
	r.value = run_unique(w->run);
	run_invoke(w, &r);
	struct client_answer a = workload_put(w, key, workload_number(&w->arena, r.value), 0);
	if (a.message)
		r.revision = revision_of(((Etcdpb__PutResponse *)a.message)->header);
	run_complete(w, &r, &a);
}

/* Expects what it read last from the key, so that some swaps succeed. */
static void swap_key(struct worker *w, const char *key)
{
	struct history_record r = HISTORY_RECORD_INIT;
	Etcdpb__TxnRequest txn = ETCDPB__TXN_REQUEST__INIT;
	Etcdpb__TxnResponse *done;
	Etcdpb__RangeResponse *got;
	struct client_answer seen = workload_get(w, key, &got);
	if (!seen.message || !got->n_kvs)
		return;
	r.f = HISTORY_CAS;
	r.key = key;
	r.expect = workload_value(got->kvs[0]);
	r.value = run_unique(w->run);
	Etcdpb__Compare *compare = workload_compare_value(&w->arena, key, workload_number(&w->arena, r.expect));
	Etcdpb__RequestOp *put = workload_op_put(&w->arena, key, workload_number(&w->arena, r.value), 0);
	txn.compare = &compare;
	txn.success = &put;
	txn.n_compare = txn.n_success = 1;
	run_invoke(w, &r);
	struct client_answer a = workload_txn(w, &txn, &done);
	if (done && done->succeeded) {
		r.revision = revision_of(done->header);
	} else if (done) {
		a.outcome = CLIENT_FAIL;
		err_set(&a.err, ERR_CONFLICT, "did not match");
	}
	run_complete(w, &r, &a);
}

static void step(struct worker *w)
{
	const char *key = workload_key(w, "r", rng_below(&w->rng, KEYS));
	uint32_t dice = rng_below(&w->rng, 100);
	if (dice < 50)
		read_key(w, key, 0);
	else if (dice < 80)
		write_key(w, key);
	else
		swap_key(w, key);
}

static bool last(struct worker *w)
{
	for (unsigned i = 0; i < KEYS; i++)
		read_key(w, workload_key(w, "r", i), HISTORY_FINAL);
	return true;
}

const struct workload workload_register = {.name = "register",
        .what = "keys read, written, compared and swapped: linearizable each",
        .step = step,
        .last = last,
        .is_paced = true};
