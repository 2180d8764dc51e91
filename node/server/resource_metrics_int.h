/* /metrics/resource: what the node, its pods and their containers use, in upstream's names. */
#ifndef K3X_NODE_SERVER_RESOURCE_METRICS_INT_H
#define K3X_NODE_SERVER_RESOURCE_METRICS_INT_H

#include "base/mem/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct resource_usage {
	const char *ns, *pod, *container; /* of the node: NULL */
	int64_t started_ms;               /* since 1970; 0: not known */
	int64_t cpu_at_ms, memory_at_ms;  /* 0: not measured */
	uint64_t cpu_ns, memory_bytes;    /* memory: the working set */
	bool has_swap;                    /* the runtime tells it */
	uint64_t swap_bytes;              /* used */
};

/* The node's own, from the texts of /proc/stat and /proc/meminfo: all CPU time but idle and waiting, and memory without
 * what is free or cached and not in use. False: they don't say. */
bool resource_usage_of_node(
        struct slice stat, struct slice meminfo, long ticks_per_s, int64_t now_ms, struct resource_usage *ret);

/* Appends the text. Rows of a pod stand one behind the other; node NULL: it is left out and told as an error. */
void resource_metrics_write(
        struct strbuf *out, const struct resource_usage *node, const struct resource_usage *rows, size_t n);

#endif
