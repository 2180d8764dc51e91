/* A server's peers in numbers, for metrics. Written on the raft thread, read on any without a lock: a place in the
 * table is a peer's as long as it is a member; one that has left keeps its numbers, as counters do, until another needs
 * the place. See peer_stats.c. */
#ifndef K3X_RAFT_WIRE_PEER_STATS_H
#define K3X_RAFT_WIRE_PEER_STATS_H

#include "base/histogram.h"

enum { PEER_STATS_MAX = 64 };

struct peer_stats {
	_Atomic uint64_t id; /* 0: free, as are all behind it */
	_Atomic uint64_t sent_bytes, received_bytes, send_failures;
	_Atomic uint64_t echoed_ns; /* when the last probe came back; 0: never */
	struct histogram round_trips;
	uint64_t probe, probed_ns; /* the raft thread's; probe 0: none is out */
	bool has_left;             /* the raft thread's: it was a member, or is none yet */
};

struct peer_table {
	struct peer_stats at[PEER_STATS_MAX];
	struct peer_stats others; /* of those for whom there is no room: counted, never shown */
	uint64_t n_probes;
	size_t next_reused;
};

/* Raft thread. Never NULL. */
struct peer_stats *peer_stats_of(struct peer_table *t, uint64_t id);

/* Raft thread: who the members are now. */
void peer_stats_members(struct peer_table *t, const uint64_t *ids, size_t n);

/* Raft thread: the round of the probe to be sent to this peer now; 0: it is not time. */
uint64_t peer_stats_probe(struct peer_table *t, struct peer_stats *p, uint64_t now_ns);
/* It could not be sent after all. */
void peer_stats_forget(struct peer_stats *p);
/* An answer of `from` came. False: it answers no probe of these. */
bool peer_stats_echo(struct peer_table *t, uint64_t from, uint64_t round, uint64_t now_ns);

/* Any thread: a probe has come back lately. */
bool peer_stats_is_active(const struct peer_stats *p, uint64_t now_ns);

#endif
