/* Election: a queue of keys under the election's name (turn.c); whose key is the oldest leads, its value is what
 * the leader proclaims. The observer is in observe.c. */
#include "store/etcd/calls/turn_int.h"

#include "store/etcd/calls/recipes.h"
#include "store/etcd/serve/answer.h"
#include "store/etcd/serve/call.h"
#include "store/proto/unpack.h"

static const char not_leader[] = "election: not leader";
static const char leader_missing[] = "\"leader\" field must be provided";

/* ---- Campaign ---- */

static void elected(struct etcd_call *c)
{
	struct etcd_turn *t = c->state;
	Etcdpb__CampaignResponse m = ETCDPB__CAMPAIGN_RESPONSE__INIT;
	Etcdpb__LeaderKey key = ETCDPB__LEADER_KEY__INIT;
	key.name = etcd_bytes((struct slice){t->prefix.ptr, t->prefix.len - 1});
	key.key = etcd_bytes(t->key);
	key.rev = t->revision;
	key.lease = t->lease;
	m.leader = &key;
	m.header = etcd_header(c->service, &c->arena, t->txn_revision);
	etcd_reply(c, &m.base);
}

static void put_anew(struct etcd_call *c)
{
	if (c->request.err.code)
		etcd_reply_store_err(c, &c->request);
	else if (!c->request.result.succeeded)
		etcd_reply_err(c, GRPC_UNKNOWN, not_leader);
	else
		etcd_turn_wait(c);
}

static struct store_op put_if_created(
        struct arena *a, struct slice key, int64_t created, struct slice value, int64_t lease)
{
	struct store_op *op = ARENA_NEW(a, struct store_op);
	*op = (struct store_op){.type = STORE_OP_PUT, .put = {.key = key, .value = value, .lease = lease}};
	return etcd_turn_guarded(a, key, created, op);
}

/* Who queues again with another value gives his key that value. */
static void queued(struct etcd_call *c)
{
	struct etcd_turn *t = c->state;
	if (!t->was_there || slice_eq(t->old_value, t->value)) {
		etcd_turn_wait(c);
		return;
	}
	struct store_request req = {.op = put_if_created(&c->arena, t->key, t->revision, t->value, t->lease)};
	etcd_submit_next(c, &req, put_anew);
}

void etcd_campaign(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	Etcdpb__CampaignRequest *r = etcd_unpack(c, &etcdpb__campaign_request__descriptor, message);
	if (r)
		etcd_turn_start(c, etcd_slice(r->name), etcd_slice(r->value), r->lease, queued, elected);
}

/* ---- Proclaim, Resign ---- */

static void proclaimed(struct etcd_call *c)
{
	if (c->request.err.code)
		etcd_reply_store_err(c, &c->request);
	else if (!c->request.result.succeeded)
		etcd_reply_err(c, GRPC_UNKNOWN, not_leader);
	else
		etcd_reply_header(c, c->request.revision);
}

void etcd_proclaim(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	Etcdpb__ProclaimRequest *r = etcd_unpack(c, &etcdpb__proclaim_request__descriptor, message);
	if (!r)
		return;
	if (!r->leader) {
		etcd_reply_err(c, GRPC_UNKNOWN, leader_missing);
		return;
	}
	c->request.op = put_if_created(
	        &c->arena, etcd_slice(r->leader->key), r->leader->rev, etcd_slice(r->value), r->leader->lease);
	etcd_submit(c, proclaimed);
}

static void resigned(struct etcd_call *c)
{
	if (c->request.err.code)
		etcd_reply_store_err(c, &c->request);
	else
		etcd_reply_header(c, c->request.revision);
}

void etcd_resign(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	Etcdpb__ResignRequest *r = etcd_unpack(c, &etcdpb__resign_request__descriptor, message);
	if (!r)
		return;
	if (!r->leader) {
		etcd_reply_err(c, GRPC_UNKNOWN, leader_missing);
		return;
	}
	struct store_op *op = ARENA_NEW(&c->arena, struct store_op);
	*op = (struct store_op){.type = STORE_OP_DELETE, .del.keys.key = etcd_slice(r->leader->key)};
	c->request.op = etcd_turn_guarded(&c->arena, etcd_slice(r->leader->key), r->leader->rev, op);
	etcd_submit(c, resigned);
}

/* ---- Leader ---- */

static void found(struct etcd_call *c)
{
	Etcdpb__LeaderResponse m = ETCDPB__LEADER_RESPONSE__INIT;
	if (c->request.err.code) {
		etcd_reply_store_err(c, &c->request);
	} else if (c->request.result.n_kvs == 0) {
		etcd_reply_err(c, GRPC_UNKNOWN, "election: no leader");
	} else {
		m.header = etcd_header(c->service, &c->arena, c->request.revision);
		m.kv = etcd_kv(&c->arena, &c->request.result.kvs[0]);
		etcd_reply(c, &m.base);
	}
}

struct store_range etcd_election_first(struct arena *a, struct slice name)
{
	char *prefix = arena_alloc(a, name.len + 1);
	memcpy(prefix, name.ptr, name.len);
	prefix[name.len] = '/';
	return (struct store_range){.keys = store_prefix_range(a, (struct slice){prefix, name.len + 1}),
	        .limit = 1,
	        .sort = STORE_SORT_ASCEND,
	        .sort_target = STORE_TARGET_CREATE};
}

void etcd_leader(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	Etcdpb__LeaderRequest *r = etcd_unpack(c, &etcdpb__leader_request__descriptor, message);
	if (!r)
		return;
	c->request.op =
	        (struct store_op){.type = STORE_OP_RANGE, .range = etcd_election_first(&c->arena, etcd_slice(r->name))};
	etcd_submit(c, found);
}
