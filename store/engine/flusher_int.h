/* The thread that writes the database. See flusher.c. */
#ifndef K3X_STORE_ENGINE_FLUSHER_INT_H
#define K3X_STORE_ENGINE_FLUSHER_INT_H

#include "store/machine/machine.h"

#include "base/histogram.h"

#include <pthread.h>
#include <stdatomic.h>

struct flusher_options {
	struct machine *machine;
	/* Held for reading while the database is written; who replaces it holds it for writing. */
	pthread_rwlock_t *swap;
	struct histogram *times; /* of flushes */
	size_t table_bytes;      /* a segment of so many bytes is flushed */
	/* A request that waited for a flush (flusher_then()), done or with req->err. */
	void (*flushed)(void *arg, struct store_request *req);
	/* A compaction or defragmentation that is through, or req->err says why not. */
	void (*through)(void *arg, struct store_request *req);
	void *arg;
};

struct flusher {
	struct flusher_options o;
	pthread_t thread;
	/* Held by who applies a batch; the active segment is frozen between two. */
	pthread_mutex_t batch;
	pthread_mutex_t lock;
	pthread_cond_t wake; /* the thread */
	pthread_cond_t told; /* those who wait for it */
	bool stopping, is_ringing;
	uint64_t wanted, frozen, done; /* tickets: everything up to ticket `done` has been flushed */
	struct store_request *before_freeze, *after_freeze; /* what waits for the next flush; for this one */
	struct store_request *physical, *defragments;
	uint64_t flushed_at_ms;
	/* any thread */
	atomic_bool is_stuck;          /* the disk is full: nothing is flushed */
	_Atomic uint64_t log_bytes;    /* applied since the last freeze */
	_Atomic int64_t flushed_index; /* in the database; and what of it a power cut would leave */
	_Atomic int64_t durable_index;
	_Atomic int64_t used_bytes; /* of the database */
};

/* Opens nothing: the machine's connections are. */
void flusher_start(struct flusher *f, const struct flusher_options *o);
/* Flushes what is in the table, if the disk takes it, and ends the thread. Who waits is answered ERR_UNAVAILABLE, and
 * who asks later. */
void flusher_stop(struct flusher *f);
/* When nobody asks any more. */
void flusher_release(struct flusher *f);

/* ---- the applying thread ---- */

/* Around a batch: see struct flusher. `bytes` of the log were applied. */
void flusher_begin_batch(struct flusher *f);
void flusher_end_batch(struct flusher *f, size_t bytes);
/* Between batches: holds the caller up when the flush can't keep up, a little at first, altogether when the table has
 * twice its size. False: it is full, and so is the disk: try again later. */
bool flusher_make_room(struct flusher *f);

/* ---- any thread ---- */

/* Is the disk full, and the table as well? Then nothing new should be let in. */
bool flusher_is_full(struct flusher *f);
/* Waits until all that was published by now is flushed and durable. ERR_NO_SPACE, ERR_UNAVAILABLE. Not within a batch.
 */
int flusher_flush(struct flusher *f, struct err *err);
/* Calls `flushed` with the request once all that was published by now is in the database. */
void flusher_then(struct flusher *f, struct store_request *req);
/* Calls `through` once the database has gone through the compaction of req->revision_arg. */
void flusher_compact(struct flusher *f, struct store_request *req);
/* Calls `through` once nothing is free in the file. */
void flusher_defragment(struct flusher *f, struct store_request *req);
/* The database was replaced: with `swap` held for writing. */
void flusher_reset(struct flusher *f);

#endif
