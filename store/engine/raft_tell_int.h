/* Messages to other engines. Raft thread. False: there is no way to it now. See raft_tell.c. */
#ifndef K3X_STORE_ENGINE_RAFT_TELL_INT_H
#define K3X_STORE_ENGINE_RAFT_TELL_INT_H

#include "store/engine/raft_pending_int.h"

enum message_kind {
	MESSAGE_FORWARD = 1,   /* a command */
	MESSAGE_TURNED_AWAY,   /* sequence: it was not proposed */
	MESSAGE_INDEX,         /* batch */
	MESSAGE_INDEX_ANSWER,  /* batch, ok, index */
	MESSAGE_LEASE,         /* sequence, type, lease */
	MESSAGE_LEASE_ANSWER,  /* sequence, code + cause, ttl, granted ttl, text */
	MESSAGE_CHANGE,        /* sequence, kind, id, address */
	MESSAGE_CHANGE_ANSWER, /* sequence, code, text */
	MESSAGE_HASH,          /* index */
	MESSAGE_HASH_ANSWER,   /* index, hash */
	MESSAGE_FENCE,         /* index */
	MESSAGE_NO_SPACE,      /* sequence: it was not proposed, for the leader's disk is full */
};

struct strbuf peers_begin(enum message_kind kind, uint64_t first);
bool peers_tell(struct raft_engine *e, uint64_t to, struct strbuf *b); /* frees it */

/* To the leader. */
bool peers_forward(struct raft_engine *e, struct slice command);
bool peers_ask_index(struct raft_engine *e, uint64_t batch_id);
bool peers_ask_lease(struct raft_engine *e, const struct pending *p);
bool peers_ask_change(struct raft_engine *e, const struct pending *p);

void peers_ask_hash(struct raft_engine *e, uint64_t to, uint64_t index);
void peers_answer_hash(struct raft_engine *e, uint64_t to, uint64_t index, uint64_t hash);
void peers_fence(struct raft_engine *e, uint64_t to, uint64_t index);

#endif
