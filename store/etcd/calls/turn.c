/* One's turn in a queue of keys, as etcd's own client makes locks and elections (client/v3/concurrency).
 *
 *     [grant a lease] -> put "name/LEASE" unless it is there -> who was created last before me?
 *                                                                 |  nobody: mine
 *                                                                 +- watch that key until it is deleted, ask again
 *
 * Each step is a request like a client's, judged by what the caller may. Who waits holds one watch on one key, so that
 * a release wakes one and not all. The watch begins after the revision at which the key was seen, so that no deletion
 * is missed; when that revision is compacted meanwhile the question is asked again.
 *
 * What can go wrong: the lease ends while one waits: then the own key is gone, and the one who waits is told so by who
 * has started it (lock.c) or learns it later. The client goes away: the key is removed if it is still the own one.
 */
#include "store/etcd/calls/turn_int.h"

#include "base/check.h"
#include "store/etcd/serve/answer.h"
#include "store/etcd/serve/call.h"

#include <inttypes.h>

enum { SESSION_TTL_S = 60 };

static void leave(struct etcd_call *c);

static struct etcd_turn *turn_of(struct etcd_call *c)
{
	return c->state;
}

static bool failed(struct etcd_call *c)
{
	if (!c->request.err.code)
		return false;
	etcd_reply_store_err(c, &c->request);
	return true;
}

static struct slice kept(struct arena *a, struct slice s)
{
	return (struct slice){arena_memdup(a, s.ptr, s.len), s.len};
}

struct store_op etcd_turn_guarded(struct arena *a, struct slice key, int64_t created, const struct store_op *op)
{
	struct store_compare *x = ARENA_NEW(a, struct store_compare);
	*x = (struct store_compare){
	        .keys.key = key, .target = STORE_TARGET_CREATE, .result = STORE_EQUAL, .number = created};
	return (struct store_op){
	        .type = STORE_OP_TXN, .txn = {.compares = x, .n_compares = 1, .success = op, .n_success = op ? 1 : 0}};
}

/* ---- waiting ---- */

static void ask(struct etcd_call *c);

static void watch_closed(void *arg)
{
	struct etcd_call *c = arg;
	c->is_out = false;
	turn_of(c)->watch = NULL;
	if (c->is_gone)
		leave(c);
	else
		ask(c);
}

static void close_watch(struct etcd_call *c)
{
	c->is_out = true;
	store_watch_close(c->service->store, turn_of(c)->watch, watch_closed, c);
}

/* Has the key been deleted, or is the place from which to watch it gone? */
static bool is_over(struct etcd_call *c)
{
	struct store_watch_batch batch = {0};
	struct err err = ERR_INIT;
	int64_t before;
	do {
		before = batch.revision;
		if (store_watch_read(c->service->store, turn_of(c)->watch, &batch, &err) != 0)
			return true;
		for (size_t i = 0; i < batch.n_events; i++)
			if (batch.events[i].is_delete)
				return true;
	} while (batch.n_events || batch.revision != before);
	return false;
}

static void watch_ready(void *arg)
{
	struct etcd_call *c = arg;
	if (!c->is_out && is_over(c))
		close_watch(c);
}

static void asked(struct etcd_call *c)
{
	struct etcd_turn *t = turn_of(c);
	if (failed(c))
		return;
	if (c->request.result.n_kvs == 0) {
		t->mine(c);
		return;
	}
	t->had_to_wait = true;
	struct store_watch_options o = {
	        .keys.key = c->request.result.kvs[0].key, .start_revision = c->request.revision + 1, .no_put = true};
	t->watch = store_watch_open(c->service->store, &o, c->service->loop, watch_ready, c);
	watch_ready(c);
}

/* Who was created last before me? */
static void ask(struct etcd_call *c)
{
	struct etcd_turn *t = turn_of(c);
	struct store_request req = {.op = {.type = STORE_OP_RANGE,
	                                    .range = {.keys = store_prefix_range(&c->arena, t->prefix),
	                                            .limit = 1,
	                                            .sort = STORE_SORT_DESCEND,
	                                            .sort_target = STORE_TARGET_CREATE,
	                                            .max_create_revision = t->revision - 1}}};
	etcd_submit_next(c, &req, asked);
}

