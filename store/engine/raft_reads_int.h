/* Linearizable reads. Raft thread. See raft_reads.c. */
#ifndef K3X_STORE_ENGINE_RAFT_READS_INT_H
#define K3X_STORE_ENGINE_RAFT_READS_INT_H

#include "base/mem/list.h"
#include "raft/raft_node.h"

struct raft_engine;
struct pending;

/* Reads that wait for one answer to "what is committed?". */
struct read_batch {
	struct list_link link, pendings;
	struct raft_engine *engine;
	struct raft_read read;
	uint64_t id, asked_at_ms; /* id 0: asked here */
	uint64_t index;           /* known: waits until it is applied */
	bool is_known;
};

void reads_add(struct raft_engine *e, struct pending *p);
void reads_flush(struct raft_engine *e);
/* This server is no longer the only one of its cluster, or does not lead: each read asks again. */
void reads_must_ask(struct raft_engine *e);
void reads_applied(struct raft_engine *e);
void reads_reroute(struct raft_engine *e, bool at_once); /* asks again what was not answered in time, or at all */
void reads_answer(struct raft_engine *e, uint64_t batch_id, int status, uint64_t index);

#endif
