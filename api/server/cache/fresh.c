/* See fresh.h. A consistent wait asks the store for its newest revision first (a barrier: the read index of a cluster).
 */
#include "api/server/cache/fresh.h"

#include "api/server/answer.h"
#include "api/server/state.h"
#include "base/check.h"
#include "store/engine.h"

#include <inttypes.h>

struct fresh {
	struct call *call;
	struct store_request barrier;
	struct cache_wait wait;
	void (*fn)(struct call *c);
};

static void fresh_reached(struct cache_wait *w)
{
	struct fresh *f = CONTAINER_OF(w, struct fresh, wait);
	struct call *c = f->call;
	if (!c->gone)
		f->fn(c);
	call_unref(c);
}

/* Longer than any election takes. */
enum { STALE_AFTER_S = 5 };

static bool may_be_stale(const struct call *c)
{
	return slice_is(c->method, "GET") && !store_has_leader(c->server->store);
}

/* What this process has, and a warning. */
static void wait_stale(struct fresh *f)
{
	struct call *c = f->call;
	call_warn(c, "no server of the cluster leads: this is what the server had last, and may be old");
	f->wait.revision = store_revision(c->server->store);
	cache_wait(c->server->cache, &f->wait);
}

static void fresh_barrier_done(struct store_request *req)
{
	struct fresh *f = CONTAINER_OF(req, struct fresh, barrier);
	struct call *c = f->call;
	call_was_answered(c);
	if (req->err.code && !c->gone && may_be_stale(c)) {
		store_request_release(req);
		wait_stale(f);
		return;
	}
	if (req->err.code) {
		if (!c->gone)
			call_respond_err(c, &req->err);
		call_unref(c);
		return;
	}
	f->wait.revision = req->revision;
	store_request_release(req);
	cache_wait(c->server->cache, &f->wait);
}

void fresh_wait(struct call *c, bool consistent, void (*fn)(struct call *c))
{
	struct fresh *f = ARENA_NEW(&c->arena, struct fresh);
	LOOP_CHECK_OWNER(c->loop);
	CHECK(fn != NULL);
	f->call = call_ref(c);
	f->fn = fn;
	f->wait.reached = fresh_reached;
	if (consistent && c->server->leaderless >= STALE_AFTER_S && may_be_stale(c)) {
		wait_stale(f);
		return;
	}
	if (consistent) {
		f->barrier = (struct store_request){
		        .type = STORE_REQUEST_BARRIER, .loop = c->server->loop, .done = fresh_barrier_done};
		call_submit(c, &f->barrier);
		return;
	}
	f->wait.revision = store_revision(c->server->store);
	cache_wait(c->server->cache, &f->wait);
}

void fresh_wait_at(struct call *c, int64_t revision, void (*fn)(struct call *c))
{
	LOOP_CHECK_OWNER(c->loop);
	if (revision > store_revision(c->server->store)) {
		struct err err = ERR_INIT;
		err_set(&err, ERR_FUTURE_REVISION, "Too large resource version: %" PRId64 ", current: %" PRId64,
		        revision, store_revision(c->server->store));
		call_respond_err(c, &err);
		return;
	}
	struct fresh *f = ARENA_NEW(&c->arena, struct fresh);
	f->call = call_ref(c);
	f->fn = fn;
	f->wait.reached = fresh_reached;
	f->wait.revision = revision;
	cache_wait(c->server->cache, &f->wait);
}

struct slice fresh_route_key(struct call *c)
{
	struct route *r = &c->route;
	if (!r->resource->namespaced)
		return r->name;
	char *key = arena_printf(&c->arena, "%.*s/%.*s", SLICE_FMT(r->ns), SLICE_FMT(r->name));
	return slice_of(key);
}

struct object *fresh_route_object(struct call *c)
{
	return cache_get(cache_resource(c->server->cache, c->route.resource), fresh_route_key(c));
}
