/* See resources.h. */
#include "node/cgroup/resources.h"

#include "api/machinery/codec/quantity.h"

#include "base/check.h"

/* The kernel's bounds of cpu.shares, and what no machine has: quantities come from whoever writes a pod or a manifest.
 */
enum {
	CPU_PERIOD_US = 100000,
	CPU_SHARES_MIN = 2,
	CPU_SHARES_MAX = 262144,
	CPU_QUOTA_MIN_US = 1000,
	CPU_WEIGHT_MAX = 10000
};
enum { MILLI_CPU_MAX = 1000 * 1000 * 1000 };
#define MEMORY_BYTES_MAX (INT64_C(1) << 50)

static int64_t bounded(int64_t v, int64_t max)
{
	return v < 0 ? 0 : v > max ? max : v;
}

static int64_t cpu_of(const struct json *r, const char *list)
{
	return bounded(quantity_json_milli(json_path(r, list, "cpu", NULL)), MILLI_CPU_MAX);
}

static int64_t memory_of(const struct json *r, const char *list)
{
	return bounded(quantity_json_value(json_path(r, list, "memory", NULL)), MEMORY_BYTES_MAX);
}

enum qos pod_qos(const struct json *spec)
{
	bool any = false, guaranteed = true;
	static const char *const lists[] = {"containers", "initContainers"}, *const names[] = {"cpu", "memory"};
	for (size_t l = 0; l < 2; l++)
		JSON_FOREACH (c, json_get(spec, lists[l]))
			for (size_t i = 0; i < 2; i++) {
				struct json *r = json_path(c, "resources", "requests", names[i], NULL),
				            *m = json_path(c, "resources", "limits", names[i], NULL);
				int64_t request = quantity_json_milli(r), limit = quantity_json_milli(m);
				any = any || request || limit;
				if (!limit || (r && request != limit))
					guaranteed = false;
			}
	return !any ? QOS_BESTEFFORT : guaranteed ? QOS_GUARANTEED : QOS_BURSTABLE;
}

int64_t cgroup_cpu_weight(int64_t cpu_shares)
{
	CHECK(cpu_shares >= CPU_SHARES_MIN && cpu_shares <= CPU_SHARES_MAX);
	return 1 + (cpu_shares - CPU_SHARES_MIN) * (CPU_WEIGHT_MAX - 1) / (CPU_SHARES_MAX - CPU_SHARES_MIN);
}

static int64_t shares_of(int64_t milli_cpu)
{
	int64_t shares = milli_cpu * 1024 / 1000;
	return shares < CPU_SHARES_MIN ? CPU_SHARES_MIN : shares > CPU_SHARES_MAX ? CPU_SHARES_MAX : shares;
}

bool pod_resources(const struct json *spec, struct resource_limits *ret)
{
	int64_t request = 0, cpu = 0, memory = 0;
	bool all_cpu = true, all_memory = true;
	if (json_get(spec, "initContainers"))
		return false;
	JSON_FOREACH (c, json_get(spec, "containers")) {
		struct json *r = json_get(c, "resources");
		int64_t limit = cpu_of(r, "limits"), wanted = cpu_of(r, "requests"), bytes = memory_of(r, "limits");
		request += wanted ? wanted : limit;
		cpu += limit;
		memory += bytes;
		all_cpu = all_cpu && limit;
		all_memory = all_memory && bytes;
	}
	*ret = (struct resource_limits){.cpu_shares = shares_of(request),
	        .cpu_period_us = CPU_PERIOD_US,
	        .cpu_quota_us = all_cpu ? cpu * CPU_PERIOD_US / 1000 : 0,
	        .memory_bytes = all_memory ? memory : 0};
	return true;
}

/* The less a container asked for, the sooner it goes when memory is short. */
static int64_t oom_score(enum qos q, int64_t memory_request, int64_t node_memory)
{
	if (q == QOS_GUARANTEED)
		return -997;
	if (q == QOS_BESTEFFORT || node_memory <= 0)
		return 1000;
	CHECK(memory_request >= 0 && memory_request <= MEMORY_BYTES_MAX);
	int64_t score = 1000 - 1000 * memory_request / node_memory;
	return score < 3 ? 3 : score >= 1000 ? 999 : score;
}

struct resource_limits container_resources(
        const struct json *pod_spec, const struct json *container, int64_t node_memory)
{
	struct json *r = json_get(container, "resources");
	int64_t limit = cpu_of(r, "limits"), memory = memory_of(r, "limits");
	int64_t request = json_path(r, "requests", "cpu", NULL) ? cpu_of(r, "requests") : limit;
	int64_t wanted = json_path(r, "requests", "memory", NULL) ? memory_of(r, "requests") : memory;
	struct resource_limits out = {
	        .cpu_period_us = CPU_PERIOD_US, .cpu_shares = shares_of(request), .memory_bytes = memory};
	if (limit) {
		int64_t quota = limit * CPU_PERIOD_US / 1000;
		out.cpu_quota_us = quota < CPU_QUOTA_MIN_US ? CPU_QUOTA_MIN_US : quota;
	}
	out.oom_score_adj = oom_score(pod_qos(pod_spec), wanted, node_memory);
	return out;
}
