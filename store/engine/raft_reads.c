/* Linearizable reads, on the raft thread: those that came within a turn ask together which index is committed (here, or
 * by a message to the leader), wait until that has been applied here, and go to the readers. An answer is only ever
 * used for reads that were there before it was asked for. A question that is lost is asked anew after a moment, which
 * is safe for the same reason. */
#include "store/engine/raft_reads_int.h"

#include "base/check.h"
#include "store/engine/raft_state_int.h"
#include "store/engine/raft_tell_int.h"
#include "store/engine/raft_pending_int.h"

#include <stdlib.h>

enum { ASK_AGAIN_MS = 300, BATCHES_MAX = 4 };

static struct pending *pending_of(struct list_link *l)
{
	return CONTAINER_OF(l, struct pending, link);
}

void reads_add(struct raft_engine *e, struct pending *p)
{
	RAFT_THREAD(e);
	list_push_back(&e->reads, &p->link);
	loop_defer(raft_node_loop(e->node), &e->flush);
}

static void batch_free(struct read_batch *b)
{
	list_del(&b->link);
	free(b);
}

/* A batch that asked and has arrived: everything acknowledged before is told. With nobody else in the cluster, nobody
 * else acknowledges anything from here on, and each answer comes after its telling: so until the members change or this
 * server does not lead any more, reads need not ask. A second voter can't lead without the vote of this one, which ends
 * its leading. */
static void note_sole(struct raft_engine *e)
{
	struct raft_host *h = engine_host(e);
	if (e->is_leader && h && raft_host_is_alone(h) && !raft_host_is_changing(h))
		atomic_store(&e->is_sole, true);
}

void reads_must_ask(struct raft_engine *e)
{
	atomic_store(&e->is_sole, false);
}

static void serve(struct raft_engine *e, struct read_batch *b)
{
	RAFT_THREAD(e);
	struct list_link *l;
	note_sole(e);
	while ((l = list_pop_front(&b->pendings)) != NULL) {
		struct pending *p = pending_of(l);
		struct store_request *req = TAKE(p->req);
		atomic_fetch_sub(&e->outstanding, 1);
		if (req->type == STORE_REQUEST_SYSTEM_READ) /* who reads what members say asks who they are, too */
			raft_node_refresh_status(e->node);
		if (engine_core_read_in_memory(&e->core, req))
			engine_complete(req);
		else
			engine_core_read(&e->core, req, 0);
		pending_release(p);
	}
	batch_free(b);
}

/* Back to the queue: to be asked for anew. */
static void unbatch(struct raft_engine *e, struct read_batch *b)
{
	RAFT_THREAD(e);
	struct list_link *l;
	while ((l = list_pop_front(&b->pendings)) != NULL)
		list_push_back(&e->reads, l);
	batch_free(b);
}

/* Up to `index` everything is in our state, and in what libraft knows: a state that was sent is in place a moment
 * before libraft has taken the members that came with it, and who asked for these then was shown those of before. */
static bool has_arrived(struct raft_engine *e, uint64_t index)
{
	return (uint64_t)atomic_load(&e->core.applied_index) >= index && engine_host(e) &&
	       raft_host_commit_index(engine_host(e)) >= index;
}

static void known(struct read_batch *b, uint64_t index)
{
	struct raft_engine *e = b->engine;
	b->index = index;
	b->is_known = true;
	if (has_arrived(e, index))
		serve(e, b);
	if (!list_empty(&e->reads)) /* there was no room for them */
		loop_defer(raft_node_loop(e->node), &e->flush);
}

static void read_done(struct raft_read *r, int status, uint64_t index)
{
	struct read_batch *b = CONTAINER_OF(r, struct read_batch, read);
	if (status == 0)
		known(b, index);
	else
		unbatch(b->engine, b);
}

void reads_answer(struct raft_engine *e, uint64_t batch_id, int status, uint64_t index)
{
	RAFT_THREAD(e);
	LIST_FOREACH (l, &e->batches) {
		struct read_batch *b = CONTAINER_OF(l, struct read_batch, link);
		if (b->id != batch_id || b->is_known)
			continue;
		if (status == 0)
			known(b, index);
		else
			unbatch(e, b);
		return;
	}
}

void reads_applied(struct raft_engine *e)
{
	RAFT_THREAD(e);
	LIST_FOREACH (l, &e->batches) {
		struct read_batch *b = CONTAINER_OF(l, struct read_batch, link);
		if (b->is_known && has_arrived(e, b->index))
			serve(e, b);
	}
}

/* What is decided can't be applied before the disk has room. */
static void refuse(struct raft_engine *e, struct read_batch *b)
{
	RAFT_THREAD(e);
	while (!list_empty(&b->pendings))
		pending_answer(pending_of(b->pendings.next), ERR_NO_SPACE,
		        "the disk of this server is full: what was written last can't be read before there is room");
	batch_free(b);
}

static unsigned asked(const struct raft_engine *e)
{
	unsigned n = 0;
	LIST_FOREACH (l, &e->batches)
		n += !CONTAINER_OF(l, struct read_batch, link)->is_known;
	return n;
}

void reads_flush(struct raft_engine *e)
{
	RAFT_THREAD(e);
	struct list_link *l;
	if (list_empty(&e->reads) || !e->leader || !engine_host(e) || asked(e) >= BATCHES_MAX)
		return;
	struct read_batch *b = xcalloc(1, sizeof *b);
	b->engine = e;
	b->asked_at_ms = loop_now_ms(raft_node_loop(e->node));
	list_init(&b->pendings);
	list_push_back(&e->batches, &b->link);
	while ((l = list_pop_front(&e->reads)) != NULL)
		list_push_back(&b->pendings, l);
	if (e->is_leader) {
		b->read.done = read_done;
		raft_host_read_index(engine_host(e), &b->read);
	} else {
		b->id = ++e->batch_id;
		if (!peers_ask_index(e, b->id))
			unbatch(e, b); /* the tick tries again */
	}
}

void reads_reroute(struct raft_engine *e, bool at_once)
{
	RAFT_THREAD(e);
	uint64_t now = loop_now_ms(raft_node_loop(e->node));
	LIST_FOREACH (l, &e->batches) {
		struct read_batch *b = CONTAINER_OF(l, struct read_batch, link);
		bool is_late = now - b->asked_at_ms >= ASK_AGAIN_MS;
		if (list_empty(&b->pendings) && (b->is_known || b->id))
			batch_free(b); /* they ran out of time */
		else if (b->is_known && is_late && atomic_load(&e->apply_full))
			refuse(e, b);
		else if (b->id && !b->is_known && (at_once || is_late)) {
			atomic_fetch_add(&e->n_slow_reads, is_late);
			unbatch(e, b);
		}
	}
	if (!list_empty(&e->reads))
		loop_defer(raft_node_loop(e->node), &e->flush);
}
