/* Are the replicas the same? Raft thread, where nothing else is said. See raft_hash.c. */
#ifndef K3X_STORE_ENGINE_RAFT_HASH_INT_H
#define K3X_STORE_ENGINE_RAFT_HASH_INT_H

#include "raft/raft_node.h"

#include <pthread.h>

struct raft_engine;

enum { HASHES_KEPT = 256, HASH_EVERY = 64 };

struct kept_hash {
	uint64_t index, hash;
};

struct kept_hashes {
	pthread_mutex_t lock;
	struct kept_hash at[HASHES_KEPT];
	uint64_t next;
};

struct hash_round {
	uint64_t index, begun_ms;
	size_t voters, n;
	struct {
		uint64_t id, hash;
	} answers[RAFT_MEMBERS_MAX];
};

void hashes_note(struct raft_engine *e, uint64_t index, uint64_t hash); /* apply thread */
void hashes_clear(struct raft_engine *e);                               /* apply thread */
void hashes_tick(struct raft_engine *e);
void hashes_asked(struct raft_engine *e, uint64_t from, uint64_t index);
void hashes_answer(struct raft_engine *e, uint64_t from, uint64_t index, uint64_t hash);
void hashes_fence_self(struct raft_engine *e);

#endif
