/* The cgroup of one container that we run ourselves, below its pod's. Blocks for some system calls; any thread. */
#ifndef K3X_NODE_CGROUP_CONTAINER_GROUP_H
#define K3X_NODE_CGROUP_CONTAINER_GROUP_H

#include "base/err.h"
#include "node/cgroup/resources.h"

#include <stdbool.h>
#include <stddef.h>

/* v1: a group per hierarchy of these. */
enum { CONTAINER_GROUPS_MAX = 3 };

/* Makes it and opens its `cgroup.procs` files, into which a process writes "0" to be in it. parent: as pod_cgroup() has
 * it. ERR_IO. */
int container_group_open(const char *parent, const char *name, const struct resource_limits *limits,
        int fds[CONTAINER_GROUPS_MAX], size_t *count, struct err *err);
/* Nothing runs in it any more. */
void container_group_remove(const char *parent, const char *name);

struct group_usage {
	uint64_t cpu_ns, memory_bytes, working_set_bytes;
};
bool container_group_usage(const char *parent, const char *name, struct group_usage *ret);
/* The kernel ended something in it because memory was short. */
bool container_group_was_out_of_memory(const char *parent, const char *name);

#endif
