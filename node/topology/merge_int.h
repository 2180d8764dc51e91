/* One place out of many wishes. Pure. */
#ifndef K3X_NODE_TOPOLOGY_MERGE_INT_H
#define K3X_NODE_TOPOLOGY_MERGE_INT_H

#include "node/numa/numa_hint.h"

enum topology_policy { TOPOLOGY_NONE, TOPOLOGY_BEST_EFFORT, TOPOLOGY_RESTRICTED, TOPOLOGY_SINGLE_NODE };

/* The nodes that serve all wishes best, out of `all` of the machine. False: the policy does not let it in there. */
bool topology_merge(enum topology_policy policy, const struct numa_wishes *w, uint64_t all, struct numa_hint *ret);

#endif
