/* KV: Range, Put, DeleteRange, Txn, Compact. Requests are translated to the store's operations and its results back;
 * the bytes in both point into the call's arena, the message or the result, so nothing is copied on the way. */
#include "store/etcd/calls/kv.h"

#include "base/check.h"
#include "base/limits.h"
#include "store/etcd/serve/answer.h"
#include "store/etcd/serve/call.h"
#include "store/etcd/serve/quota.h"
#include "store/etcd/serve/service.h"
#include "store/proto/unpack.h"

/* ---- requests ---- */

static struct store_range range_of(const Etcdpb__RangeRequest *r)
{
	static const enum store_target targets[] = {
	        STORE_TARGET_KEY, STORE_TARGET_VERSION, STORE_TARGET_CREATE, STORE_TARGET_MOD, STORE_TARGET_VALUE};
	return (struct store_range){
	        .keys = {etcd_slice(r->key), etcd_slice(r->range_end)},
	        .limit = r->limit > 0 ? r->limit : 0,
	        .revision = r->revision > 0 ? r->revision : 0,
	        .sort = r->sort_order == 1   ? STORE_SORT_ASCEND
	                : r->sort_order == 2 ? STORE_SORT_DESCEND
	                                     : STORE_SORT_NONE,
	        .sort_target = (unsigned)r->sort_target < 5 ? targets[r->sort_target] : STORE_TARGET_KEY,
	        .serializable = r->serializable,
	        .keys_only = r->keys_only,
	        .count_only = r->count_only,
	        .min_mod_revision = r->min_mod_revision,
	        .max_mod_revision = r->max_mod_revision,
	        .min_create_revision = r->min_create_revision,
	        .max_create_revision = r->max_create_revision,
	};
}

static bool has_sort(const Etcdpb__RangeRequest *r)
{
	return (unsigned)r->sort_order <= 2 && (unsigned)r->sort_target <= 4;
}

static struct store_put put_of(const Etcdpb__PutRequest *r)
{
	return (struct store_put){.key = etcd_slice(r->key),
	        .value = etcd_slice(r->value),
	        .lease = r->lease,
	        .prev_kv = r->prev_kv,
	        .ignore_value = r->ignore_value,
	        .ignore_lease = r->ignore_lease};
}

static struct store_delete delete_of(const Etcdpb__DeleteRangeRequest *r)
{
	return (struct store_delete){.keys = {etcd_slice(r->key), etcd_slice(r->range_end)}, .prev_kv = r->prev_kv};
}

static bool compare_of(const Etcdpb__Compare *c, struct store_compare *out)
{
	static const enum store_target targets[] = {
	        STORE_TARGET_VERSION, STORE_TARGET_CREATE, STORE_TARGET_MOD, STORE_TARGET_VALUE, STORE_TARGET_LEASE};
	static const enum store_compare_result results[] = {STORE_EQUAL, STORE_GREATER, STORE_LESS, STORE_NOT_EQUAL};
	if ((unsigned)c->target > 4 || (unsigned)c->result > 3)
		return false;
	*out = (struct store_compare){.keys = {etcd_slice(c->key), etcd_slice(c->range_end)},
	        .target = targets[c->target],
	        .result = results[c->result]};
	switch (c->target_union_case) {
	case ETCDPB__COMPARE__TARGET_UNION_VERSION:
		out->number = c->version;
		break;
	case ETCDPB__COMPARE__TARGET_UNION_CREATE_REVISION:
		out->number = c->create_revision;
		break;
	case ETCDPB__COMPARE__TARGET_UNION_MOD_REVISION:
		out->number = c->mod_revision;
		break;
	case ETCDPB__COMPARE__TARGET_UNION_LEASE:
		out->number = c->lease;
		break;
	case ETCDPB__COMPARE__TARGET_UNION_VALUE:
		out->value = etcd_slice(c->value);
		break;
	default: /* a zero number is left out on the wire */
		break;
	}
	return true;
}

/* These answer what is wrong, NULL when nothing is. */
static const char *txn_of(struct arena *a, const Etcdpb__TxnRequest *t, struct store_txn *out, int depth);

static const char *op_of(struct arena *a, const Etcdpb__RequestOp *o, struct store_op *out, int depth)
{
	switch (o->request_case) {
	case ETCDPB__REQUEST_OP__REQUEST_REQUEST_RANGE:
		*out = (struct store_op){.type = STORE_OP_RANGE, .range = range_of(o->request_range)};
		return has_sort(o->request_range) ? NULL : "etcdserver: invalid sort option";
	case ETCDPB__REQUEST_OP__REQUEST_REQUEST_PUT:
		*out = (struct store_op){.type = STORE_OP_PUT, .put = put_of(o->request_put)};
		return NULL;
	case ETCDPB__REQUEST_OP__REQUEST_REQUEST_DELETE_RANGE:
		*out = (struct store_op){.type = STORE_OP_DELETE, .del = delete_of(o->request_delete_range)};
		return NULL;
	case ETCDPB__REQUEST_OP__REQUEST_REQUEST_TXN:
		*out = (struct store_op){.type = STORE_OP_TXN};
		return txn_of(a, o->request_txn, &out->txn, depth + 1);
	default:
		return "etcdserver: key not found"; /* etcd's words for an empty operation */
	}
}

