/* When the node is short of something, and of what first. Pure: observations and the time come in. */
#ifndef K3X_NODE_EVICTION_EVICTION_CORE_INT_H
#define K3X_NODE_EVICTION_EVICTION_CORE_INT_H

#include "node/config/thresholds.h"

struct eviction_observation {
	bool is_known;
	int64_t available, capacity;
};

struct eviction_core {
	struct eviction_thresholds thresholds;
	uint64_t transition_ms; /* so long a pressure is told after it was last there */
	bool is_met[EVICTION_THRESHOLDS_MAX];
	uint64_t met_since_ms[EVICTION_THRESHOLDS_MAX];
	unsigned seen;          /* pressures that were there once */
	uint64_t seen_at_ms[3]; /* by bit */
};

struct eviction_decision {
	unsigned pressures;                       /* NODE_PRESSURE_* bits */
	const struct eviction_threshold *reclaim; /* NULL: nothing is to be done */
};

void eviction_core_init(struct eviction_core *c, const struct eviction_thresholds *t, uint64_t transition_ms);
/* Times are of one clock that does not jump. */
struct eviction_decision eviction_core_look(
        struct eviction_core *c, const struct eviction_observation seen[SIGNALS_COUNT], uint64_t now_ms);
/* Is any threshold met by these, what is to be gained on top aside? Changes nothing. */
bool eviction_core_is_short(const struct eviction_core *c, const struct eviction_observation seen[SIGNALS_COUNT]);

const char *eviction_resource(enum eviction_signal s); /* "memory", "ephemeral-storage", "inodes", "pids" */

#endif
