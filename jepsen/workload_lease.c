/* Leases: keys that live as long as their lease. Each client keeps a lease with a key of its own alive, gives it up, or
 * lets it end, and looks at others' keys. */
#include "jepsen/leases.h"

enum { TTL_S_MIN = 2, TTL_S_MAX = 5 };

struct holder {
	int64_t lease; /* 0: none */
	int64_t key;   /* a number of its own for each lease */
	bool is_attached;
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

static void attach(struct worker *w, struct holder *h)
{
	struct history_record r = HISTORY_RECORD_INIT;
	r.f = HISTORY_PUT;
	r.key = workload_key(w, "lease", (unsigned)h->key);
	r.value = run_unique(w->run);
	r.lease = h->lease;
	run_invoke(w, &r);
	struct client_answer a = workload_put(w, r.key, workload_number(&w->arena, r.value), h->lease);
	if (a.message)
		r.revision = ((Etcdpb__PutResponse *)a.message)->header->revision;
	h->is_attached = a.outcome == CLIENT_OK;
	if (a.outcome == CLIENT_FAIL)
		h->lease = 0;
	run_complete(w, &r, &a);
}

static void look(struct worker *w, unsigned key)
{
	struct history_record r = HISTORY_RECORD_INIT;
	Etcdpb__RangeResponse *got;
	r.f = HISTORY_READ;
	r.key = workload_key(w, "lease", key);
	run_invoke(w, &r);
	struct client_answer a = workload_get(w, r.key, &got);
	if (got) {
		r.value = workload_value(got->n_kvs ? got->kvs[0] : NULL);
		r.mod_revision = got->n_kvs ? got->kvs[0]->mod_revision : HISTORY_NIL;
		r.revision = got->header->revision;
	}
	run_complete(w, &r, &a);
}

static void step(struct worker *w)
{
	struct holder *h = holder_of(w);
	uint32_t dice = rng_below(&w->rng, 1000);
	if (!h->lease) {
		h->lease = leases_grant(w, rng_between(&w->rng, TTL_S_MIN, TTL_S_MAX));
		h->key = run_unique(w->run);
		h->is_attached = false;
	} else if (!h->is_attached) {
		attach(w, h);
	} else if (dice < 400) {
		if (!leases_keep_alive(w, h->lease))
			h->lease = 0;
	} else if (dice < 980) {
		int64_t newest = atomic_load(&w->run->next_value);
		look(w, (unsigned)(dice < 600 ? h->key
		                              : newest - rng_below(&w->rng, newest < 60 ? (uint32_t)newest : 60)));
	} else if (dice < 990) {
		leases_revoke(w, h->lease);
		h->lease = 0;
	} else {
		h->lease = 0; /* it ends by itself */
	}
}

const struct workload workload_lease = {.name = "lease",
        .what = "keys live as long as their leases",
        .prepare = prepare,
        .step = step,
        .is_paced = true};
