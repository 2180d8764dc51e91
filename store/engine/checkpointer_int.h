/* Moves the write-ahead log into the database, on a thread and a connection of its own. See checkpointer.c. */
#ifndef K3X_STORE_ENGINE_CHECKPOINTER_INT_H
#define K3X_STORE_ENGINE_CHECKPOINTER_INT_H

#include "store/machine/db.h"

#include <pthread.h>
#include <stdatomic.h>

/* Lets one in at a time; who enters urgently is let in before those who come again and again. */
struct write_gate {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool busy;
	bool wanted; /* somebody urgent waits */
};

void write_gate_init(struct write_gate *g);
void write_gate_release(struct write_gate *g);
void write_gate_enter(struct write_gate *g, bool urgent);
void write_gate_leave(struct write_gate *g);
bool write_gate_is_wanted(struct write_gate *g); /* by somebody urgent */

struct checkpointer {
	struct db db;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct write_gate *gate; /* the writer is in it during each transaction */
	int64_t wal_bytes;       /* as the writer last saw it */
	int64_t begun_bytes;     /* as it was when the last checkpoint began */
	bool due, is_cut_due;
	bool stopping;
	_Atomic int64_t *applied;        /* what is committed by now; NULL: not of interest */
	_Atomic int64_t durable_applied; /* and what of it a power cut would leave */
};

/* `applied` may be NULL. */
int checkpointer_start(
        struct checkpointer *c, const char *path, struct write_gate *gate, _Atomic int64_t *applied, struct err *err);

/* Makes everything committed so far durable, and says so in durable_applied. Any thread but a writing one in the gate.
 */
int checkpointer_sync(struct checkpointer *c, struct err *err);

/* Does a last checkpoint and ends the thread. */
void checkpointer_stop(struct checkpointer *c);

/* Soon: everything into the database, and what is free in it and in the log back to the disk. Any thread. */
void checkpointer_cut(struct checkpointer *c);

/* After a commit: the log has so many bytes now. Writer thread. */
void checkpointer_note(struct checkpointer *c, int64_t wal_bytes);

#endif