static const char *ops_of(struct arena *a, Etcdpb__RequestOp *const *list, size_t n, const struct store_op **out,
        size_t *out_n, int depth)
{
	struct store_op *ops = ARENA_ARRAY(a, struct store_op, n + 1);
	const char *wrong = NULL;
	for (size_t i = 0; i < n && !wrong; i++)
		wrong = op_of(a, list[i], &ops[i], depth);
	*out = ops;
	*out_n = n;
	return wrong;
}

static const char *txn_of(struct arena *a, const Etcdpb__TxnRequest *t, struct store_txn *out, int depth)
{
	if (depth > STORE_TXN_DEPTH_MAX)
		return "etcdserver: invalid txn request: it is nested too deeply";
	struct store_compare *compares = ARENA_ARRAY(a, struct store_compare, t->n_compare + 1);
	for (size_t i = 0; i < t->n_compare; i++)
		if (!compare_of(t->compare[i], &compares[i]))
			return "etcdserver: invalid txn request: a compare of an unknown kind";
	out->compares = compares;
	out->n_compares = t->n_compare;
	const char *wrong = ops_of(a, t->success, t->n_success, &out->success, &out->n_success, depth);
	return wrong ? wrong : ops_of(a, t->failure, t->n_failure, &out->failure, &out->n_failure, depth);
}

/* ---- responses ---- */

static Etcdpb__KeyValue **kvs_of(struct arena *a, const struct store_result *r)
{
	Etcdpb__KeyValue **list = ARENA_ARRAY(a, Etcdpb__KeyValue *, r->n_kvs + 1);
	for (size_t i = 0; i < r->n_kvs; i++)
		list[i] = etcd_kv(a, &r->kvs[i]);
	return list;
}

static Etcdpb__RangeResponse *range_response(struct arena *a, const struct store_result *r)
{
	Etcdpb__RangeResponse *m = arena_alloc(a, sizeof *m);
	etcdpb__range_response__init(m);
	m->kvs = kvs_of(a, r);
	m->n_kvs = r->n_kvs;
	m->more = r->more;
	m->count = r->count;
	return m;
}

static Etcdpb__PutResponse *put_response(struct arena *a, const struct store_result *r)
{
	Etcdpb__PutResponse *m = arena_alloc(a, sizeof *m);
	etcdpb__put_response__init(m);
	if (r->n_kvs)
		m->prev_kv = etcd_kv(a, &r->kvs[0]);
	return m;
}

static Etcdpb__DeleteRangeResponse *delete_response(struct arena *a, const struct store_result *r)
{
	Etcdpb__DeleteRangeResponse *m = arena_alloc(a, sizeof *m);
	etcdpb__delete_range_response__init(m);
	m->deleted = r->count;
	m->prev_kvs = kvs_of(a, r);
	m->n_prev_kvs = r->n_kvs;
	return m;
}

static Etcdpb__TxnResponse *txn_response(struct etcd_call *c, const struct store_result *r);

static Etcdpb__ResponseOp *op_response(struct etcd_call *c, const struct store_result *r)
{
	struct arena *a = &c->arena;
	Etcdpb__ResponseOp *m = arena_alloc(a, sizeof *m);
	Etcdpb__ResponseHeader *header = etcd_header(c->service, a, c->request.revision);
	header->cluster_id = header->member_id = header->raft_term = 0; /* inner headers carry the revision alone */
	etcdpb__response_op__init(m);
	switch (r->type) {
	case STORE_OP_RANGE:
		m->response_case = ETCDPB__RESPONSE_OP__RESPONSE_RESPONSE_RANGE;
		m->response_range = range_response(a, r);
		m->response_range->header = header;
		break;
	case STORE_OP_PUT:
		m->response_case = ETCDPB__RESPONSE_OP__RESPONSE_RESPONSE_PUT;
		m->response_put = put_response(a, r);
		m->response_put->header = header;
		break;
	case STORE_OP_DELETE:
		m->response_case = ETCDPB__RESPONSE_OP__RESPONSE_RESPONSE_DELETE_RANGE;
		m->response_delete_range = delete_response(a, r);
		m->response_delete_range->header = header;
		break;
	case STORE_OP_TXN:
		m->response_case = ETCDPB__RESPONSE_OP__RESPONSE_RESPONSE_TXN;
		m->response_txn = txn_response(c, r);
		m->response_txn->header = header;
		header->revision = 0; /* but for this one */
		break;
	}
	return m;
}

static Etcdpb__TxnResponse *txn_response(struct etcd_call *c, const struct store_result *r)
{
	Etcdpb__TxnResponse *m = arena_alloc(&c->arena, sizeof *m);
	etcdpb__txn_response__init(m);
	m->succeeded = r->succeeded;
	m->responses = ARENA_ARRAY(&c->arena, Etcdpb__ResponseOp *, r->n_results + 1);
	m->n_responses = r->n_results;
	for (size_t i = 0; i < r->n_results; i++)
		m->responses[i] = op_response(c, &r->results[i]);
	return m;
}

