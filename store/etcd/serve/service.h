/* The service itself: what its calls hang on. One owner, the loop it was made for. */
#ifndef K3X_STORE_ETCD_SERVE_SERVICE_H
#define K3X_STORE_ETCD_SERVE_SERVICE_H

#include "base/mem/list.h"
#include "store/engine/raft_engine.h"
#include "store/etcd/auth/auth.h"
#include "store/etcd/etcd_service.h"
#include "store/etcd/serve/system_state.h"

struct etcd_compactor;
struct etcd_counts;
struct pool;

/* A place where it listens. */
struct etcd_door {
	struct etcd_service *service;
	struct http_server *http;
	unsigned serves;
};

struct etcd_service {
	struct etcd_service_options options; /* strings in the arena */
	struct arena arena;
	struct loop *loop;
	struct engine *store;
	struct raft_engine *raft; /* the same */
	struct etcd_door doors[ETCD_LISTENS_MAX];
	size_t n_doors;
	struct list_link watch_streams;
	struct list_link wanting_leader; /* etcd_stream: end when there is no leader */
	unsigned leaderless_s;           /* for how long nobody has been known to lead */
	uv_timer_t timer;                /* progress notifications */
	unsigned calls; /* unary calls whose store request is out, and whatever else must end before the service */
	bool is_published, is_publishing, is_promoting; /* see cluster.c */
	uint32_t alarms;                                /* bits by enum etcd_alarm: of any member */
	int64_t in_use_bytes;
	uint64_t rotten_alone; /* what was found rotten, as of the last tick: see quota.c */
	struct etcd_compactor *compactor;
	struct etcd_system system;
	struct etcd_tokens *tokens;
	struct pool *pool;          /* for password hashes; NULL until the first */
	struct list_link passwords; /* the work under way */
	struct list_link snapshots; /* being sent; see calls/snapshot.c */
	unsigned n_snapshots;
	struct pool *snapshot_pool; /* NULL until the first */
	struct {
		uint64_t requests, failed, watch_streams, watches, events, health_successes, health_failures;
	} counters;
	struct etcd_counts *counts; /* of calls */
	/* What else follows from a new version of the system keyspace. */
	void (*on_system)(struct etcd_service *s, const struct store_system_entry *entries, size_t n);
	int close_steps;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* Is somebody known to lead? One server alone leads itself. */
static inline bool etcd_has_leader(const struct etcd_service *s)
{
	return raft_engine_leader(s->raft) != 0;
}

static inline bool etcd_has_alarm(const struct etcd_service *s, enum etcd_alarm alarm)
{
	return (s->alarms >> alarm) & 1;
}

#endif
