/* The threads and queues of the sqlite engine. See sqlite_engine.c. */
#ifndef K3X_STORE_SQLITE_ENGINE_INT_H
#define K3X_STORE_SQLITE_ENGINE_INT_H

#include "store/checkpointer_int.h"
#include "store/lessor_int.h"
#include "store/machine_int.h"
#include "store/watch_hub_int.h"

enum { READERS_MAX = 16 };

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

struct sqlite_engine;

struct reader {
	struct sqlite_engine *engine;
	struct db db;
	pthread_t thread;
};

struct sqlite_engine {
	struct engine base;     /* first */
	struct machine machine; /* the writer's */
	struct request_queue writes;
	struct request_queue reads;
	pthread_t writer;
	struct write_gate gate; /* the writer is in it during a transaction */
	struct checkpointer checkpointer;
	struct lessor lessor;
	struct watch_hub hub;
	struct reader readers[READERS_MAX];
	unsigned n_readers;
	_Atomic int64_t revision, compacted, keys, used_bytes;
	_Atomic int64_t wal_bytes;
	bool may_shrink;                /* compaction has freed pages; the writer's */
	bool is_failing;                /* the last write did not go through: said once in the log; the writer's */
	struct store_request *physical; /* compactions that wait until it is done; the writer's */
	char *path;
	int lock_fd;
};

/* Answers: on the request's loop, or here. */
void engine_complete(struct store_request *req);

void *sqlite_engine_writer_main(void *arg);
void *sqlite_engine_reader_main(void *arg);

/* Takes the lock of the data: ERR_LOCKED when another has it. *ret_fd keeps it until it is closed. */
int sqlite_engine_lock(const char *path, int *ret_fd, struct err *err);

#endif