void etcd_turn_wait(struct etcd_call *c)
{
	ask(c);
}

/* ---- queueing up ---- */

static void put_done(struct etcd_call *c)
{
	struct etcd_turn *t = turn_of(c);
	if (failed(c))
		return;
	const struct store_result *r = &c->request.result;
	t->txn_revision = t->revision = c->request.revision;
	t->was_there = !r->succeeded;
	if (t->was_there) {
		CHECK(r->n_results == 1 && r->results[0].n_kvs == 1);
		t->revision = r->results[0].kvs[0].create_revision;
		t->old_value = kept(&c->arena, r->results[0].kvs[0].value);
	}
	t->queued(c);
}

static void put(struct etcd_call *c)
{
	struct etcd_turn *t = turn_of(c);
	struct store_op *ops = ARENA_ARRAY(&c->arena, struct store_op, 2);
	char hex[20];
	snprintf(hex, sizeof hex, "%" PRIx64, (uint64_t)t->lease);
	t->key = slice_join(&c->arena, t->prefix, slice_of(hex));
	ops[0] = (struct store_op){.type = STORE_OP_PUT, .put = {.key = t->key, .value = t->value, .lease = t->lease}};
	ops[1] = (struct store_op){.type = STORE_OP_RANGE, .range.keys.key = t->key};
	struct store_request req = {.op = etcd_turn_guarded(&c->arena, t->key, 0, &ops[0])};
	req.op.txn.failure = &ops[1];
	req.op.txn.n_failure = 1;
	etcd_submit_next(c, &req, put_done);
}

static void granted(struct etcd_call *c)
{
	if (failed(c))
		return;
	turn_of(c)->lease = c->request.lease.id;
	put(c);
}

/* ---- the client has gone ---- */

static void left(struct store_request *req)
{
	etcd_call_end(CONTAINER_OF(req, struct etcd_call, request));
}

static void leave(struct etcd_call *c)
{
	struct etcd_turn *t = turn_of(c);
	if (t->watch) {
		close_watch(c);
		return;
	}
	/* Its put may have been under way when the client left: then its revision is the key's. */
	if (!t->revision && !c->request.err.code && c->request.op.type == STORE_OP_TXN && c->request.result.succeeded)
		t->revision = c->request.revision;
	if (!t->revision || t->was_there) {
		etcd_call_end(c);
		return;
	}
	struct store_op *op = ARENA_NEW(&c->arena, struct store_op);
	*op = (struct store_op){.type = STORE_OP_DELETE, .del.keys.key = t->key};
	store_request_release(&c->request);
	c->request = (struct store_request){
	        .op = etcd_turn_guarded(&c->arena, t->key, t->revision, op), .loop = c->service->loop, .done = left};
	store_submit(c->service->store, &c->request);
}

static void gone(struct etcd_call *c)
{
	struct etcd_turn *t = turn_of(c);
	if (t->leaves)
		return;
	t->leaves = true;
	leave(c);
}

void etcd_turn_start(struct etcd_call *c, struct slice name, struct slice value, int64_t lease,
        void (*queued)(struct etcd_call *c), void (*mine)(struct etcd_call *c))
{
	struct etcd_turn *t = ARENA_NEW(&c->arena, struct etcd_turn);
	*t = (struct etcd_turn){.call = c,
	        .prefix = slice_join(&c->arena, name, SLICE("/")),
	        .value = value,
	        .lease = lease,
	        .queued = queued,
	        .mine = mine};
	c->state = t;
	c->gone = gone;
	if (lease) {
		put(c);
		return;
	}
	struct store_request req = {.type = STORE_REQUEST_LEASE_GRANT, .lease.ttl_s = SESSION_TTL_S};
	etcd_submit_next(c, &req, granted);
}
