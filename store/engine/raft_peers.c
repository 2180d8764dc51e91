/* What engines tell each other beside the log, on the raft thread: commands for the leader, "what is committed?",
 * leases (the leader alone knows how long they live), changes of membership. A message is a kind and varints
 * (command.h). A message that is lost costs the asker its patience and nothing else. */
#include "store/engine/raft_peers_int.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "store/engine/raft_hash_int.h"
#include "store/engine/raft_members_int.h"
#include "store/engine/raft_pending_int.h"
#include "store/engine/raft_reads_int.h"
#include "store/engine/raft_state_int.h"
#include "store/engine/raft_tell_int.h"

#include <stdlib.h>

enum { FORWARDED_MAX = 4 * STORE_REQUESTS_MAX };

/* ---- commands ---- */

struct forwarded {
	struct raft_proposal proposal;
	struct raft_engine *engine;
	uint64_t from, sequence;
	char bytes[];
};

static void turn_away(struct raft_engine *e, uint64_t to, uint64_t sequence)
{
	RAFT_THREAD(e);
	struct strbuf b = peers_begin(MESSAGE_TURNED_AWAY, sequence);
	peers_tell(e, to, &b);
}

static void forwarded_done(struct raft_proposal *q, int status, uint64_t index, size_t position)
{
	struct forwarded *f = CONTAINER_OF(q, struct forwarded, proposal);
	CHECK(f->engine->n_forwarded > 0);
	f->engine->n_forwarded--;
	if (status == ERR_UNAVAILABLE)
		turn_away(f->engine, f->from, f->sequence);
	free(f);
}

static void on_forward(struct raft_engine *e, uint64_t from, struct slice command)
{
	RAFT_THREAD(e);
	struct command_head head;
	if (!command_is_sound(command) || !command_head_decode(command, &head))
		return; /* who sent it waits for nothing */
	if (e->is_leader && (atomic_load(&e->log_full) || flusher_is_full(&e->core.flusher))) {
		struct strbuf b = peers_begin(MESSAGE_NO_SPACE, head.sequence);
		peers_tell(e, from, &b);
		return;
	}
	if (!e->is_leader || atomic_load(&e->apply_bytes) > STORE_APPLY_BYTES_MAX || e->n_forwarded >= FORWARDED_MAX) {
		turn_away(e, from, head.sequence);
		return;
	}
	struct forwarded *f = xmalloc(sizeof *f + command.len);
	*f = (struct forwarded){.engine = e, .from = from, .sequence = head.sequence};
	memcpy(f->bytes, command.ptr, command.len);
	f->proposal.data = (struct slice){f->bytes, command.len};
	f->proposal.done = forwarded_done;
	e->n_forwarded++;
	raft_host_propose(engine_host(e), &f->proposal);
	loop_defer(raft_node_loop(e->node), &e->flush);
}

static void on_turned_away(struct raft_engine *e, uint64_t sequence)
{
	RAFT_THREAD(e);
	struct pending *p = pending_take(e, sequence);
	if (p)
		pending_park(p);
}

static void on_no_space(struct raft_engine *e, uint64_t sequence)
{
	RAFT_THREAD(e);
	struct pending *p = pending_take(e, sequence);
	if (p && (p->req || p->change))
		pending_answer(p, ERR_NO_SPACE, "the disk of the leader is full: make room");
}

/* ---- read index ---- */

struct remote_read {
	struct raft_read read;
	struct raft_engine *engine;
	uint64_t from, batch;
};

static void answer_index(struct raft_engine *e, uint64_t to, uint64_t batch, bool ok, uint64_t index)
{
	RAFT_THREAD(e);
	struct strbuf b = peers_begin(MESSAGE_INDEX_ANSWER, batch);
	command_put(&b, ok);
	command_put(&b, index);
	peers_tell(e, to, &b);
}

static void remote_read_done(struct raft_read *r, int status, uint64_t index)
{
	struct remote_read *x = CONTAINER_OF(r, struct remote_read, read);
	answer_index(x->engine, x->from, x->batch, status == 0, index);
	free(x);
}

static void on_index(struct raft_engine *e, uint64_t from, uint64_t batch)
{
	RAFT_THREAD(e);
	if (!e->is_leader) {
		answer_index(e, from, batch, false, 0);
		return;
	}
	struct remote_read *x = xcalloc(1, sizeof *x);
	x->engine = e;
	x->from = from;
	x->batch = batch;
	x->read.done = remote_read_done;
	raft_host_read_index(engine_host(e), &x->read);
	loop_defer(raft_node_loop(e->node), &e->flush);
}

/* ---- leases ---- */

struct remote_lease {
	struct store_request req;
	struct raft_engine *engine;
	uint64_t from, sequence;
};

static void remote_lease_done(struct store_request *req)
{
	struct remote_lease *x = CONTAINER_OF(req, struct remote_lease, req);
	struct strbuf b = peers_begin(MESSAGE_LEASE_ANSWER, x->sequence);
	command_put(&b, (uint64_t)-req->err.code);
	command_put(&b, (uint64_t)req->cause);
	command_put(&b, (uint64_t)req->lease.ttl_s);
	command_put(&b, (uint64_t)req->lease.granted_ttl_s);
	command_put_bytes(&b, slice_of(req->err.msg));
	peers_tell(x->engine, x->from, &b);
	store_request_release(req);
	free(x);
}

