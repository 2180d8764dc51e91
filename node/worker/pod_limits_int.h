/* What a container may use of the machine, as the runtime is told. Node's loop. */
#ifndef K3X_NODE_WORKER_POD_LIMITS_INT_H
#define K3X_NODE_WORKER_POD_LIMITS_INT_H

#include "node/runtime/cri.h"

struct json;
struct pod;

/* By the container's spec, and what it has to itself of CPUs and memory. In the arena. */
CRI(LinuxContainerResources) * pod_limits_of(const struct pod *p, const struct json *container, struct arena *a);

#endif
