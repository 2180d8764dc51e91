/* Changes of membership, and members that are lost. Raft thread. See raft_members.c. */
#ifndef K3X_STORE_ENGINE_RAFT_MEMBERS_INT_H
#define K3X_STORE_ENGINE_RAFT_MEMBERS_INT_H

#include "store/engine/raft_change.h"

struct raft_engine;

void members_change(struct raft_engine *e, struct raft_engine_change *c,
        void (*done)(void *arg, int code, const char *text), void *arg);
void members_tick(struct raft_engine *e);

#endif
