/* The replicated engine: what its parts hang on. See raft_engine.c. */
#ifndef K3X_STORE_ENGINE_RAFT_ENGINE_INT_H
#define K3X_STORE_ENGINE_RAFT_ENGINE_INT_H

#include "base/mem/map.h"
#include "store/engine/core_int.h"
#include "store/engine/raft_apply_int.h"
#include "store/engine/raft_engine.h"
#include "store/engine/raft_hash_int.h"
#include "store/machine/command.h"

struct raft_engine {
	struct engine_core core; /* first */
	struct raft_machine machine;
	struct raft_node *node;
	char *data_dir;
	unsigned election_ms;
	uint64_t promote_after_ms;
	void (*question)(void *arg, struct slice question, struct strbuf *answer);
	void *arg;
	atomic_uint outstanding;
	atomic_bool stopping;
	_Atomic uint64_t apply_bytes; /* queued */
	atomic_bool apply_full;       /* the disk of the state is */
	_Atomic uint64_t shown_term, shown_leader;
	_Atomic uint64_t n_proposed; /* writes and changes of members that are out */
	_Atomic uint64_t n_failed, n_committed, n_applied, n_leader_changes, n_slow_reads;
	/* raft thread */
	uint64_t origin, sequence, batch_id;
	struct map by_sequence; /* pending */
	struct list_link by_age, parked, reads, batches;
	struct loop_defer flush;
	bool is_leader, was_flushed;
	uint64_t leader, term;
	uint64_t timeout_ms;
	uv_timer_t timer;
	uint64_t lost_since[RAFT_MEMBERS_MAX], lost_id[RAFT_MEMBERS_MAX]; /* see raft_members.c */
	uint64_t spare_id, spare_since;
	bool is_managing, is_joining;
	struct hash_round hash_round;
	struct kept_hashes hashes; /* under its lock */
	atomic_bool is_fenced;
	struct loop_task applied_task;
	atomic_bool applied_posted;
	/* apply thread */
	struct apply_queue queue;
	struct open_transaction open;
	pthread_t applier;
};

static inline struct raft_engine *raft_engine_from(struct engine *base)
{
	return CONTAINER_OF(base, struct raft_engine, core.base);
}

static inline struct raft_host *engine_host(struct raft_engine *e)
{
	return raft_node_host(e->node); /* NULL when it is closing */
}

#endif
