/* Whether the database's pages still hold what was written. See page_checker.c. */
#ifndef K3X_STORE_ENGINE_PAGE_CHECKER_INT_H
#define K3X_STORE_ENGINE_PAGE_CHECKER_INT_H

#include "store/machine/database/db.h"

#include <pthread.h>
#include <stdatomic.h>

/* What is known to be rotten. Any thread. */
struct rot {
	_Atomic uint64_t found; /* errors and findings so far */
	atomic_bool is_there;   /* and the database was not replaced since */
	_Atomic int64_t said_ms;
};

/* Counts it, and says so in the log, once a minute. */
void rot_note(struct rot *r, const char *path, const char *what);

struct page_checker {
	/* the owner's */
	struct db db;           /* a connection of its own, opened and closed with the others */
	pthread_rwlock_t *swap; /* held for reading while it is used */
	struct rot *rot;
	const char *path;
	/* ours */
	uint64_t every_ms;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool is_running, stopping;
};

/* Looks at every page at once, and at the mark of a writer that stopped over one: that goes when all are sound. Before
 * the threads are started. */
void page_checker_run_first(struct page_checker *c);

/* From now on, every so many milliseconds, a few megabytes a second. */
void page_checker_start(struct page_checker *c, uint64_t every_ms);
void page_checker_stop(struct page_checker *c);

#endif
