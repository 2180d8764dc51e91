/* See workload.h: the list, and what workloads share. */
#include "jepsen/workload.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

const struct workload *const workloads[] = {&workload_register, &workload_set, &workload_append, &workload_bank,
        &workload_unique, &workload_watch, &workload_lease, &workload_lock, &workload_kube, &workload_api_objects,
        &workload_api_informers, &workload_api_deployments};
const unsigned workload_count = COUNT_OF(workloads);

const char *workload_key(struct worker *w, const char *prefix, unsigned index)
{
	return arena_printf(&w->arena, "%s%u", prefix, index);
}

const char *workload_number(struct arena *a, int64_t v)
{
	return arena_printf(a, "%" PRId64, v);
}

const char *workload_key_text(struct arena *a, const Etcdpb__KeyValue *kv)
{
	return arena_memdup(a, kv->key.data, kv->key.len);
}

int64_t workload_value(const Etcdpb__KeyValue *kv)
{
	int64_t v;
	if (!kv)
		return HISTORY_NIL;
	/* A value that is no number was written by nobody: a number that no write has makes the checker say so. */
	return slice_to_i64((struct slice){(const char *)kv->value.data, kv->value.len}, &v) ? v : -1;
}

struct client_answer workload_get(struct worker *w, const char *key, Etcdpb__RangeResponse **ret)
{
	Etcdpb__RangeRequest r = ETCDPB__RANGE_REQUEST__INIT;
	r.key = client_bytes(key);
	r.serializable = w->run->options->serializable;
	struct client_answer a = client_call(w->client, "KV/Range", &r.base, &etcdpb__range_response__descriptor);
	*ret = a.message;
	if (a.outcome == CLIENT_INFO)
		a.outcome = CLIENT_FAIL; /* a read has no effect */
	return a;
}

struct client_answer workload_put(struct worker *w, const char *key, const char *value, int64_t lease)
{
	Etcdpb__PutRequest r = ETCDPB__PUT_REQUEST__INIT;
	r.key = client_bytes(key);
	r.value = client_bytes(value);
	r.lease = lease;
	return client_call(w->client, "KV/Put", &r.base, &etcdpb__put_response__descriptor);
}

struct client_answer workload_txn(struct worker *w, Etcdpb__TxnRequest *txn, Etcdpb__TxnResponse **ret)
{
	struct client_answer a = client_call(w->client, "KV/Txn", &txn->base, &etcdpb__txn_response__descriptor);
	*ret = a.message;
	return a;
}

static Etcdpb__Compare *compare(struct arena *a, const char *key)
{
	Etcdpb__Compare *c = arena_alloc(a, sizeof *c);
	etcdpb__compare__init(c);
	c->key = client_bytes(key);
	return c;
}

Etcdpb__Compare *workload_compare_mod(struct arena *a, const char *key, int64_t mod_revision)
{
	Etcdpb__Compare *c = compare(a, key);
	c->target = 2;
	c->target_union_case = ETCDPB__COMPARE__TARGET_UNION_MOD_REVISION;
	c->mod_revision = mod_revision;
	return c;
}

Etcdpb__Compare *workload_compare_value(struct arena *a, const char *key, const char *value)
{
	Etcdpb__Compare *c = compare(a, key);
	c->target = 3;
	c->target_union_case = ETCDPB__COMPARE__TARGET_UNION_VALUE;
	c->value = client_bytes(value);
	return c;
}

static Etcdpb__RequestOp *op(struct arena *a)
{
	Etcdpb__RequestOp *o = arena_alloc(a, sizeof *o);
	etcdpb__request_op__init(o);
	return o;
}

Etcdpb__RequestOp *workload_op_put(struct arena *a, const char *key, const char *value, int64_t lease)
{
	Etcdpb__RequestOp *o = op(a);
	o->request_case = ETCDPB__REQUEST_OP__REQUEST_REQUEST_PUT;
	o->request_put = arena_alloc(a, sizeof *o->request_put);
	etcdpb__put_request__init(o->request_put);
	o->request_put->key = client_bytes(key);
	o->request_put->value = client_bytes(value);
	o->request_put->lease = lease;
	return o;
}

Etcdpb__RequestOp *workload_op_get(struct arena *a, const char *key)
{
	Etcdpb__RequestOp *o = op(a);
	o->request_case = ETCDPB__REQUEST_OP__REQUEST_REQUEST_RANGE;
	o->request_range = arena_alloc(a, sizeof *o->request_range);
	etcdpb__range_request__init(o->request_range);
	o->request_range->key = client_bytes(key);
	return o;
}

Etcdpb__RequestOp *workload_op_delete(struct arena *a, const char *key)
{
	Etcdpb__RequestOp *o = op(a);
	o->request_case = ETCDPB__REQUEST_OP__REQUEST_REQUEST_DELETE_RANGE;
	o->request_delete_range = arena_alloc(a, sizeof *o->request_delete_range);
	etcdpb__delete_range_request__init(o->request_delete_range);
	o->request_delete_range->key = client_bytes(key);
	return o;
}
