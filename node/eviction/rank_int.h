/* Who is evicted first, and in which words. Pure. */
#ifndef K3X_NODE_EVICTION_RANK_INT_H
#define K3X_NODE_EVICTION_RANK_INT_H

#include "node/eviction/eviction_core_int.h"

/* Of what the node is short of: memory, bytes or inodes of disks, processes. */
struct eviction_use {
	const char *container; /* NULL: of the pod itself */
	int64_t amount, request;
};

struct eviction_candidate {
	const char *uid;
	int64_t priority;
	bool is_measured;
	int64_t amount, request; /* of the whole pod */
	struct eviction_use *containers;
	size_t containers_count;
};

/* A pod that may never be evicted: a static one, or of a system's priority. */
bool eviction_spares(const struct json *spec, bool is_static);

/* The first to go stands first. */
void eviction_rank(enum eviction_signal s, struct eviction_candidate *list, size_t count);

/* Upstream's words for the status of an evicted pod, in the arena. */
const char *eviction_message(struct arena *a, const struct eviction_threshold *t,
        const struct eviction_observation *seen, const struct eviction_candidate *c);

#endif
