/* A log that lies elsewhere (in a database, in an etcd) and that several servers share: what log_engine.c stands on.
 *
 * Entries have indexes that only grow, and are seen in the order of their indexes: who sees an entry has seen all
 * before it or can read them. Beside the entries there is one snapshot, the state after some entry, so that the entries
 * before it may go.
 *
 * One thread at a time uses a log; calls block, for no longer than SHARED_LOG_CALL_MS each. After ERR_UNAVAILABLE the
 * connection is gone, and connect() comes before anything else. */
#ifndef K3X_STORE_ENGINE_SHARED_LOG_H
#define K3X_STORE_ENGINE_SHARED_LOG_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"

enum { SHARED_LOG_CALL_MS = 5000 };

struct shared_log;

struct shared_log_entry {
	int64_t index;
	uint64_t origin, sequence; /* which life of which server wrote it, and which of its entries it is */
	struct slice bytes;
};

struct shared_log_head {
	uint64_t id;      /* of the cluster whose log this is; drawn when the log was made */
	int64_t last;     /* the newest entry, 0: there was none yet */
	int64_t snapshot; /* what the snapshot holds the state after; 0: there is none */
	int64_t entries;  /* that are kept, about */
};

/* For who sends a snapshot in more than one go, and remembers what is there: save_snapshot() leaves out what has() is
 * true of, and says what was sent. */
struct shared_log_parts {
	int64_t id;    /* what they are sent under; not 0 */
	bool is_draft; /* they are sent, and not put in place yet */
	bool (*has)(void *arg, int64_t number, struct slice bytes);
	int (*sent)(void *arg, int64_t number, struct slice bytes, struct err *err);
	void *arg;
};

struct shared_log_vtable {
	const char *name; /* "postgres" */
	/* Connects and makes what is not there yet. ERR_UNAVAILABLE: try again later; any other error will not mend
	 * itself (wrong password, missing rights, tables of others), and says what to do. */
	int (*connect)(struct shared_log *l, struct err *err);
	void (*disconnect)(struct shared_log *l);
	/* Adds an entry behind all others. *ret_before: the one right before it. ERR_UNAVAILABLE: nobody knows whether
	 * it is there; ERR_EXISTS: an entry of this origin and sequence is there already; ERR_BUSY: it is not there,
	 * and may be tried again; any other: it is not there. */
	int (*append)(struct shared_log *l, const struct shared_log_entry *entry, int64_t *ret_before,
	        int64_t *ret_index, struct err *err);
	/* Others shall hear that something was added, once who waits here is answered; NULL: append() has seen to it.
	 * What gets lost is found by looking. */
	void (*tell)(struct shared_log *l);
	/* What everybody agrees on: no older than the call. */
	int (*head)(struct shared_log *l, struct shared_log_head *ret, struct err *err);
	/* Some of the entries after `after`, at least one when there is one, in the arena; has_more tells whether there
	 * were more. ERR_COMPACTED: the next one
	 * is gone, only the snapshot has what it did. */
	int (*read)(struct shared_log *l, int64_t after, struct arena *a, struct shared_log_entry **ret, size_t *ret_n,
	        struct err *err);
	/* What to poll for reading to hear of entries of others; -1: nothing tells, one has to look. */
	int (*fd)(struct shared_log *l);
	/* Was there something? Takes it off the descriptor. A false alarm is allowed. */
	bool (*heard)(struct shared_log *l);
	/* Puts the file in the place of the snapshot, and removes the entries up to `drop`, in small steps. A log that
	 * has no entry yet goes on behind `index`. */
	int (*save_snapshot)(struct shared_log *l, const char *path, int64_t index, int64_t drop, struct err *err);
	/* How many parts are there under this id. */
	int (*count_parts)(struct shared_log *l, int64_t id, int64_t *ret, struct err *err);
	/* Writes the snapshot to the file. ERR_NOT_FOUND: there is none. */
	int (*load_snapshot)(struct shared_log *l, const char *path, int64_t *ret_index, struct err *err);
	void (*free)(struct shared_log *l);
};

struct shared_log {
	const struct shared_log_vtable *v;
	size_t entry_bytes_max; /* set by connect() */
	bool tells;             /* set by heard(): something was told on this connection, so telling works */
	/* The user's: connect() makes nothing, and says ERR_NOT_FOUND where nothing is. */
	bool is_look_only;
	const struct shared_log_parts *parts; /* NULL: all are sent */
	/* How much of a snapshot is there now, more each time; NULL: nobody asks. */
	void (*progress)(void *arg, uint64_t bytes);
	void *arg;
	/* Set by read(). */
	bool has_more;
	int64_t read_max; /* how many entries to ask for next; 0: the first time */
};

enum { SHARED_LOG_READ_MIN = 32, SHARED_LOG_READ_MAX = 4096, SHARED_LOG_READ_BYTES = 1024 * 1024 };

/* How many entries to ask for next, who asked for `asked` (0: for the first time) and got `n` of so many bytes: more
 * where they are small and there are many, so that who is far away keeps up; fewer where they are large. */
static inline int64_t shared_log_read_next(int64_t asked, size_t n, size_t bytes)
{
	if (asked < SHARED_LOG_READ_MIN)
		return SHARED_LOG_READ_MIN;
	if (bytes > SHARED_LOG_READ_BYTES)
		return asked / 2 < SHARED_LOG_READ_MIN ? SHARED_LOG_READ_MIN : asked / 2;
	if ((int64_t)n < asked || bytes > SHARED_LOG_READ_BYTES / 2)
		return asked;
	return asked * 2 < SHARED_LOG_READ_MAX ? asked * 2 : SHARED_LOG_READ_MAX;
}

/* How an engine comes by its connections: it needs more than one. */
struct shared_log_source {
	struct shared_log *(*open)(void *arg); /* not connected */
	void (*close)(void *arg);              /* when the engine is closed, or could not be opened; may be NULL */
	void *arg;
};

#endif
