/* The replicated engine: what its parts hang on. See raft_engine.c. */
#ifndef K3X_STORE_ENGINE_RAFT_STATE_INT_H
#define K3X_STORE_ENGINE_RAFT_STATE_INT_H

#include "base/mem/map.h"
#include "store/engine/core_int.h"
#include "raft/raft_node.h"
#include "store/machine/command.h"

/* ---- apply thread: see raft_apply.c ---- */

struct apply_command {
	struct store_request *req; /* of this server; NULL: decode */
	struct slice bytes;
	uint64_t only_in_term;
	enum { LEASE_UNCHANGED, LEASE_GRANTED, LEASE_REVOKED } lease;
	int64_t lease_id, lease_ttl_s;
};

struct apply_entry {
	struct apply_entry *next;
	uint64_t index, term;
	size_t n, bytes;
	struct apply_command commands[];
};

struct apply_queue {
	pthread_mutex_t lock;
	pthread_cond_t wake; /* both directions */
	struct apply_entry *head, **tail;
	bool stopping;
	/* a state to install */
	bool is_install_wanted, is_replace_wanted; /* as a snapshot says; or whatever is here now */
	uint64_t install_index;
	char *install_path; /* what was fetched; NULL: nothing */
	uint64_t fetched_index;
	int install_rc;
	struct err install_err;
};

/* ---- see raft_hash.c ---- */

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

/* ---- all of it ---- */

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
	atomic_uint entering; /* threads between the look at `stopping` and the loop's mailbox */
	atomic_bool stopping;
	atomic_bool is_hurried; /* requests are waited for no longer than HURRIED_MS */
	/* This server is its whole cluster, leads, and has told everything that was acknowledged: what it reads now is
	 * linearizable without asking. See raft_reads.c. */
	atomic_bool is_sole;
	_Atomic uint64_t apply_bytes; /* queued */
	atomic_bool apply_full;       /* the memory table and the disk of the state are: nothing more is applied */
	atomic_bool log_full;         /* the disk of the log is, and this server leads: nothing new is committed */
	_Atomic uint64_t shown_term, shown_leader;
	_Atomic uint64_t led_term;   /* 0: this server does not lead */
	_Atomic uint64_t n_proposed; /* writes and changes of members that are out */
	_Atomic uint64_t n_failed, n_committed, n_applied, n_leader_changes, n_slow_reads;
	/* raft thread */
	uint64_t origin, sequence, batch_id;
	unsigned n_forwarded;   /* commands of others that are proposed here and not through */
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
	bool is_fenced_first;          /* at the start, until it is known who else there is; raft thread */
	uint64_t handed_ms;            /* when the leadership was last offered, of one that is fenced */
	_Atomic uint64_t rotten_alone; /* findings when there was no other member */
	struct loop_task applied_task;
	atomic_bool applied_posted;
	/* apply thread */
	struct apply_queue queue;
	bool is_cut; /* a batch was left to the log, and with it all that comes after */
	pthread_t applier;
	atomic_int apply_tid; /* of that thread; 0: it does not run */
};

static inline struct raft_engine *raft_engine_from(struct engine *base)
{
	return CONTAINER_OF(base, struct raft_engine, core.base);
}

/* Only the apply thread changes the state. */
#define APPLY_THREAD(e) CHECK(atomic_load(&(e)->apply_tid) == (int)gettid())

/* What follows belongs to the raft thread: whoever gets here is on it. */
#define RAFT_THREAD(e) LOOP_CHECK_OWNER(raft_node_loop((e)->node))

static inline struct raft_host *engine_host(struct raft_engine *e)
{
	return raft_node_host(e->node); /* NULL when it is closing */
}

#endif
