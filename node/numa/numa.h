/* The machine's nodes of memory. Loop's thread; what is read does not change. */
#ifndef K3X_NODE_NUMA_NUMA_H
#define K3X_NODE_NUMA_NUMA_H

#include "base/err.h"
#include "node/ground/cpu_set.h"

enum { NUMA_NODES_MAX = 64, NUMA_PAGE_SIZES_MAX = 8 };

struct numa_pages {
	char resource[32]; /* "hugepages-2Mi" */
	int64_t bytes;     /* of all pages of that size */
};

struct numa_node {
	unsigned id; /* less than NUMA_NODES_MAX */
	struct cpu_set cpus;
	int64_t memory_bytes; /* all of it, with what lies in huge pages */
	struct numa_pages pages[NUMA_PAGE_SIZES_MAX];
	size_t pages_count;
};

/* In order of their ids. A set of nodes is a mask: bit `id`. */
struct numa {
	struct numa_node list[NUMA_NODES_MAX];
	size_t count; /* 1 at least */
};

/* As the folder of sysfs says (NULL: /sys/devices/system). A kernel that knows of no nodes has one, number 0, with all
 * CPUs and all memory. ERR_IO: what is there cannot be read. */
int numa_read(const char *folder, struct numa *ret, struct err *err);

uint64_t numa_all(const struct numa *n);
uint64_t numa_of_cpu(const struct numa *n, unsigned cpu); /* one bit; 0: of none */
struct cpu_set numa_cpus(const struct numa *n, uint64_t nodes);

#endif
