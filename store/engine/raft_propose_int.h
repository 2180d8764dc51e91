/* Requests on their way. Raft thread, where nothing else is said. See raft_propose.c. */
#ifndef K3X_STORE_ENGINE_RAFT_PROPOSE_INT_H
#define K3X_STORE_ENGINE_RAFT_PROPOSE_INT_H

#include "store/engine/raft_pending_int.h"

void raft_engine_take(struct raft_engine *e, enum pending_kind kind, struct store_request *req,
        struct raft_engine_change *change); /* any thread */
void pendings_tick(struct raft_engine *e);
void pendings_unpark(struct raft_engine *e);
void pendings_give_up(struct raft_engine *e); /* writes, for the disk of the log is full */
void pendings_fail(struct raft_engine *e);    /* at the close */

#endif
