/* What the engines that keep SQLite share: the state machine and who reads it, checkpoints it, watches it and counts
 * its leases. An engine embeds a core as its first member and adds how commands come to the state machine: from a queue
 * (sqlite_engine.c) or out of a replicated log (raft_engine.c). See core.c. */
#ifndef K3X_STORE_ENGINE_CORE_INT_H
#define K3X_STORE_ENGINE_CORE_INT_H

#include "store/engine/checkpointer_int.h"
#include "store/engine/lessor_int.h"
#include "store/engine/page_checker_int.h"
#include "store/machine/machine.h"
#include "store/watch/watch_hub.h"

#include "base/histogram.h"

enum { READERS_MAX = 16 };

/* Requests between an engine and its reader threads, beside those of engine.h and the hub's own. */
enum {
	STORE_REQUEST_COPY_ = 101,       /* a plain copy of the database to `path` -> revision_arg: its applied index */
	STORE_REQUEST_LEASE_KEYS_ = 102, /* the part of LEASE_TTL that is in the database */
};

struct request_queue {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct store_request *head;
	struct store_request **tail;
	unsigned n;
	unsigned waiting; /* threads */
	bool stopping;
};

void request_queue_init(struct request_queue *q);
void request_queue_release(struct request_queue *q);
/* False: there are `limit` waiting (0: no limit) or it is stopping; *ret_stopping says which. */
bool request_queue_put(struct request_queue *q, struct store_request *req, unsigned limit, bool *ret_stopping);
void request_queue_stop(struct request_queue *q);
/* Both with the lock. Waits until there is a request, or it is stopping; takes the first one off, NULL when there is
 * none. */
void request_queue_wait(struct request_queue *q);
struct store_request *request_queue_pop(struct request_queue *q);

/* An engine may carry out, tell and answer commands before it commits them, when something else keeps them. Who reads
 * then asks for the commit first: what was answered before a read began is in what it sees. */
struct commit_gate {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	uint64_t count;       /* of commits */
	atomic_bool is_dirty; /* something was told that is not committed */
	atomic_bool is_wanted;
	bool is_stuck;           /* the disk is full: it can't be had now */
	void (*want)(void *arg); /* rings the writing thread; NULL: it commits before it answers */
	void *arg;
};

struct engine_core;

struct reader {
	struct engine_core *core;
	struct db db;
	pthread_t thread;
};

struct engine_core {
	struct engine base;     /* first */
	struct machine machine; /* the writing thread's */
	struct request_queue reads;
	struct write_gate gate; /* the writing thread is in it during a transaction */
	struct checkpointer checkpointer;
	struct page_checker checker;
	struct rot rot;
	struct lessor lessor;
	struct watch_hub hub;
	struct reader readers[READERS_MAX];
	unsigned n_readers;
	pthread_rwlock_t swap; /* readers hold it while they read; held for writing when the database is replaced */
	_Atomic int64_t revision, compacted, keys, used_bytes, system_version;
	_Atomic int64_t wal_bytes;
	_Atomic int64_t applied_index;   /* of a replicated log: carried out; readers see it (see commit_gate) */
	_Atomic int64_t committed_index; /* and committed in the database */
	struct commit_gate commits;
	struct op_counters operations;
	struct histogram commit_times, sync_times; /* syncs: those of commits, with is_full_sync */
	bool is_full_sync;                         /* each commit is synced; else the log keeps what is not */
	bool may_shrink;                           /* compaction has freed pages; the writing thread's */
	bool is_failing; /* the last write did not go through: said once in the log; the writing thread's */
	struct store_request *physical;   /* compactions that wait until it is done; the writing thread's */
	struct request_queue defragments; /* that wait until nothing is free any more */
	atomic_bool is_defragment_wanted; /* there are some */
	char *path;
	int lock_fd;
};

struct engine_core_options {
	const char *path;
	unsigned reader_threads; /* 0: 2 */
	size_t watch_ring_bytes; /* 0: STORE_WATCH_RING_BYTES_MAX */
	bool is_full_sync;
	void (*want_commit)(void *arg); /* a reader's; NULL: see commit_gate */
	void *arg;                      /* of want_commit */
	struct store_check_options check;
};

/* Opens or creates the database and starts the threads. On failure nothing is left but the memory, zeroed. */
int engine_core_open(struct engine_core *c, const struct engine_core_options *o, struct err *err);
/* In this order: stop the lessor, let the writing thread end, then close the rest. */
void engine_core_stop_leases(struct engine_core *c);
void engine_core_close(struct engine_core *c);

/* The rest of engine.h that needs no more than the core; for engine_vtable. */
int64_t engine_core_revision(struct engine *base);
int64_t engine_core_system_version(struct engine *base);
struct store_watch *engine_core_watch_open(struct engine *base, const struct store_watch_options *options,
        struct loop *loop, void (*ready)(void *arg), void *arg);
void engine_core_stats(struct engine *base, struct store_stats *out);

/* ---- requests; any thread ---- */

void engine_complete(struct store_request *req); /* answers: on the request's loop, or here */
void engine_reset_answer(struct store_request *req);
/* An answer that is known at once must still not come before submit returns. */
void engine_core_complete_later(struct engine_core *c, struct store_request *req);
/* Checks a lease's arguments and draws an id when none is wanted. */
int engine_core_choose_lease_id(struct engine_core *c, struct store_request *req);
/* To a reader, which answers; when the queue does not take it, it is answered with the reason. limit as above. */
void engine_core_read(struct engine_core *c, struct store_request *req, unsigned limit);

/* ---- the writing thread ---- */

/* Commits the open transaction and tells the hub. On failure it is rolled back. */
int engine_core_commit(struct engine_core *c, struct err *err);
/* Tells the hub and everybody what was applied so far, in the open transaction. */
void engine_core_tell(struct engine_core *c);
/* Commits what was told already. On failure it is rolled back: all since the last commit must be applied again, and not
 * be told. is_stuck: so it will be for a while. */
int engine_core_commit_told(struct engine_core *c, struct err *err);
void engine_core_stuck(struct engine_core *c);
/* Any other thread: waits until all that was told when it was called is committed. False: it can't be, for the disk is
 * full. */
bool engine_core_await_commit(struct engine_core *c);

/* What a command means for the clock of leases; before anybody is told that it was carried out. */
void engine_core_tell_lessor(struct engine_core *c, const struct store_request *req);
/* After the commit; a physical compaction is answered when it is through. */
void engine_core_answer(struct engine_core *c, struct store_request *req);
bool engine_core_has_chores(const struct engine_core *c);
/* A step of compaction, or of shrinking the file after it, with nothing else to do. False when it failed: the next
 * request may bring better luck. */
bool engine_core_do_chore(struct engine_core *c);
/* Any thread: asks for it, and is answered when it is done. The writing thread is woken by the caller. */
void engine_core_defragment(struct engine_core *c, struct store_request *req);
/* Answers the compactions that are through; at the end (`err`) those that are not. */
void engine_core_answer_physical(struct engine_core *c, const struct err *err);
/* Replaces the database by the file at `path`: readers wait, watches go on from disk, leases begin anew. */
int engine_core_swap(struct engine_core *c, const char *path, struct err *err);

void *engine_core_reader_main(void *arg);

#endif