static void on_lease(struct raft_engine *e, uint64_t from, uint64_t sequence, struct command_reader *r)
{
	RAFT_THREAD(e);
	struct remote_lease *x = xcalloc(1, sizeof *x);
	x->engine = e;
	x->from = from;
	x->sequence = sequence;
	x->req.type = (enum store_request_type)command_get(r);
	x->req.lease.id = (int64_t)command_get(r);
	x->req.loop = raft_node_loop(e->node);
	x->req.done = remote_lease_done;
	bool sound =
	        !r->is_bad && (x->req.type == STORE_REQUEST_LEASE_KEEPALIVE || x->req.type == STORE_REQUEST_LEASE_TTL);
	if (!sound || !e->is_leader) {
		free(x);
		turn_away(e, from, sequence);
		return;
	}
	store_submit(&e->core.base, &x->req);
}

static void on_lease_answer(struct raft_engine *e, uint64_t sequence, struct command_reader *r)
{
	RAFT_THREAD(e);
	struct pending *p = pending_take(e, sequence);
	if (!p || !p->req || p->kind != PENDING_LEASE)
		return;
	struct store_request *req = p->req;
	int code = -(int)command_get(r);
	req->cause = (enum store_cause)command_get(r);
	req->lease.ttl_s = (int64_t)command_get(r);
	req->lease.granted_ttl_s = (int64_t)command_get(r);
	struct slice text = command_get_bytes(r);
	if (code == 0 && req->type == STORE_REQUEST_LEASE_TTL && req->lease.want_keys) {
		req->type = (enum store_request_type)STORE_REQUEST_LEASE_KEYS_; /* the rest is known here */
		p->kind = PENDING_READ;
		reads_add(e, p);
		return;
	}
	char words[240];
	snprintf(words, sizeof words, "%.*s", SLICE_FMT(text));
	pending_answer(p, code, words);
}

/* ---- membership ---- */

struct remote_change {
	struct raft_engine_change change;
	struct raft_engine *engine;
	uint64_t from, sequence;
};

static void remote_change_done(void *arg, int code, const char *text)
{
	struct remote_change *x = arg;
	struct strbuf b = peers_begin(MESSAGE_CHANGE_ANSWER, x->sequence);
	command_put(&b, (uint64_t)-code);
	command_put_bytes(&b, slice_of(text ? text : ""));
	peers_tell(x->engine, x->from, &b);
	free(x);
}

static void on_change(struct raft_engine *e, uint64_t from, uint64_t sequence, struct command_reader *r)
{
	RAFT_THREAD(e);
	struct remote_change *x = xcalloc(1, sizeof *x);
	x->engine = e;
	x->from = from;
	x->sequence = sequence;
	x->change.kind = (enum raft_engine_change_kind)command_get(r);
	x->change.id = command_get(r);
	struct slice address = command_get_bytes(r);
	snprintf(x->change.address, sizeof x->change.address, "%.*s", SLICE_FMT(address));
	bool fits = address.len < sizeof x->change.address && !(address.len && memchr(address.ptr, 0, address.len));
	if (r->is_bad || !fits || !e->is_leader) {
		free(x);
		turn_away(e, from, sequence);
		return;
	}
	members_change(e, &x->change, remote_change_done, x);
}

static void on_change_answer(struct raft_engine *e, uint64_t sequence, struct command_reader *r)
{
	RAFT_THREAD(e);
	struct pending *p = pending_take(e, sequence);
	int code = -(int)command_get(r);
	struct slice text = command_get_bytes(r);
	char words[240];
	snprintf(words, sizeof words, "%.*s", SLICE_FMT(text));
	if (p && p->change)
		pending_answer(p, code, words);
}

/* ---- intake ---- */

void peers_message(void *arg, uint64_t from, struct slice bytes)
{
	struct raft_engine *e = arg;
	struct command_reader r = {bytes, false, 0};
	uint64_t kind = command_get(&r), first = command_get(&r);
	if (r.is_bad || !engine_host(e))
		return;
	switch (kind) {
	case MESSAGE_FORWARD:
		if (first == r.rest.len)
			on_forward(e, from, r.rest);
		break;
	case MESSAGE_TURNED_AWAY:
		on_turned_away(e, first);
		break;
	case MESSAGE_NO_SPACE:
		on_no_space(e, first);
		break;
	case MESSAGE_INDEX:
		on_index(e, from, first);
		break;
	case MESSAGE_INDEX_ANSWER: {
		uint64_t ok = command_get(&r), index = command_get(&r);
		reads_answer(e, first, r.is_bad || !ok ? ERR_UNAVAILABLE : 0, index);
		break;
	}
	case MESSAGE_LEASE:
		on_lease(e, from, first, &r);
		break;
	case MESSAGE_LEASE_ANSWER:
		on_lease_answer(e, first, &r);
		break;
	case MESSAGE_CHANGE:
		on_change(e, from, first, &r);
		break;
	case MESSAGE_CHANGE_ANSWER:
		on_change_answer(e, first, &r);
		break;
	case MESSAGE_HASH:
		hashes_asked(e, from, first);
		break;
	case MESSAGE_HASH_ANSWER: {
		uint64_t hash = command_get(&r);
		if (!r.is_bad)
			hashes_answer(e, from, first, hash);
		break;
	}
	case MESSAGE_FENCE:
		if (from == e->leader)
			hashes_fence_self(e);
		break;
	default:
		log_warn("store", "unknown message", "kind=%u", (unsigned)kind);
	}
}
