/* An engine whose log lies elsewhere: in a PostgreSQL, a MySQL or an etcd (shared_log.h). An engine like any other
 * (engine.h), on each of the servers that share the log. See log_engine.c. */
#ifndef K3X_STORE_ENGINE_LOG_ENGINE_H
#define K3X_STORE_ENGINE_LOG_ENGINE_H

#include "store/engine.h"
#include "store/engine/shared_log.h"

struct log_engine;

struct log_engine_options {
	const char *data_dir; /* of this server's copy of the state, which may be lost; it exists */
	struct shared_log_source source;
	unsigned connect_wait_ms; /* how long opening tries to reach it; 0: 60 s */
	unsigned request_ms;      /* how long a request waits for a log that is away; 0: 7000 */
	unsigned poll_ms_max;     /* how seldom one looks where nothing tells of new entries; 0: 50 */
	unsigned beat_ms;         /* how often who leads says so, and a quarter of the silence that ends it; 0: 1000 */
	uint64_t snapshot_bytes;  /* of log between snapshots, at the least; 0: 16 MiB */
	int64_t snapshot_entries; /* the same in entries; 0: 100,000 */
	unsigned reader_threads;
	size_t table_bytes;
	struct store_check_options check;
};

/* Reaches the log, brings this server's copy to its state and starts. Blocks. ERR_UNAVAILABLE: not reached in time; as
 * connect() of shared_log.h; as raft_engine_open(). */
int log_engine_open(const struct log_engine_options *o, struct engine **ret, struct err *err);

/* Is it one? NULL for other engines. */
struct log_engine *log_engine_of(struct engine *e);

struct log_engine_status {
	const char *kind;    /* "postgres" */
	uint64_t cluster_id; /* of the log: every server on it sees the same */
	bool is_connected;
	char last_error[400]; /* why it is not; "" */
	uint64_t term;
	bool leads;
	int64_t applied_index, snapshot_index;
};
/* Any thread. */
void log_engine_status(struct log_engine *e, struct log_engine_status *ret);

#endif
