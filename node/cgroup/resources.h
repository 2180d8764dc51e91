/* From requests and limits to cgroup values: pure. */
#ifndef K3X_NODE_CGROUP_RESOURCES_H
#define K3X_NODE_CGROUP_RESOURCES_H

#include "base/json/json.h"

#include <stdint.h>

enum qos { QOS_GUARANTEED, QOS_BURSTABLE, QOS_BESTEFFORT };

/* Of a pod or of a container; 0: no limit. */
struct resource_limits {
	int64_t cpu_shares, cpu_period_us, cpu_quota_us;
	int64_t memory_bytes; /* less than 0: explicitly none */
	int64_t oom_score_adj;
	int64_t pids_max; /* of a pod */
};

enum qos pod_qos(const struct json *pod_spec);
/* Of one container; node_memory: bytes of the machine, for the OOM score. */
struct resource_limits container_resources(
        const struct json *pod_spec, const struct json *container, int64_t node_memory);
/* What of the machine's swap a container may use. */
struct swap_facts {
	bool is_limited; /* swapBehavior LimitedSwap; else none */
	bool is_v2;      /* cgroup v1 has no limit of swap alone */
	int64_t memory_bytes, swap_bytes;
};

/* Of burstable pods that are not critical, containers that request some memory and may use more have a part of the swap
 * as large as the part of the memory that they request; 0: none. */
int64_t container_swap_bytes(
        const struct json *pod_spec, const struct json *container, bool is_critical, const struct swap_facts *f);
/* Of the pod's group: its containers together, or what its init containers may need more, and the overhead. A limit
 * only when every container has one. */
struct resource_limits pod_resources(const struct json *pod_spec);
/* cgroup v2's cpu.weight for v1's cpu.shares. */
int64_t cgroup_cpu_weight(int64_t cpu_shares);

#endif
