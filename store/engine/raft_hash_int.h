/* Are the replicas the same? Raft thread, where nothing else is said. See raft_hash.c. */
#ifndef K3X_STORE_ENGINE_RAFT_HASH_INT_H
#define K3X_STORE_ENGINE_RAFT_HASH_INT_H

#include <stdint.h>

struct raft_engine;

void hashes_note(struct raft_engine *e, uint64_t index, uint64_t hash); /* apply thread */
void hashes_clear(struct raft_engine *e);                               /* apply thread */
void hashes_tick(struct raft_engine *e);
void hashes_asked(struct raft_engine *e, uint64_t from, uint64_t index);
void hashes_answer(struct raft_engine *e, uint64_t from, uint64_t index, uint64_t hash);
void hashes_fence_self(struct raft_engine *e);

#endif
