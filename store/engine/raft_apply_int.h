/* From the log into the state. See raft_apply.c. */
#ifndef K3X_STORE_ENGINE_RAFT_APPLY_INT_H
#define K3X_STORE_ENGINE_RAFT_APPLY_INT_H

#include "raft/raft_node.h"

struct raft_engine;

void apply_init(struct raft_engine *e);
void apply_start(struct raft_engine *e);
void apply_stop(struct raft_engine *e); /* what is queued is applied first */
extern const struct raft_machine_vtable raft_engine_machine;
void apply_state_fetched(void *arg, const char *path, uint64_t index); /* raft thread */
void apply_copy_state(void *arg, struct raft_state_copy *c);           /* raft thread */

#endif
