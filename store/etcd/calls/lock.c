/* Lock: a queue of keys under the lock's name, one per lease; whose key is the oldest holds it (turn.c). */
#include "store/etcd/calls/turn_int.h"

#include "store/etcd/calls/recipes.h"
#include "store/etcd/serve/answer.h"
#include "store/etcd/serve/call.h"
#include "store/proto/unpack.h"

static void send_lock(struct etcd_call *c, int64_t revision)
{
	struct etcd_turn *t = c->state;
	Etcdpb__LockResponse m = ETCDPB__LOCK_RESPONSE__INIT;
	m.header = etcd_header(c->service, &c->arena, revision);
	m.key = etcd_bytes(t->key);
	etcd_reply(c, &m.base);
}

static void looked(struct etcd_call *c)
{
	if (c->request.err.code)
		etcd_reply_store_err(c, &c->request);
	else if (c->request.result.n_kvs == 0)
		etcd_reply_err(c, GRPC_UNKNOWN, "mutex: session is expired");
	else
		send_lock(c, c->request.revision);
}

/* Who has waited looks whether his key is there still: the lease may have ended meanwhile. */
static void mine(struct etcd_call *c)
{
	struct etcd_turn *t = c->state;
	struct store_request req = {.op = {.type = STORE_OP_RANGE, .range.keys.key = t->key}};
	if (t->had_to_wait)
		etcd_submit_next(c, &req, looked);
	else
		send_lock(c, t->txn_revision);
}

void etcd_lock(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	Etcdpb__LockRequest *r = etcd_unpack(c, &etcdpb__lock_request__descriptor, message);
	if (r)
		etcd_turn_start(c, etcd_slice(r->name), SLICE(""), r->lease, etcd_turn_wait, mine);
}

static void unlocked(struct etcd_call *c)
{
	if (c->request.err.code)
		etcd_reply_store_err(c, &c->request);
	else
		etcd_reply_header(c, c->request.revision);
}

void etcd_unlock(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	Etcdpb__UnlockRequest *r = etcd_unpack(c, &etcdpb__unlock_request__descriptor, message);
	if (!r)
		return;
	c->request.op = (struct store_op){.type = STORE_OP_DELETE, .del.keys.key = etcd_slice(r->key)};
	etcd_submit(c, unlocked);
}
