/* What the pod resources API answers, out of the records. Loop's thread. */
#ifndef K3X_NODE_SERVER_POD_RESOURCES_INT_H
#define K3X_NODE_SERVER_POD_RESOURCES_INT_H

#include "base/mem/arena.h"
#include "node/runtime/proto/pod_resources.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

struct node;
struct pod;

#define RESOURCES(name) Podresources__##name

/* All in the arena, their texts too. */
RESOURCES(ListPodResourcesResponse) * pod_resources_list(const struct node *n, struct arena *a);
RESOURCES(AllocatableResourcesResponse) * pod_resources_allocatable(const struct node *n, struct arena *a);
RESOURCES(PodResources) * pod_resources_of(const struct pod *p, struct arena *a);

/* How many calls are answered: so many at once, and so many a second. Pure. */
struct call_limit {
	uint64_t per_second, burst;
	uint64_t left_milli; /* thousandths of a call */
	uint64_t at_ms;
};

bool call_limit_take(struct call_limit *l, uint64_t now_ms);

#endif
