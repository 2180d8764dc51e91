/* Workloads: what clients do. A table of functions each; which fields its records carry is said in history.h.
 *
 * step() makes one request (or waits briefly for what streams bring), records it, and returns; the runner calls it at
 * the run's rate until the load ends, or at once when the step before set w->goes_on. last() is called in each worker
 * after everything was healed, and then again while it returns false (it wants more time, up to a bound). */
#ifndef K3X_JEPSEN_WORKLOAD_H
#define K3X_JEPSEN_WORKLOAD_H

#include "jepsen/run.h"

struct workload {
	const char *name;
	const char *what;                               /* one line for people */
	int (*prepare)(struct run *r, struct err *err); /* before the load, with a cluster that serves; may be NULL */
	void (*step)(struct worker *w);
	bool (*last)(struct worker *w); /* may be NULL */
	void (*end)(struct worker *w);  /* releases w->state; may be NULL */
	bool wants_kube;                /* of targets that serve Kubernetes' API, and of no others */
	bool is_paced;                  /* steps are requests: the run's rate applies */
};

extern const struct workload workload_register;
extern const struct workload workload_set;
extern const struct workload workload_append;
extern const struct workload workload_bank;
extern const struct workload workload_unique;
extern const struct workload workload_watch;
extern const struct workload workload_lease;
extern const struct workload workload_lock;
extern const struct workload workload_kube;
extern const struct workload workload_api_objects;
extern const struct workload workload_api_informers;
extern const struct workload workload_api_deployments;

extern const struct workload *const workloads[];
extern const unsigned workload_count;

/* ---- helpers: requests as most workloads make them, recorded nowhere ---- */

/* Everything lives in the worker's arena or until the client's next call. */
const char *workload_key(struct worker *w, const char *prefix, unsigned index);
struct client_answer workload_get(struct worker *w, const char *key, Etcdpb__RangeResponse **ret);
struct client_answer workload_put(struct worker *w, const char *key, const char *value, int64_t lease);
struct client_answer workload_txn(struct worker *w, Etcdpb__TxnRequest *txn, Etcdpb__TxnResponse **ret);

Etcdpb__Compare *workload_compare_mod(struct arena *a, const char *key, int64_t mod_revision);
Etcdpb__Compare *workload_compare_value(struct arena *a, const char *key, const char *value);
Etcdpb__RequestOp *workload_op_put(struct arena *a, const char *key, const char *value, int64_t lease);
Etcdpb__RequestOp *workload_op_get(struct arena *a, const char *key);
Etcdpb__RequestOp *workload_op_delete(struct arena *a, const char *key);

const char *workload_number(struct arena *a, int64_t v);
int64_t workload_value(const Etcdpb__KeyValue *kv); /* the number it holds; HISTORY_NIL for NULL */
const char *workload_key_text(struct arena *a, const Etcdpb__KeyValue *kv);

#endif
