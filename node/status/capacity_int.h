/* What the node has, and what of it pods may have. Pure; results in the arena. */
#ifndef K3X_NODE_STATUS_CAPACITY_INT_H
#define K3X_NODE_STATUS_CAPACITY_INT_H

#include "base/json/json.h"

struct capacity_facts {
	int64_t cpus, memory_bytes, disk_bytes; /* 0: not known */
	unsigned pods_max;
	struct slice hugepages; /* lines "hugepages-2Mi BYTES" of the sizes that the kernel has */
};

struct json *node_capacity(struct arena *a, const struct capacity_facts *f);
/* By the configuration: less what is reserved for the system and for us, the hard thresholds of eviction, and of memory
 * what lies in huge pages. */
struct json *node_allocatable(struct arena *a, const struct capacity_facts *f, const struct json *config);
/* What all pods together may use of memory: the same without the thresholds. */
int64_t node_pods_memory_bytes(const struct capacity_facts *f, const struct json *config);

#endif
