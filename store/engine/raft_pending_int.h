/* Requests that are out. Raft thread. See raft_pending.c. */
#ifndef K3X_STORE_ENGINE_RAFT_PENDING_INT_H
#define K3X_STORE_ENGINE_RAFT_PENDING_INT_H

#include "base/mem/list.h"
#include "base/rt/loop.h"
#include "raft/raft_node.h"
#include "store/engine.h"
#include "store/engine/raft_change.h"

struct raft_engine;

enum pending_kind { PENDING_WRITE, PENDING_READ, PENDING_LEASE, PENDING_CHANGE };

/* A request from its submission to its hand-over to the apply thread or a reader, or to its answer. It is in by_age as
 * long as it has somebody to answer; a write stays until the log is through with the proposal, too. */
struct pending {
	struct loop_task task;
	struct raft_engine *engine;
	enum pending_kind kind;
	struct store_request *req;         /* NULL: answered */
	struct raft_engine_change *change; /* of PENDING_CHANGE, instead */
	struct list_link by_age, link;     /* link: in parked, reads or a read_batch */
	uint64_t sequence, deadline_ms;
	bool in_map;       /* of sequences: an entry or an answer with it may come */
	bool proposal_out; /* libraft has it */
	struct strbuf command;
	struct raft_proposal proposal;
};

static inline bool pending_is_proposal(enum pending_kind kind)
{
	return kind == PENDING_WRITE || kind == PENDING_CHANGE;
}

/* Any thread: done() is posted with this error. */
void raft_engine_refuse_change(struct raft_engine_change *c, int code, const char *text);

void pending_map(struct pending *p);
void pending_unmap(struct pending *p);
struct pending *pending_take(struct raft_engine *e, uint64_t sequence); /* out of the map; NULL: nobody waits */
void pending_park(struct pending *p); /* until a leader is known, or a moment has passed */
void pending_answer(struct pending *p, int code, const char *text); /* code 0: as the request says */
void pending_release(struct pending *p); /* when nobody waits and nothing is out for it any more */

#endif
