/* A change of membership of the replicated engine, as it is asked for. */
#ifndef K3X_STORE_ENGINE_RAFT_CHANGE_H
#define K3X_STORE_ENGINE_RAFT_CHANGE_H

#include "base/err.h"
#include "base/rt/loop.h"
#include "raft/raft_node.h"

/* Changes of membership, on any server; done() once, on `loop`, not before the call has returned.
 *   ADD     a server that has not started yet: a standby, without a vote. intends_voter in the caller's records makes
 *           nothing here: promotion is a change of its own
 *   PROMOTE to voter, when it has caught up (ERR_CONFLICT until then)
 *   DEMOTE  to standby
 *   REMOVE  (the leader hands over before it removes itself)
 *   LEAD    `id` takes over the leadership; 0: whoever is furthest
 * ERR_NOT_FOUND, ERR_EXISTS, ERR_CONFLICT (another change is under way), ERR_TIMEOUT (it may still come to be). */
enum raft_engine_change_kind {
	RAFT_ENGINE_ADD = 1,
	RAFT_ENGINE_PROMOTE,
	RAFT_ENGINE_DEMOTE,
	RAFT_ENGINE_REMOVE,
	RAFT_ENGINE_LEAD,
};
struct raft_engine_change {
	enum raft_engine_change_kind kind;
	uint64_t id;
	char address[RAFT_ADDRESS_BYTES_MAX]; /* ADD */
	struct loop *loop;
	void (*done)(struct raft_engine_change *c);
	struct err err;
	struct loop_task task; /* the engine's */
	void *internal;
};

#endif