static void op_done(struct etcd_call *c)
{
	struct store_request *req = &c->request;
	Etcdpb__ResponseHeader *header = etcd_header(c->service, &c->arena, req->revision);
	if (req->err.code) {
		etcd_reply_store_err(c, req);
		return;
	}
	switch (req->op.type) {
	case STORE_OP_RANGE: {
		Etcdpb__RangeResponse *m = range_response(&c->arena, &req->result);
		m->header = header;
		etcd_reply(c, &m->base);
		break;
	}
	case STORE_OP_PUT: {
		Etcdpb__PutResponse *m = put_response(&c->arena, &req->result);
		m->header = header;
		etcd_reply(c, &m->base);
		break;
	}
	case STORE_OP_DELETE: {
		Etcdpb__DeleteRangeResponse *m = delete_response(&c->arena, &req->result);
		m->header = header;
		etcd_reply(c, &m->base);
		break;
	}
	case STORE_OP_TXN: {
		Etcdpb__TxnResponse *m = txn_response(c, &req->result);
		m->header = header;
		etcd_reply(c, &m->base);
		break;
	}
	}
}

/* ---- handlers ---- */

static bool too_large(struct etcd_call *c, struct slice message)
{
	if (message.len <= c->service->options.request_bytes_max)
		return false;
	etcd_reply_err(c, GRPC_INVALID_ARGUMENT, "etcdserver: request is too large");
	return true;
}

void etcd_range(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	Etcdpb__RangeRequest *r = etcd_unpack(c, &etcdpb__range_request__descriptor, message);
	if (!r)
		return;
	if (!r->key.len) {
		etcd_reply_err(c, GRPC_INVALID_ARGUMENT, "etcdserver: key is not provided");
		return;
	}
	if (!has_sort(r)) {
		etcd_reply_err(c, GRPC_INVALID_ARGUMENT, "etcdserver: invalid sort option");
		return;
	}
	c->request.op = (struct store_op){.type = STORE_OP_RANGE, .range = range_of(r)};
	etcd_submit(c, op_done);
}

void etcd_put(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	if (too_large(c, message))
		return;
	Etcdpb__PutRequest *r = etcd_unpack(c, &etcdpb__put_request__descriptor, message);
	if (!r)
		return;
	c->request.op = (struct store_op){.type = STORE_OP_PUT, .put = put_of(r)};
	if (!etcd_op_refused(c))
		etcd_submit(c, op_done);
}

void etcd_delete_range(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	Etcdpb__DeleteRangeRequest *r = etcd_unpack(c, &etcdpb__delete_range_request__descriptor, message);
	if (!r)
		return;
	c->request.op = (struct store_op){.type = STORE_OP_DELETE, .del = delete_of(r)};
	etcd_submit(c, op_done);
}

static bool writes(const struct store_op *op)
{
	if (op->type != STORE_OP_TXN)
		return op->type != STORE_OP_RANGE;
	for (size_t i = 0; i < op->txn.n_success; i++)
		if (writes(&op->txn.success[i]))
			return true;
	for (size_t i = 0; i < op->txn.n_failure; i++)
		if (writes(&op->txn.failure[i]))
			return true;
	return false;
}

void etcd_txn(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	if (too_large(c, message))
		return;
	Etcdpb__TxnRequest *r = etcd_unpack(c, &etcdpb__txn_request__descriptor, message);
	if (!r)
		return;
	c->request.op.type = STORE_OP_TXN;
	const char *wrong = txn_of(&c->arena, r, &c->request.op.txn, 0);
	if (wrong) {
		etcd_reply_err(c, GRPC_INVALID_ARGUMENT, wrong);
		return;
	}
	if (writes(&c->request.op) && etcd_corrupt_refused(c))
		return;
	if (!etcd_op_refused(c))
		etcd_submit(c, op_done);
}

static void compact_done(struct etcd_call *c)
{
	if (c->request.err.code) {
		etcd_reply_store_err(c, &c->request);
		return;
	}
	int64_t revision = c->request.revision ? c->request.revision : store_revision(c->service->store);
	etcd_reply_header(c, revision);
}

/* etcd counts "never compacted" as -1, so that compacting at 0 succeeds until something was. */
static bool nothing_compacted(struct etcd_service *s)
{
	struct store_stats stats = {0};
	store_stats(s->store, &stats);
	return stats.compacted_revision == 0;
}

void etcd_compact(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	Etcdpb__CompactionRequest *r = etcd_unpack(c, &etcdpb__compaction_request__descriptor, message);
	if (!r)
		return;
	if (r->revision == 0 && nothing_compacted(c->service)) {
		compact_done(c);
		return;
	}
	c->request.type = STORE_REQUEST_COMPACT;
	c->request.revision_arg = r->revision;
	c->request.physical = r->physical;
	etcd_submit(c, compact_done);
}
