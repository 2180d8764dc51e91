/* Messages between engines. Raft thread. See raft_peers.c. */
#ifndef K3X_STORE_ENGINE_RAFT_PEERS_INT_H
#define K3X_STORE_ENGINE_RAFT_PEERS_INT_H

#include "base/mem/str.h"

#include <stdbool.h>

struct raft_engine;
struct pending;

void peers_message(void *arg, uint64_t from, struct slice message);
bool peers_forward(struct raft_engine *e, struct slice command);
bool peers_ask_index(struct raft_engine *e, uint64_t batch_id);
bool peers_ask_lease(struct raft_engine *e, const struct pending *p);
bool peers_ask_change(struct raft_engine *e, const struct pending *p);
void peers_ask_hash(struct raft_engine *e, uint64_t to, uint64_t index);
void peers_answer_hash(struct raft_engine *e, uint64_t to, uint64_t index, uint64_t hash);
void peers_fence(struct raft_engine *e, uint64_t to, uint64_t index);

#endif
