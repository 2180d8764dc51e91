/* See resources.h. */
#include "node/cgroup/resources.h"

#include "api/machinery/codec/quantity.h"
#include "api/machinery/codec/resource_list.h"

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

/* The pod's limit of a resource, when every container has one: init containers may use what the mains do. */
static bool has_limits(const struct json *spec, const char *name)
{
	static const char *const lists[] = {"containers", "initContainers"};
	for (size_t i = 0; i < COUNT_OF(lists); i++)
		JSON_FOREACH (c, json_get(spec, lists[i])) {
			struct json *limit = json_path(c, "resources", "limits", name, NULL);
			if (quantity_json_milli(limit) <= 0)
				return false;
		}
	return true;
}

static int64_t total(struct resource_list *l, const struct resource_list *overhead, const char *name, bool milli)
{
	struct slice n = slice_of(name);
	const struct quantity *v = resource_list_get(l, n), *o = resource_list_get(overhead, n);
	struct quantity sum = v ? *v : quantity_from_value(0, QUANTITY_DECIMAL_SI);
	if (o)
		quantity_add(&sum, o);
	return milli ? bounded(quantity_milli_value(&sum), MILLI_CPU_MAX)
	             : bounded(quantity_value(&sum), MEMORY_BYTES_MAX);
}

struct resource_limits pod_resources(const struct json *spec)
{
	struct arena a = ARENA_INIT;
	struct resource_list requests = resource_list_of_pod(&a, spec, "requests"),
	                     limits = resource_list_of_pod(&a, spec, "limits"),
	                     overhead = resource_list_read(&a, json_get(spec, "overhead"));
	bool has_cpu = has_limits(spec, "cpu"), has_memory = has_limits(spec, "memory");
	int64_t limit = total(&limits, &overhead, "cpu", true);
	int64_t request = resource_list_get(&requests, SLICE("cpu")) ? total(&requests, &overhead, "cpu", true) : limit;
	struct resource_limits ret = {.cpu_shares = shares_of(request),
	        .cpu_period_us = CPU_PERIOD_US,
	        .cpu_quota_us = has_cpu ? limit * CPU_PERIOD_US / 1000 : 0,
	        .memory_bytes = has_memory ? total(&limits, &overhead, "memory", false) : 0};
	arena_release(&a);
	return ret;
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

/* Upstream: pkg/kubelet/kuberuntime/kuberuntime_container_linux.go. */
int64_t container_swap_bytes(
        const struct json *pod_spec, const struct json *container, bool is_critical, const struct swap_facts *f)
{
	const struct json *r = json_get(container, "resources");
	int64_t request = memory_of(r, "requests"), limit = memory_of(r, "limits");
	if (!f->is_limited || !f->is_v2 || is_critical || pod_qos(pod_spec) != QOS_BURSTABLE || !request ||
	        request == limit || f->memory_bytes <= 0 || request > f->memory_bytes)
		return 0;
	return (int64_t)((double)request / (double)f->memory_bytes * (double)f->swap_bytes);
}
