/* Requests that are out, on the raft thread: kept from their submission to their answer, known by the sequence under
 * which the log brings them back. */
#include "store/engine/raft_pending_int.h"

#include "base/check.h"
#include "store/engine/raft_state_int.h"

#include <stdlib.h>

static struct slice sequence_key(const struct pending *p)
{
	return (struct slice){(const char *)&p->sequence, sizeof p->sequence};
}

void pending_release(struct pending *p)
{
	if (p->req || p->change || p->in_map || p->proposal_out)
		return;
	list_del(&p->by_age);
	list_del(&p->link);
	strbuf_release(&p->command);
	free(p);
}

void pending_map(struct pending *p)
{
	if (p->in_map)
		return;
	p->in_map = true;
	CHECK(map_put(&p->engine->by_sequence, sequence_key(p), p) == NULL);
}

void pending_unmap(struct pending *p)
{
	if (p->in_map)
		CHECK(map_del(&p->engine->by_sequence, sequence_key(p)) == p);
	p->in_map = false;
}

struct pending *pending_take(struct raft_engine *e, uint64_t sequence)
{
	struct pending *p = map_get(&e->by_sequence, (struct slice){(const char *)&sequence, sizeof sequence});
	if (p)
		pending_unmap(p);
	return p;
}

static void change_done(struct loop_task *t)
{
	struct raft_engine_change *c = CONTAINER_OF(t, struct raft_engine_change, task);
	c->done(c);
}

static void post_change(struct raft_engine_change *c)
{
	c->task.run = change_done;
	loop_post(c->loop, &c->task);
}

void raft_engine_refuse_change(struct raft_engine_change *c, int code, const char *text)
{
	err_set(&c->err, code, "%s", text);
	post_change(c);
}

void pending_answer(struct pending *p, int code, const char *text)
{
	struct raft_engine *e = p->engine;
	struct store_request *req = TAKE(p->req);
	struct raft_engine_change *change = TAKE(p->change);
	list_del(&p->link);
	list_del(&p->by_age);
	pending_unmap(p);
	if (pending_is_proposal(p->kind))
		atomic_fetch_sub(&e->n_proposed, 1);
	if (code && pending_is_proposal(p->kind))
		atomic_fetch_add(&e->n_failed, 1);
	if (code == ERR_TIMEOUT && p->kind == PENDING_READ)
		atomic_fetch_add(&e->n_slow_reads, 1);
	atomic_fetch_sub(&e->outstanding, 1);
	if (req) {
		if (code)
			err_set(&req->err, code, "%s", text);
		engine_complete(req);
	}
	if (change && code)
		raft_engine_refuse_change(change, code, text);
	else if (change)
		post_change(change);
	pending_release(p);
}

void pending_park(struct pending *p)
{
	if (!p->req && !p->change) {
		pending_release(p);
		return;
	}
	list_del(&p->link);
	list_push_back(&p->engine->parked, &p->link);
}
