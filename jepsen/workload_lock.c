/* Locks: a lock is a key that exists while it is held, attached to its holder's lease. Two clients never hold one at a
 * time, as far as leases promise it: a holder is one only until its lease may have ended. */
#include "jepsen/leases.h"

enum { LOCKS = 3, TTL_S_MIN = 2, TTL_S_MAX = 5 };

struct holder {
	int64_t lease; /* 0: none */
	int64_t held;  /* revision at which the lock was taken, 0: none held */
	unsigned lock;
};

static int prepare(struct run *r, struct err *err)
{
	leases_describe(r);
	return 0;
}

static struct holder *holder_of(struct worker *w)
{
	if (!w->state)
		w->state = xcalloc(1, sizeof(struct holder));
	return w->state;
}

static void acquire(struct worker *w, struct holder *h)
{
	struct history_record r = HISTORY_RECORD_INIT;
	Etcdpb__TxnRequest txn = ETCDPB__TXN_REQUEST__INIT;
	Etcdpb__TxnResponse *got;
	h->lock = rng_below(&w->rng, LOCKS);
	r.f = HISTORY_ACQUIRE;
	r.key = workload_key(w, "lock", h->lock);
	r.lease = h->lease;
	Etcdpb__Compare *compare = workload_compare_mod(&w->arena, r.key, 0);
	Etcdpb__RequestOp *put = workload_op_put(&w->arena, r.key, "", h->lease);
	txn.compare = &compare;
	txn.success = &put;
	txn.n_compare = txn.n_success = 1;
	run_invoke(w, &r);
	struct client_answer a = workload_txn(w, &txn, &got);
	if (got && got->succeeded) {
		h->held = r.revision = got->header->revision;
	} else if (got) {
		a.outcome = CLIENT_FAIL;
		err_set(&a.err, ERR_CONFLICT, "is held");
	} else {
		h->lease = 0; /* it may hold the lock: let both end */
	}
	run_complete(w, &r, &a);
}

static void release(struct worker *w, struct holder *h)
{
	struct history_record r = HISTORY_RECORD_INIT;
	Etcdpb__TxnRequest txn = ETCDPB__TXN_REQUEST__INIT;
	Etcdpb__TxnResponse *got;
	r.f = HISTORY_RELEASE;
	r.key = workload_key(w, "lock", h->lock);
	r.lease = h->lease;
	Etcdpb__Compare *compare = workload_compare_mod(&w->arena, r.key, h->held);
	Etcdpb__RequestOp *del = workload_op_delete(&w->arena, r.key);
	txn.compare = &compare;
	txn.success = &del;
	txn.n_compare = txn.n_success = 1;
	run_invoke(w, &r);
	struct client_answer a = workload_txn(w, &txn, &got);
	if (got && got->succeeded) {
		r.revision = got->header->revision;
	} else if (got) {
		a.outcome = CLIENT_FAIL;
		err_set(&a.err, ERR_CONFLICT, "is not held any more");
	} else {
		h->lease = 0;
	}
	h->held = 0;
	run_complete(w, &r, &a);
}

static void step(struct worker *w)
{
	struct holder *h = holder_of(w);
	uint32_t dice = rng_below(&w->rng, 1000);
	if (!h->lease) {
		h->held = 0;
		h->lease = leases_grant(w, rng_between(&w->rng, TTL_S_MIN, TTL_S_MAX));
	} else if (dice < 20) {
		leases_revoke(w, h->lease);
		h->lease = 0;
	} else if (dice < 40) {
		h->lease = 0; /* its holder is gone, nobody lets go: the lease does it */
	} else if (dice < 200) {
		if (!leases_keep_alive(w, h->lease))
			h->lease = 0;
	} else if (h->held) {
		release(w, h);
	} else {
		acquire(w, h);
	}
}

const struct workload workload_lock = {.name = "lock",
        .what = "locks on leases exclude each other",
        .prepare = prepare,
        .step = step,
        .is_paced = true};
