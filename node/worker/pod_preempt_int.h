/* Whom a critical pod takes the place of. Pure. */
#ifndef K3X_NODE_WORKER_POD_PREEMPT_INT_H
#define K3X_NODE_WORKER_POD_PREEMPT_INT_H

#include "api/machinery/codec/resource_list.h"

/* A pod that has a place on the node. */
struct admit_other {
	const struct json *spec;
	bool is_static;
	bool is_ending; /* it gives its place up, and nobody need make it */
};

/* What is missing of one resource: thousandths of cpu, pods, else whole units. */
struct shortage {
	struct slice resource;
	int64_t amount; /* more than 0 */
};

/* Of the system: static, or of priority system-cluster-critical and above. */
bool pod_is_critical(const struct json *spec, bool is_static);

/* What a pod asks for with its overhead, and of that of one resource; of "pods" it is one. */
struct resource_list pod_asks(struct arena *a, const struct json *spec);
int64_t pod_asks_of(const struct resource_list *asks, struct slice resource);

/* The pods that are to end so that nothing is missing, as few as can be, those of best effort first, guaranteed ones
 * last: indices of `others` in the arena, *ret_count of them; none when those that end anyway are enough. False: all
 * that may be taken are not enough, and *ret_missing says in upstream's words what is. */
bool pod_preempt_choose(struct arena *a, const struct json *spec, bool is_static, const struct admit_other *others,
        size_t others_count, const struct shortage *shortages, size_t shortages_count, const size_t **ret,
        size_t *ret_count, const char **ret_missing);

#endif
