/* The replicated engine's inside: who owns what. See raft_engine.c. */
#ifndef K3X_STORE_RAFT_ENGINE_INT_H
#define K3X_STORE_RAFT_ENGINE_INT_H

#include "store/command_int.h"
#include "store/engine_core_int.h"
#include "store/raft_engine.h"

/* ---- raft thread: requests that are out ---- */

enum pending_kind { PENDING_WRITE, PENDING_READ, PENDING_LEASE, PENDING_CHANGE };

/* A request from its submission to its hand-over to the apply thread or a reader, or to its answer. It is in by_age as
 * long as it has somebody to answer; a write stays until the log is through with the proposal, too. */
struct pending {
	struct loop_task task;
	struct raft_engine *engine;
	enum pending_kind kind;
	struct store_request *req;         /* NULL: answered */
	struct raft_engine_change *change; /* of PENDING_CHANGE, instead */
	struct list_link by_age, link;     /* link: in parked, reads or a read_batch */
	uint64_t sequence, deadline_ms;
	bool in_map;       /* of sequences: an entry or an answer with it may come */
	bool proposal_out; /* libraft has it */
	struct strbuf command;
	struct raft_proposal proposal;
};

/* Reads that wait for one answer to "what is committed?". */
struct read_batch {
	struct list_link link, pendings;
	struct raft_engine *engine;
	struct raft_read read;
	uint64_t id, asked_at_ms; /* id 0: asked here */
	uint64_t index;           /* known: waits until it is applied */
	bool is_known;
};

/* ---- apply thread ---- */

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
	uint64_t hash; /* the state's, after this entry; 0: not of interest */
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

/* See raft_engine_hash.c. */
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

/* See raft_engine_apply.c; the apply thread's. */
struct open_transaction {
	bool is_open;
	uint64_t begun_ms;
	size_t bytes;                    /* of the commands in it */
	struct apply_entry *kept, *last; /* told and not committed */
};

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
	uint64_t lost_since[RAFT_MEMBERS_MAX], lost_id[RAFT_MEMBERS_MAX]; /* see raft_engine_members.c */
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

/* raft_engine_propose.c: raft thread, but for the first */
void raft_engine_take(struct raft_engine *e, enum pending_kind kind, struct store_request *req,
        struct raft_engine_change *change); /* any thread */
void pending_route(struct pending *p);
void pending_park(struct pending *p); /* until a leader is known, or a moment has passed */
void pending_answer(struct pending *p, int code, const char *text);     /* code 0: as the request says */
struct pending *pending_take(struct raft_engine *e, uint64_t sequence); /* out of the map; NULL: nobody waits */
void pending_release(struct pending *p);
void pending_map(struct pending *p);
void pendings_tick(struct raft_engine *e);
void pendings_unpark(struct raft_engine *e);
void pendings_fail(struct raft_engine *e); /* at the close */

/* raft_engine_reads.c: raft thread */
void reads_add(struct raft_engine *e, struct pending *p);
void reads_flush(struct raft_engine *e);
void reads_applied(struct raft_engine *e);
void reads_reroute(struct raft_engine *e, bool at_once); /* asks again what was not answered in time, or at all */
void reads_answer(struct raft_engine *e, uint64_t batch_id, int status, uint64_t index);

/* raft_engine_peers.c: raft thread */
void peers_message(void *arg, uint64_t from, struct slice message);
bool peers_forward(struct raft_engine *e, struct slice command);
bool peers_ask_index(struct raft_engine *e, uint64_t batch_id);
bool peers_ask_lease(struct raft_engine *e, const struct pending *p);
bool peers_ask_change(struct raft_engine *e, const struct pending *p);

void peers_ask_hash(struct raft_engine *e, uint64_t to, uint64_t index);
void peers_answer_hash(struct raft_engine *e, uint64_t to, uint64_t index, uint64_t hash);
void peers_fence(struct raft_engine *e, uint64_t to, uint64_t index);

/* raft_engine_hash.c: raft thread, but for the first */
void hashes_note(struct raft_engine *e, uint64_t index, uint64_t hash); /* apply thread */
void hashes_clear(struct raft_engine *e);                               /* apply thread */
void hashes_tick(struct raft_engine *e);
void hashes_asked(struct raft_engine *e, uint64_t from, uint64_t index);
void hashes_answer(struct raft_engine *e, uint64_t from, uint64_t index, uint64_t hash);
void hashes_fence_self(struct raft_engine *e);

/* raft_engine_members.c: raft thread */
void members_change(struct raft_engine *e, struct raft_engine_change *c,
        void (*done)(void *arg, int code, const char *text), void *arg);
void members_tick(struct raft_engine *e);

/* raft_engine_apply.c */
void apply_init(struct raft_engine *e);
void apply_start(struct raft_engine *e);
void apply_stop(struct raft_engine *e); /* what is queued is applied first */
extern const struct raft_machine_vtable raft_engine_machine;
void apply_state_fetched(void *arg, const char *path, uint64_t index); /* raft thread */
void apply_want_commit(void *arg);                                     /* any thread */
void apply_copy_state(void *arg, struct raft_state_copy *c);           /* raft thread */

#endif
