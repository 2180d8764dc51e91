/* What eviction is told, read: signals, thresholds, grace periods. Pure. */
#ifndef K3X_NODE_CONFIG_THRESHOLDS_H
#define K3X_NODE_CONFIG_THRESHOLDS_H

#include "base/err.h"
#include "base/json/json.h"

enum eviction_signal {
	SIGNAL_MEMORY_AVAILABLE,
	SIGNAL_NODEFS_AVAILABLE,
	SIGNAL_NODEFS_INODES_FREE,
	SIGNAL_IMAGEFS_AVAILABLE,
	SIGNAL_IMAGEFS_INODES_FREE,
	SIGNAL_PID_AVAILABLE,
	SIGNALS_COUNT
};

const char *eviction_signal_name(enum eviction_signal s); /* "memory.available" */

/* A number of bytes or of things, or a share of what there is. */
struct eviction_amount {
	double share; /* 0.05; 0: `value` counts */
	int64_t value;
};

int64_t eviction_amount_of(const struct eviction_amount *a, int64_t capacity);

struct eviction_threshold {
	enum eviction_signal signal;
	struct eviction_amount below;
	struct eviction_amount min_reclaim; /* this much more before it is over */
	bool is_hard;
	uint64_t grace_ms; /* of a soft one: so long it must have been met */
};

enum { EVICTION_THRESHOLDS_MAX = 2 * SIGNALS_COUNT };

struct eviction_thresholds {
	struct eviction_threshold list[EVICTION_THRESHOLDS_MAX];
	size_t count;
};

/* From evictionHard, evictionSoft, evictionSoftGracePeriod and evictionMinimumReclaim. ERR_INVAL names the field and
 * the signal. A share of 0 or 100 % is a threshold that is not there, as upstream has it. */
int eviction_thresholds_read(const struct json *tree, struct eviction_thresholds *ret, struct err *err);

#endif
