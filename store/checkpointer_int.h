/* Moves the write-ahead log into the database, on a thread and a connection of its own. See checkpointer.c. */
#ifndef K3X_STORE_CHECKPOINTER_INT_H
#define K3X_STORE_CHECKPOINTER_INT_H

#include "store/db_int.h"

#include <pthread.h>

struct checkpointer {
	struct db db;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_mutex_t *gate; /* held by the writer during each transaction */
	int64_t wal_bytes; /* as the writer last saw it */
	int64_t begun_bytes; /* as it was when the last checkpoint began */
	bool due;
	bool stopping;
};

int checkpointer_start(struct checkpointer *c, const char *path, pthread_mutex_t *gate, struct err *err);

/* Does a last checkpoint and ends the thread. */
void checkpointer_stop(struct checkpointer *c);

/* After a commit: the log has so many bytes now. Writer thread. */
void checkpointer_note(struct checkpointer *c, int64_t wal_bytes);

#endif
