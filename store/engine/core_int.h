/* What a store on this server is, whatever its commands come out of: the state machine and who reads it, flushes it,
 * watches it and counts its leases. The engine (raft_engine.c) embeds a core as its first member and adds how commands
 * come to the state machine. See core.c. */
#ifndef K3X_STORE_ENGINE_CORE_INT_H
#define K3X_STORE_ENGINE_CORE_INT_H

#include "store/engine/flusher_int.h"
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

struct engine_core;

struct reader {
	struct engine_core *core;
	struct db db;
	pthread_t thread;
};

struct engine_core {
	struct engine base; /* first */
	struct machine machine;
	struct request_queue reads;
	struct flusher flusher;
	struct page_checker checker;
	struct rot rot;
	struct lessor lessor;
	struct watch_hub hub;
	struct reader readers[READERS_MAX];
	unsigned n_readers;
	pthread_rwlock_t swap; /* readers hold it while they read; held for writing when the database is replaced */
	_Atomic int64_t revision, compacted, keys, system_version;
	_Atomic int64_t applied_index; /* of the replicated log: carried out, and readers see it */
	struct op_counters operations;
	struct histogram flush_times;
	size_t table_bytes;
	char *path;
	int lock_fd;
};

struct engine_core_options {
	const char *path;
	unsigned reader_threads; /* 0: 2 */
	size_t watch_ring_bytes; /* 0: STORE_WATCH_RING_BYTES_MAX */
	size_t table_bytes;      /* 0: STORE_TABLE_BYTES_MAX */
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

/* To a reader once all that readers see now is in the database: BACKUP and COPY_. */
void engine_core_read_flushed(struct engine_core *c, struct store_request *req);
/* Answers a read in the caller's thread when memory has what it asks for. False: it has to go to a reader. The read is
 * of now: who must not be behind has waited for what it must see. */
bool engine_core_read_in_memory(struct engine_core *c, struct store_request *req);

/* ---- the applying thread ---- */

/* A batch: begin, machine_apply() many times, tell: what was done is seen by readers and watchers. `bytes` of the log.
 */
void engine_core_begin(struct engine_core *c);
void engine_core_tell(struct engine_core *c, size_t bytes);
/* What a command means for the clock of leases; before anybody is told that it was carried out. */
void engine_core_tell_lessor(struct engine_core *c, const struct store_request *req);
/* After it was told; a physical compaction is answered when it is through. */
void engine_core_answer(struct engine_core *c, struct store_request *req);
/* Replaces the database by the file at `path`: readers wait, watches go on from disk, leases begin anew. */
int engine_core_swap(struct engine_core *c, const char *path, struct err *err);

void *engine_core_reader_main(void *arg);

#endif
