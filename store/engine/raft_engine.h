/* The replicated engine: the state machine behind a raft log, on one of several servers. It is an engine like any other
 * (engine.h): writes and linearizable reads may be submitted on every server and are carried to the leader; what can't
 * be done while there is no leader waits, at most some election timeouts and five seconds, and is then answered
 * ERR_TIMEOUT (a write may still come to be). Serializable reads are always answered, from what this server has.
 *
 * Beside engine.h: who the members are, and changing that. */
#ifndef K3X_STORE_ENGINE_RAFT_ENGINE_H
#define K3X_STORE_ENGINE_RAFT_ENGINE_H

#include "raft/raft_node.h"
#include "store/engine.h"
#include "store/engine/raft_change.h"

struct raft_engine;

struct raft_engine_options {
	const char *data_dir; /* state.db and raft/ are in it */
	unsigned reader_threads;
	size_t watch_ring_bytes;
	size_t table_bytes;      /* 0: STORE_TABLE_BYTES_MAX */
	uint64_t cluster_id, id; /* not 0 */
	const char *address;     /* URL for peers */
	const char *listen_host; /* NULL: alone */
	int listen_port;
	bool follows_addresses; /* see raft_node.h */
	struct tls_context *server_tls;
	struct raft_peer_access access;
	unsigned heartbeat_ms, election_ms; /* 0: 100, 1000 */
	unsigned snapshot_entries;          /* 0: by bytes alone */
	uint64_t snapshot_bytes;            /* of log between snapshots; 0: 16 MiB */
	uint64_t state_bytes_per_s;
	uint64_t promote_after_ms; /* a standby that has caught up takes the place of a voter lost for so long; 0: never
	                            */
	/* The first configuration, when this server begins a cluster: the same on each of its servers. NULL: it joins
	 * one that will find it, or has a log. */
	const struct raft_host_server *bootstrap;
	size_t n_bootstrap;
	/* Questions of servers that want to join: raft thread. */
	void (*question)(void *arg, struct slice question, struct strbuf *answer);
	void *arg;
	struct store_check_options check;
};

/* Opens or creates data and log and starts. A state.db without a log (a snapshot was restored) that is there when a
 * cluster begins becomes its first state. ERR_CORRUPT, ERR_LOCKED, ERR_INVAL. */
int raft_engine_open(const struct raft_engine_options *o, struct engine **ret, struct err *err);

/* The same for a cluster of one that nobody joins, in a folder that exists: cluster, id, address and bootstrap are
 * filled in. For tests and benchmarks. */
int raft_engine_open_alone(const struct raft_engine_options *o, struct engine **ret, struct err *err);

/* Is it one? NULL for other engines. */
struct raft_engine *raft_engine_of(struct engine *e);

/* Any thread. */
void raft_engine_status(struct raft_engine *e, struct raft_node_status *ret);
int raft_engine_port(const struct raft_engine *e);
/* Without a lock: the term this server is in, and who leads (0: nobody it knows of). */
uint64_t raft_engine_term(const struct raft_engine *e);
uint64_t raft_engine_leader(const struct raft_engine *e);
struct raft_engine_counters {
	/* Proposals: writes and changes of members that came in here. */
	uint64_t proposals_pending, proposals_failed, proposals_committed, proposals_applied;
	uint64_t leader_changes; /* a leader was found, another one or the same again */
	uint64_t slow_reads;     /* questions what is committed, that were not answered soon, or reads not in time */
	uint64_t apply_queue_bytes;
	bool is_disk_full;
	bool is_fenced; /* it differs from the others or is rotten, and answers nothing until it has their state */
	int64_t applied_index, durable_index;
};
void raft_engine_counters(struct raft_engine *e, struct raft_engine_counters *ret);
/* Where a member is reached from now on, whatever the configuration says. Any thread. */
void raft_engine_move_member(struct raft_engine *e, uint64_t id, const char *address);
const struct peer_table *raft_engine_peers(const struct raft_engine *e);

void raft_engine_change_members(struct raft_engine *e, struct raft_engine_change *c);

#endif
