/* Requests on their way to the log, on the raft thread.
 *
 *     submit --> route --> leader here: proposed      --> committed: to the apply thread, with the request
 *                      --> leader elsewhere: sent on  --> committed: comes by the log like everything, and is known by
 *                      |                                  its origin and sequence
 *                      --> no leader, or turned away: parked, routed again when that changes or a moment has passed
 *
 * A command that was surely not taken is routed again; one that may have been waits for the log to bring it, or for its
 * time to run out (ERR_TIMEOUT: it may or may not have happened). So nothing is ever proposed twice. */
#include "store/engine/raft_propose_int.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "store/engine/raft_state_int.h"
#include "store/engine/raft_members_int.h"
#include "store/engine/raft_tell_int.h"
#include "store/engine/raft_reads_int.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- proposals ---- */

static void proposed(struct raft_proposal *q, int status, uint64_t index, size_t position)
{
	struct pending *p = CONTAINER_OF(q, struct pending, proposal);
	p->proposal_out = false;
	if (status == ERR_UNAVAILABLE) { /* surely not taken */
		pending_unmap(p);
		pending_park(p);
		return;
	}
	pending_release(p);
}

static void route_write(struct pending *p)
{
	RAFT_THREAD(p->engine);
	struct raft_engine *e = p->engine;
	if (p->req->term_expected && p->req->term_expected != e->term) {
		pending_answer(
		        p, ERR_CANCELED, "this server does not lead any more: another does what one does for all");
		return;
	}
	pending_map(p);
	if (e->is_leader) {
		p->proposal_out = true;
		p->proposal.data = strbuf_slice(&p->command);
		p->proposal.done = proposed;
		raft_host_propose(engine_host(e), &p->proposal);
		loop_defer(raft_node_loop(e->node), &e->flush);
	} else if (!peers_forward(e, strbuf_slice(&p->command))) {
		pending_unmap(p);
		pending_park(p);
	}
}

static void change_answered(void *arg, int code, const char *text)
{
	struct pending *p = pending_take(((void **)arg)[0], *(uint64_t *)((void **)arg)[1]);
	if (p)
		pending_answer(p, code, text);
}

struct change_ref {
	void *both[2];
	uint64_t sequence;
};

static void change_ref_done(void *arg, int code, const char *text)
{
	struct change_ref *r = arg;
	change_answered(r->both, code, text);
	free(r);
}

static void route_change(struct pending *p)
{
	RAFT_THREAD(p->engine);
	pending_map(p);
	if (p->engine->is_leader) {
		struct change_ref *r = xcalloc(1, sizeof *r);
		r->sequence = p->sequence;
		r->both[0] = p->engine;
		r->both[1] = &r->sequence;
		members_change(p->engine, p->change, change_ref_done, r);
	} else if (!peers_ask_change(p->engine, p)) {
		pending_unmap(p);
		pending_park(p);
	}
}

static void route_lease(struct pending *p)
{
	RAFT_THREAD(p->engine);
	if (p->engine->is_leader) {
		reads_add(p->engine, p);
		return;
	}
	pending_map(p);
	if (!peers_ask_lease(p->engine, p)) {
		pending_unmap(p);
		pending_park(p);
	}
}

static void pending_route(struct pending *p)
{
	RAFT_THREAD(p->engine);
	if (!engine_host(p->engine)) {
		pending_answer(p, ERR_UNAVAILABLE, "the store is stopping");
		return;
	}
	switch (p->kind) {
	case PENDING_WRITE:
		route_write(p);
		break;
	case PENDING_READ:
		reads_add(p->engine, p);
		break;
	case PENDING_LEASE:
		route_lease(p);
		break;
	case PENDING_CHANGE:
		route_change(p);
		break;
	}
}

/* ---- intake ---- */

static void taken(struct loop_task *t)
{
	struct pending *p = CONTAINER_OF(t, struct pending, task);
	struct raft_engine *e = p->engine;
	p->deadline_ms = loop_now_ms(raft_node_loop(e->node)) + e->timeout_ms;
	p->sequence = ++e->sequence;
	list_push_back(&e->by_age, &p->by_age);
	if (p->kind == PENDING_WRITE) {
		struct command_head head = {e->origin, p->sequence, 0};
		if (p->req->type == STORE_REQUEST_LEASE_REVOKE && p->req->revision_arg)
			head.term = e->term; /* by expiry: see raft_engine.c */
		if (p->req->type == STORE_REQUEST_OP)
			head.term = p->req->term_expected;
		command_encode(&p->command, &head, p->req);
	}
	if (p->command.len > STORE_COMMAND_BYTES_MAX) {
		pending_answer(p, ERR_TOO_BIG, "the request is too large for the log");
		return;
	}
	pending_route(p);
}

void raft_engine_take(
        struct raft_engine *e, enum pending_kind kind, struct store_request *req, struct raft_engine_change *change)
{
	struct pending *p = xcalloc(1, sizeof *p);
	p->engine = e;
	p->kind = kind;
	p->req = req;
	p->change = change;
	list_init(&p->by_age);
	list_init(&p->link);
	p->task.run = taken;
	if (pending_is_proposal(kind))
		atomic_fetch_add(&e->n_proposed, 1);
	loop_post(raft_node_loop(e->node), &p->task);
}

/* ---- time ---- */

void pendings_unpark(struct raft_engine *e)
{
	RAFT_THREAD(e);
	struct list_link todo, *l;
	list_init(&todo);
	while ((l = list_pop_front(&e->parked)) != NULL)
		list_push_back(&todo, l);
	while ((l = list_pop_front(&todo)) != NULL) {
		struct pending *p = CONTAINER_OF(l, struct pending, link);
		if (e->leader)
			pending_route(p);
		else
			list_push_back(&e->parked, l);
	}
}

enum { HURRIED_MS = 1000 };

void pendings_tick(struct raft_engine *e)
{
	RAFT_THREAD(e);
	uint64_t now = loop_now_ms(raft_node_loop(e->node));
	if (atomic_load(&e->is_hurried) && e->timeout_ms > HURRIED_MS)
		now += e->timeout_ms - HURRIED_MS; /* all that is older than that is late */
	for (struct list_link *l; (l = list_pop_front(&e->by_age)) != NULL;) {
		struct pending *p = CONTAINER_OF(l, struct pending, by_age);
		if (p->deadline_ms > now) {
			list_push_front(&e->by_age, l);
			break;
		}
		pending_answer(p, ERR_TIMEOUT,
		        e->leader ? "request timed out" : "request timed out: the cluster has no leader");
	}
	pendings_unpark(e);
}

void pendings_give_up(struct raft_engine *e)
{
	RAFT_THREAD(e);
	struct list_link kept, *l;
	list_init(&kept);
	while ((l = list_pop_front(&e->by_age)) != NULL) {
		struct pending *p = CONTAINER_OF(l, struct pending, by_age);
		if (p->kind == PENDING_WRITE)
			pending_answer(
			        p, ERR_TIMEOUT, "the disk is full: this is carried out when there is room, or never");
		else
			list_push_back(&kept, l);
	}
	while ((l = list_pop_front(&kept)) != NULL)
		list_push_back(&e->by_age, l);
}

void pendings_fail(struct raft_engine *e)
{
	for (struct list_link *l; (l = list_pop_front(&e->by_age)) != NULL;)
		pending_answer(CONTAINER_OF(l, struct pending, by_age), ERR_TIMEOUT,
		        "the store is stopping: it may still be carried out");
}
