/* Unique ids: what a write to one key is given must be given to nobody else. Half of the seeds take the revision of the
 * write as the id, the others the version of the key, which a read in the same transaction returns. */
#include "jepsen/workload.h"

static int64_t from_revision(struct worker *w, struct client_answer *a)
{
	*a = workload_put(w, "id", "", 0);
	return a->message ? ((Etcdpb__PutResponse *)a->message)->header->revision : HISTORY_NIL;
}

static int64_t from_version(struct worker *w, struct client_answer *a)
{
	Etcdpb__TxnRequest txn = ETCDPB__TXN_REQUEST__INIT;
	Etcdpb__TxnResponse *got;
	Etcdpb__RequestOp *ops[] = {workload_op_put(&w->arena, "id", "", 0), workload_op_get(&w->arena, "id")};
	txn.success = ops;
	txn.n_success = 2;
	*a = workload_txn(w, &txn, &got);
	if (!got || got->n_responses != 2 || !got->responses[1]->response_range->n_kvs)
		return got ? -1 : HISTORY_NIL;
	return got->responses[1]->response_range->kvs[0]->version;
}

static void step(struct worker *w)
{
	struct history_record r = HISTORY_RECORD_INIT;
	struct client_answer a;
	r.f = HISTORY_GENERATE;
	run_invoke(w, &r);
	r.value = w->run->seed % 2 ? from_revision(w, &a) : from_version(w, &a);
	run_complete(w, &r, &a);
}

const struct workload workload_unique = {.name = "unique",
        .what = "ids from revisions or versions: never the same twice",
        .step = step,
        .is_paced = true};
