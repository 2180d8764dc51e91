/* The compare-and-swap under every write. See write_int.h.
 *
 * A write compares the key's modification revision with that of the object it was computed from (0: absent). When that
 * fails somebody else was faster: the cache is awaited at the revision the store answered with, and the caller decides
 * whether to compute again. */
#include "api/server/write_int.h"

#include "base/check.h"

static void finish(struct write *w)
{
	struct call *c = w->call;
	w->done(w, &w->outcome, w->outcome_revision);
	call_unref(c);
}

static void caught_up(struct cache_wait *wait)
{
	finish(CONTAINER_OF(wait, struct write, wait));
}

static void request_done(struct store_request *req)
{
	struct write *w = CONTAINER_OF(req, struct write, request);
	w->outcome = req->err;
	w->outcome_revision = req->revision;
	bool lost = !req->err.code && !req->result.succeeded;
	store_request_release(req);
	if (!lost) {
		w->call->stored = w->call->stored || !req->err.code;
		finish(w);
		return;
	}
	err_set(&w->outcome, ERR_CONFLICT, "the object has been modified");
	w->wait = (struct cache_wait){.revision = w->outcome_revision, .reached = caught_up};
	cache_wait(w->call->server->cache, &w->wait);
}

void write_submit(struct write *w, const struct resource *r, struct slice ns, struct slice name)
{
	struct call *c = w->call;
	struct strbuf key = STRBUF_INIT;
	resource_storage_key(&key, r, ns, name);
	struct slice k = {arena_memdup(&c->arena, key.data, key.len), key.len};
	strbuf_release(&key);
	w->compare = (struct store_compare){.keys = {.key = k},
	        .target = STORE_TARGET_MOD,
	        .result = STORE_EQUAL,
	        .number = w->old ? w->old->revision : 0};
	if (w->kind == WRITE_PUT)
		w->op = (struct store_op){.type = STORE_OP_PUT, .put = {.key = k, .value = strbuf_slice(&w->text)}};
	else
		w->op = (struct store_op){.type = STORE_OP_DELETE, .del = {.keys = {.key = k}}};
	w->request = (struct store_request){.type = STORE_REQUEST_OP, .loop = c->server->loop, .done = request_done};
	w->request.op.type = STORE_OP_TXN;
	w->request.op.txn =
	        (struct store_txn){.compares = &w->compare, .n_compares = 1, .success = &w->op, .n_success = 1};
	call_ref(c);
	store_submit(c->server->store, &w->request);
}

void write_release(struct write *w)
{
	strbuf_release(&w->text);
	object_unref(w->old);
	w->old = NULL;
}
