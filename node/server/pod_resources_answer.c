/* See pod_resources_int.h. As upstream: containers and sidecars of every pod that is known, one entry for each device
 * and node of memory, CPUs only of who has them to himself. What init containers had who end is not told. */
#include "node/server/pod_resources_int.h"

#include "base/check.h"
#include "node/cpus/cpus.h"
#include "node/devices/devices.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_record.h"
#include "node/memory/memory.h"

/* A list that grows in the arena. */
struct messages {
	struct arena *a;
	void **list;
	size_t count, room;
};

static void push(struct messages *m, void *one)
{
	if (m->count == m->room) {
		void **more = ARENA_ARRAY(m->a, void *, m->room * 2 + 4);
		if (m->count)
			memcpy(more, m->list, m->count * sizeof *more);
		m->list = more;
		m->room = m->room * 2 + 4;
	}
	m->list[m->count++] = one;
}

static RESOURCES(TopologyInfo) * topology(struct arena *a, uint64_t nodes)
{
	RESOURCES(TopologyInfo) *t = ARENA_NEW(a, RESOURCES(TopologyInfo));
	struct messages list = {.a = a};
	podresources__topology_info__init(t);
	for (int id = 0; id < NUMA_NODES_MAX; id++)
		if (nodes >> id & 1) {
			RESOURCES(NUMANode) *n = ARENA_NEW(a, RESOURCES(NUMANode));
			podresources__numanode__init(n);
			n->id = id;
			push(&list, n);
		}
	t->nodes = (RESOURCES(NUMANode) **)list.list;
	t->n_nodes = list.count;
	return t;
}

static void add_device(void *arg, const struct device_use *use)
{
	struct messages *m = arg;
	uint64_t left = use->nodes;
	do {
		RESOURCES(ContainerDevices) *d = ARENA_NEW(m->a, RESOURCES(ContainerDevices));
		podresources__container_devices__init(d);
		d->resource_name = arena_strdup(m->a, use->resource);
		d->device_ids = ARENA_ARRAY(m->a, char *, 1);
		d->device_ids[0] = arena_strdup(m->a, use->id);
		d->n_device_ids = 1;
		d->topology = left ? topology(m->a, left & -left) : NULL;
		left &= left ? left - 1 : 0;
		push(m, d);
	} while (left);
}

static void add_memory(void *arg, const struct memory_use *use)
{
	struct messages *m = arg;
	RESOURCES(ContainerMemory) *one = ARENA_NEW(m->a, RESOURCES(ContainerMemory));
	podresources__container_memory__init(one);
	one->memory_type = arena_strdup(m->a, use->type);
	one->size = (uint64_t)use->bytes;
	one->topology = topology(m->a, use->nodes);
	push(m, one);
}

static int64_t *cpu_ids(struct arena *a, const struct cpu_set *set, size_t *ret_count)
{
	int64_t *ids = ARENA_ARRAY(a, int64_t, (set ? cpu_set_count(set) : 0) + 1);
	*ret_count = 0;
	for (unsigned i = 0; set && i < CPU_SET_MAX; i++)
		if (cpu_set_has(set, i))
			ids[(*ret_count)++] = i;
	return ids;
}

static RESOURCES(ContainerResources) * container_of(const struct pod *p, struct arena *a, const char *name)
{
	RESOURCES(ContainerResources) *c = ARENA_NEW(a, RESOURCES(ContainerResources));
	struct messages devices = {.a = a}, memory = {.a = a};
	podresources__container_resources__init(c);
	c->name = arena_strdup(a, name);
	devices_each_of(p->n->devices, p, name, add_device, &devices);
	memory_each_of(p->n->memory, p, name, add_memory, &memory);
	c->devices = (RESOURCES(ContainerDevices) **)devices.list;
	c->n_devices = devices.count;
	c->memory = (RESOURCES(ContainerMemory) **)memory.list;
	c->n_memory = memory.count;
	c->cpu_ids = cpu_ids(a, cpus_own(p->n->cpus, p, name), &c->n_cpu_ids);
	return c;
}

RESOURCES(PodResources) * pod_resources_of(const struct pod *p, struct arena *a)
{
	RESOURCES(PodResources) *r = ARENA_NEW(a, RESOURCES(PodResources));
	struct messages list = {.a = a};
	podresources__pod_resources__init(r);
	r->name = arena_strdup(a, p->name);
	r->namespace_ = arena_strdup(a, p->ns);
	for (size_t i = 0; i < p->slots_count; i++)
		if (p->slots[i].kind == SLOT_SIDECAR || p->slots[i].kind == SLOT_MAIN)
			push(&list, container_of(p, a, p->slots[i].name));
	r->containers = (RESOURCES(ContainerResources) **)list.list;
	r->n_containers = list.count;
	return r;
}

RESOURCES(ListPodResourcesResponse) * pod_resources_list(const struct node *n, struct arena *a)
{
	RESOURCES(ListPodResourcesResponse) *m = ARENA_NEW(a, RESOURCES(ListPodResourcesResponse));
	struct messages list = {.a = a};
	LOOP_CHECK_OWNER(n->loop);
	podresources__list_pod_resources_response__init(m);
	MAP_FOREACH (it, &n->pods) {
		const struct pod *p = it->value;
		if (p->spec && p->in_api)
			push(&list, pod_resources_of(p, a));
	}
	m->pod_resources = (RESOURCES(PodResources) **)list.list;
	m->n_pod_resources = list.count;
	return m;
}

RESOURCES(AllocatableResourcesResponse) * pod_resources_allocatable(const struct node *n, struct arena *a)
{
	RESOURCES(AllocatableResourcesResponse) *m = ARENA_NEW(a, RESOURCES(AllocatableResourcesResponse));
	struct messages devices = {.a = a}, memory = {.a = a};
	struct cpu_set cpus = cpus_allocatable(n->cpus);
	LOOP_CHECK_OWNER(n->loop);
	podresources__allocatable_resources_response__init(m);
	devices_each(n->devices, add_device, &devices);
	memory_each(n->memory, add_memory, &memory);
	m->devices = (RESOURCES(ContainerDevices) **)devices.list;
	m->n_devices = devices.count;
	m->memory = (RESOURCES(ContainerMemory) **)memory.list;
	m->n_memory = memory.count;
	m->cpu_ids = cpu_ids(a, &cpus, &m->n_cpu_ids);
	return m;
}

bool call_limit_take(struct call_limit *l, uint64_t now_ms)
{
	CHECK(now_ms >= l->at_ms);
	l->left_milli += (now_ms - l->at_ms) * l->per_second;
	l->at_ms = now_ms;
	if (l->left_milli > l->burst * 1000)
		l->left_milli = l->burst * 1000;
	if (l->left_milli < 1000)
		return false;
	l->left_milli -= 1000;
	return true;
}
