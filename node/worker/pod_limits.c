/* See pod_limits_int.h. CPU and memory as upstream makes of requests and limits (cgroup/resources.h), huge pages of
 * every size that the kernel has (none where none are asked for), swap: on cgroup v2 as memorySwap says, on v1 no more
 * than the limit of memory, which is the nearest to none that there is. */
#include "node/worker/pod_limits_int.h"

#include "api/machinery/codec/quantity.h"
#include "base/check.h"
#include "node/cgroup/cgroup.h"
#include "node/cgroup/resources.h"
#include "node/config/kubelet_config.h"
#include "node/cpus/cpus.h"
#include "node/ground/machine.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_record.h"
#include "node/memory/memory.h"
#include "node/worker/pod_preempt_int.h"

static void set_hugepages(struct arena *a, const struct json *container, CRI(LinuxContainerResources) * r)
{
	struct slice sizes = slice_of(machine_hugepages(a));
	const struct json *limits = json_path(container, "resources", "limits", NULL);
	r->hugepage_limits = ARENA_ARRAY(a, CRI(HugepageLimit) *, sizes.len + 1);
	while (sizes.len) {
		struct slice total = slice_cut(&sizes, '\n'), name = slice_cut(&total, ' ');
		int64_t size = quantity_text_value((struct slice){name.ptr + 10, name.len - 10});
		if (slice_is(total, "0"))
			continue;
		CRI(HugepageLimit) *l = ARENA_NEW(a, CRI(HugepageLimit));
		runtime__v1__hugepage_limit__init(l);
		l->page_size = size >= 1 << 30   ? arena_printf(a, "%lldGB", (long long)(size >> 30))
		               : size >= 1 << 20 ? arena_printf(a, "%lldMB", (long long)(size >> 20))
		                                 : arena_printf(a, "%lldKB", (long long)(size >> 10));
		l->limit = (uint64_t)quantity_json_value(json_get_slice(limits, name));
		r->hugepage_limits[r->n_hugepage_limits++] = l;
	}
}

static void set_swap(
        const struct pod *p, struct arena *a, const struct json *container, CRI(LinuxContainerResources) * r)
{
	const struct kubelet_config *config = p->n->config;
	struct slice behavior = json_get_str(kubelet_config_get(config, "memorySwap"), "swapBehavior");
	struct swap_facts facts = {
	        .is_limited = slice_is(behavior, "LimitedSwap") && kubelet_config_gate(config, "NodeSwap"),
	        .is_v2 = cgroup_is_v2(),
	        .memory_bytes = node_memory_bytes(),
	        .swap_bytes = node_swap_bytes()};
	if (!cgroup_limits_swap())
		return;
	if (!facts.is_v2) {
		r->memory_swap_limit_in_bytes = r->memory_limit_in_bytes;
		return;
	}
	CRI(Pair) *file = ARENA_NEW(a, CRI(Pair));
	runtime__v1__pair__init(file);
	file->key = "memory.swap.max";
	file->value = arena_printf(a, "%lld",
	        (long long)container_swap_bytes(p->spec, container, pod_is_critical(p->spec, p->is_static), &facts));
	r->unified = ARENA_ARRAY(a, CRI(Pair) *, 1);
	r->unified[r->n_unified++] = file;
}

CRI(LinuxContainerResources) * pod_limits_of(const struct pod *p, const struct json *container, struct arena *a)
{
	CRI(LinuxContainerResources) *r = ARENA_NEW(a, CRI(LinuxContainerResources));
	struct resource_limits limits = container_resources(p->spec, container, node_memory_bytes());
	const char *name = json_cstr(a, json_get(container, "name"));
	runtime__v1__linux_container_resources__init(r);
	r->cpu_period = limits.cpu_period_us;
	r->cpu_quota = kubelet_config_bool(p->n->config, "cpuCFSQuota") ? limits.cpu_quota_us : 0;
	r->cpu_shares = limits.cpu_shares;
	r->memory_limit_in_bytes = limits.memory_bytes;
	r->oom_score_adj = limits.oom_score_adj;
	set_hugepages(a, container, r);
	set_swap(p, a, container, r);
	r->cpuset_mems = (char *)memory_nodes_of(p->n->memory, p, name, a);
	r->cpuset_cpus = (char *)cpus_of(p->n->cpus, p, name, a);
	return r;
}
