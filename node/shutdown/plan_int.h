/* Who ends when the machine goes down, and in how much time. Pure. */
#ifndef K3X_NODE_SHUTDOWN_PLAN_INT_H
#define K3X_NODE_SHUTDOWN_PLAN_INT_H

#include "base/json/json.h"

struct shutdown_group {
	int64_t priority; /* of the pods in it and above, up to the next group */
	int64_t grace_s;
};

enum { SHUTDOWN_GROUPS_MAX = 64 };

struct shutdown_plan {
	struct shutdown_group groups[SHUTDOWN_GROUPS_MAX]; /* the lowest priority first: it ends first */
	size_t count;                                      /* 0: nobody waits for pods */
};

/* From a KubeletConfiguration in which every field is there. ERR_INVAL names the field. */
int shutdown_plan_read(const struct json *tree, struct shutdown_plan *ret, struct err *err);
int64_t shutdown_plan_total_s(const struct shutdown_plan *p);
/* Index of a pod's group. */
size_t shutdown_plan_group(const struct shutdown_plan *p, int64_t priority);
/* Seconds for a pod of that group, at least one. */
int64_t shutdown_plan_grace_s(const struct shutdown_group *g, const struct json *pod_spec);

#endif
