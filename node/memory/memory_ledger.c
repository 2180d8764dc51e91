/* See memory_ledger_int.h. Upstream: pkg/kubelet/cm/memorymanager/policy_static.go. A node is either used by itself or
 * always together with the same others: memory that was promised of two nodes may lie wholly on one of them, so nobody
 * else can count on what is left of either. What is used follows from the blocks alone, and is counted anew when they
 * change. The state has upstream's names, and no checksum: it is written whole and put in its place.
 *
 * What can go wrong: no set of nodes has enough, or none that keeps to that rule; a state in which more is given out
 * than there is. */
#include "node/memory/memory_ledger_int.h"

#include "api/machinery/codec/resource_list.h"
#include "base/check.h"
#include "node/cgroup/resources.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- the machine ---- */

static int64_t reserved_of(const struct json *reserved, unsigned node, const char *type)
{
	JSON_FOREACH (it, reserved)
		if (json_get_int(it, "numaNode", -1) == node)
			return quantity_json_value(json_path(it, "limits", type, NULL));
	return 0;
}

static void add_pool(struct memory_node *n, const char *type, int64_t total, const struct json *reserved)
{
	struct memory_pool *p = &n->pools[n->pools_count++];
	*p = (struct memory_pool){.total = total, .reserved = reserved_of(reserved, n->id, type)};
	snprintf(p->type, sizeof p->type, "%s", type);
	if (p->reserved > total)
		p->reserved = total;
}

void memory_ledger_init(struct memory_ledger *l, const struct numa *numa, const struct json *reserved)
{
	*l = (struct memory_ledger){.count = 0};
	CHECK(numa->count <= NUMA_WEIGHED_MAX);
	for (size_t i = 0; i < numa->count; i++) {
		const struct numa_node *from = &numa->list[i];
		struct memory_node *n = &l->nodes[l->nodes_count++];
		int64_t in_pages = 0;
		*n = (struct memory_node){.id = from->id, .group = UINT64_C(1) << from->id};
		for (size_t k = 0; k < from->pages_count; k++)
			in_pages += from->pages[k].bytes;
		add_pool(n, "memory", from->memory_bytes > in_pages ? from->memory_bytes - in_pages : 0, reserved);
		for (size_t k = 0; k < from->pages_count; k++)
			add_pool(n, from->pages[k].resource, from->pages[k].bytes, reserved);
	}
}

static void block_release(struct memory_block *b)
{
	free(b->uid);
	free(b->container);
	free(b->type);
}

void memory_ledger_release(struct memory_ledger *l)
{
	for (size_t i = 0; i < l->count; i++)
		block_release(&l->blocks[i]);
	free(l->blocks);
	l->blocks = NULL;
	l->count = 0;
}

static struct memory_node *node_of(struct memory_ledger *l, unsigned id)
{
	for (size_t i = 0; i < l->nodes_count; i++)
		if (l->nodes[i].id == id)
			return &l->nodes[i];
	return NULL;
}

static uint64_t all_nodes(const struct memory_ledger *l)
{
	uint64_t all = 0;
	for (size_t i = 0; i < l->nodes_count; i++)
		all |= UINT64_C(1) << l->nodes[i].id;
	return all;
}

static const struct memory_pool *pool_of(const struct memory_node *n, struct slice type)
{
	for (size_t i = 0; i < n->pools_count; i++)
		if (slice_is(type, n->pools[i].type))
			return &n->pools[i];
	return NULL;
}

static int64_t left_in(const struct memory_pool *p)
{
	return p->total - p->reserved - p->used;
}

/* ---- what is used ---- */

/* What does not fit, which is what a state may say that is not ours. */
static int64_t lay(struct memory_ledger *l, const struct memory_block *b)
{
	int64_t left = b->bytes;
	CHECK(b->bytes >= 0);
	for (size_t i = 0; i < l->nodes_count; i++) {
		struct memory_node *n = &l->nodes[i];
		if (!(b->nodes >> n->id & 1))
			continue;
		n->uses++;
		n->group = b->nodes;
		for (size_t k = 0; k < n->pools_count; k++) {
			struct memory_pool *p = &n->pools[k];
			int64_t here = left_in(p) < left ? left_in(p) : left;
			if (strcmp(p->type, b->type) != 0)
				continue;
			CHECK(here >= 0 && p->used + here <= p->total);
			p->used += here;
			left -= here;
		}
	}
	return left;
}

static int64_t count_anew(struct memory_ledger *l)
{
	int64_t over = 0;
	for (size_t i = 0; i < l->nodes_count; i++) {
		l->nodes[i].uses = 0;
		l->nodes[i].group = UINT64_C(1) << l->nodes[i].id;
		for (size_t k = 0; k < l->nodes[i].pools_count; k++)
			l->nodes[i].pools[k].used = 0;
	}
	for (size_t i = 0; i < l->count; i++)
		over += lay(l, &l->blocks[i]);
	return over;
}

static void add(struct memory_ledger *l, const char *uid, struct slice container, struct slice type, uint64_t nodes,
        int64_t bytes)
{
	CHECK(nodes && bytes >= 0);
	l->blocks = xrealloc(l->blocks, (l->count + 1) * sizeof *l->blocks);
	l->blocks[l->count++] = (struct memory_block){xstrdup(uid),
	        xmemdup(container.ptr ? container.ptr : "", container.len), xmemdup(type.ptr, type.len), nodes, bytes};
}

/* ---- what is asked for ---- */

static bool is_memory(struct slice resource)
{
	return slice_is(resource, "memory") || slice_starts(resource, "hugepages-");
}

size_t memory_ledger_wants(const struct memory_asker *who, struct arena *a, struct memory_want **ret)
{
	struct resource_list asks =
	        who->container ? resource_list_read(a, json_path(who->container, "resources", "requests", NULL))
	                       : resource_list_of_pod(a, who->spec, "requests");
	if (who->container && !asks.n) /* what is not requested is what is the limit */
		asks = resource_list_read(a, json_path(who->container, "resources", "limits", NULL));
	size_t n = 0;
	*ret = ARENA_ARRAY(a, struct memory_want, asks.n + 1);
	for (size_t i = 0; pod_qos(who->spec) == QOS_GUARANTEED && i < asks.n; i++)
		if (is_memory(asks.list[i].name) && quantity_value(&asks.list[i].q) > 0)
			(*ret)[n++] = (struct memory_want){asks.list[i].name, quantity_value(&asks.list[i].q)};
	return n;
}

/* The pod's init containers before this one, that end. */
static bool gives_on(const struct memory_asker *who, const char *container)
{
	JSON_FOREACH (c, json_get(who->spec, "initContainers")) {
		if (c == who->container)
			return false;
		if (slice_is(json_get_str(c, "name"), container))
			return !slice_is(json_get_str(c, "restartPolicy"), "Always");
	}
	return false;
}

static bool is_reusable(const struct memory_asker *who, const struct memory_block *b, uint64_t nodes, struct slice type)
{
	return who->container && b->nodes == nodes && strcmp(b->uid, who->uid) == 0 && slice_is(type, b->type) &&
	       gives_on(who, b->container);
}

static int64_t reusable(
        const struct memory_ledger *l, const struct memory_asker *who, uint64_t nodes, struct slice type)
{
	int64_t sum = 0;
	for (size_t i = 0; i < l->count; i++)
		if (is_reusable(who, &l->blocks[i], nodes, type))
			sum += l->blocks[i].bytes;
	return sum;
}

/* ---- where it may lie ---- */

enum amount { ALLOCATABLE, FREE };

static int64_t sum(const struct memory_ledger *l, uint64_t nodes, struct slice type, enum amount what)
{
	int64_t bytes = 0;
	for (size_t i = 0; i < l->nodes_count; i++) {
		const struct memory_pool *p = nodes >> l->nodes[i].id & 1 ? pool_of(&l->nodes[i], type) : NULL;
		if (p)
			bytes += what == FREE ? left_in(p) : p->total - p->reserved;
	}
	return bytes;
}

/* One node is not used in a group; of several none is used but in that group. */
static bool keeps_groups(const struct memory_ledger *l, uint64_t nodes)
{
	bool is_one = numa_count(nodes) == 1;
	for (size_t i = 0; i < l->nodes_count; i++) {
		const struct memory_node *n = &l->nodes[i];
		if (nodes >> n->id & 1 && (is_one ? numa_count(n->group) > 1 : n->uses && n->group != nodes))
			return false;
	}
	return true;
}

static bool has_enough(const struct memory_ledger *l, const struct memory_asker *who, const struct memory_want *wants,
        size_t count, uint64_t nodes)
{
	for (size_t i = 0; i < count; i++)
		if (sum(l, nodes, wants[i].type, FREE) + reusable(l, who, nodes, wants[i].type) < wants[i].bytes)
			return false;
	return true;
}

static bool could_have(const struct memory_ledger *l, const struct memory_want *wants, size_t count, uint64_t nodes)
{
	for (size_t i = 0; i < count; i++)
		if (sum(l, nodes, wants[i].type, ALLOCATABLE) < wants[i].bytes)
			return false;
	return true;
}

size_t memory_ledger_hints(
        const struct memory_ledger *l, const struct memory_asker *who, struct numa_hint ret[1 << NUMA_WEIGHED_MAX])
{
	struct arena a = ARENA_INIT;
	struct memory_want *wants;
	size_t count = memory_ledger_wants(who, &a, &wants), n = 0;
	uint64_t all = all_nodes(l);
	unsigned fewest = numa_count(all);
	for (uint64_t set = count ? numa_next_set(all, 0) : 0; set; set = numa_next_set(all, set)) {
		if (!could_have(l, wants, count, set))
			continue;
		fewest = numa_count(set) < fewest ? numa_count(set) : fewest;
		CHECK(n < 1 << NUMA_WEIGHED_MAX);
		if (keeps_groups(l, set) && has_enough(l, who, wants, count, set))
			ret[n++] = (struct numa_hint){set, false};
	}
	for (size_t i = 0; i < n; i++)
		ret[i].is_preferred = numa_count(ret[i].nodes) == fewest;
	arena_release(&a);
	return n;
}

/* Of those that hold all of `within`: a preferred one, of the fewest nodes, of the first ones. */
static const struct numa_hint *best(const struct numa_hint *list, size_t count, uint64_t within)
{
	const struct numa_hint *found = NULL;
	for (size_t i = 0; i < count; i++) {
		const struct numa_hint *h = &list[i];
		bool is_narrower = found && (numa_count(h->nodes) != numa_count(found->nodes)
		                                            ? numa_count(h->nodes) < numa_count(found->nodes)
		                                            : h->nodes < found->nodes);
		if (within & ~h->nodes)
			continue;
		if (!found || (h->is_preferred != found->is_preferred ? h->is_preferred : is_narrower))
			found = h;
	}
	return found;
}

static bool is_free_on(const struct memory_ledger *l, const struct memory_want *wants, size_t count, uint64_t nodes)
{
	for (size_t i = 0; i < count; i++)
		if (sum(l, nodes, wants[i].type, FREE) < wants[i].bytes)
			return false;
	return true;
}

/* Where the topology says, or if it does not care where is best; on more nodes when those are not enough. */
static int choose(const struct memory_ledger *l, const struct memory_asker *who, const struct memory_want *wants,
        size_t count, struct numa_hint where, uint64_t *ret, struct err *err)
{
	struct numa_hint list[1 << NUMA_WEIGHED_MAX];
	size_t n = memory_ledger_hints(l, who, list);
	const struct numa_hint *h = &where;
	const char *why = NULL;
	if (where.nodes == NUMA_ANYWHERE) {
		h = best(list, n, 0);
		why = !h ? "failed to get the default NUMA affinity, no NUMA nodes with enough memory is available"
		      : !h->is_preferred && where.is_preferred ? "failed to find the default preferred hint"
		                                               : NULL;
	}
	if (!why && !is_free_on(l, wants, count, h->nodes)) {
		const struct numa_hint *wider = best(list, n, h->nodes);
		why = !wider ? "failed to find NUMA nodes to extend the current topology hint"
		      : !wider->is_preferred && h->is_preferred ? "failed to find the extended preferred hint"
		                                                : NULL;
		h = wider;
	}
	if (!why && numa_count(h->nodes) > 1 && !keeps_groups(l, h->nodes))
		why = "preferred hint violates NUMA node allocation";
	if (why)
		return err_set(err, ERR_BUSY, "Allocate failed due to [memorymanager] %s, which is unexpected", why);
	*ret = h->nodes;
	return 0;
}

/* ---- taking ---- */

static void take_over(
        struct memory_ledger *l, const struct memory_asker *who, uint64_t nodes, struct slice type, int64_t bytes)
{
	for (size_t i = 0; i < l->count && bytes; i++) {
		struct memory_block *b = &l->blocks[i];
		int64_t here = b->bytes < bytes ? b->bytes : bytes;
		if (!is_reusable(who, b, nodes, type))
			continue;
		b->bytes -= here;
		bytes -= here;
	}
}

static bool has_some(const struct memory_ledger *l, const struct memory_asker *who)
{
	struct slice name = json_get_str(who->container, "name");
	for (size_t i = 0; i < l->count; i++)
		if (strcmp(l->blocks[i].uid, who->uid) == 0 && slice_is(name, l->blocks[i].container))
			return true;
	return false;
}

int memory_ledger_take(struct memory_ledger *l, const struct memory_asker *who, struct numa_hint where, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct memory_want *wants;
	CHECK(who->container);
	size_t count = has_some(l, who) ? 0 : memory_ledger_wants(who, &a, &wants);
	uint64_t nodes;
	if (count && choose(l, who, wants, count, where, &nodes, err) == 0) {
		for (size_t i = 0; i < count; i++) {
			take_over(l, who, nodes, wants[i].type, wants[i].bytes);
			add(l, who->uid, json_get_str(who->container, "name"), wants[i].type, nodes, wants[i].bytes);
		}
		count_anew(l);
	}
	arena_release(&a);
	return err->code;
}

bool memory_ledger_give_back(struct memory_ledger *l, const char *uid)
{
	size_t kept = 0, had = l->count;
	for (size_t i = 0; i < had; i++)
		if (strcmp(l->blocks[i].uid, uid) == 0)
			block_release(&l->blocks[i]);
		else
			l->blocks[kept++] = l->blocks[i];
	l->count = kept;
	count_anew(l);
	return kept != had;
}

uint64_t memory_ledger_nodes_of(const struct memory_ledger *l, const char *uid, const char *container)
{
	uint64_t nodes = 0;
	for (size_t i = 0; i < l->count; i++)
		if (strcmp(l->blocks[i].uid, uid) == 0 && strcmp(l->blocks[i].container, container) == 0)
			nodes |= l->blocks[i].nodes;
	return nodes;
}

/* ---- the state ---- */

static struct json *ids(struct arena *a, uint64_t nodes)
{
	struct json *list = json_new(a, JSON_ARRAY);
	for (unsigned i = 0; i < NUMA_NODES_MAX; i++)
		if (nodes >> i & 1)
			json_append(list, json_new_int(a, i));
	return list;
}

static struct json *machine(struct arena *a, const struct memory_ledger *l)
{
	struct json *o = json_new(a, JSON_OBJECT);
	for (size_t i = 0; i < l->nodes_count; i++) {
		const struct memory_node *n = &l->nodes[i];
		struct json *node = json_need(a, o, arena_printf(a, "%u", n->id), JSON_OBJECT);
		json_set_int(a, node, "numberOfAssignments", n->uses);
		struct json *map = json_need(a, node, "memoryMap", JSON_OBJECT);
		for (size_t k = 0; k < n->pools_count; k++) {
			const struct memory_pool *p = &n->pools[k];
			struct json *pool = json_need(a, map, p->type, JSON_OBJECT);
			json_set_int(a, pool, "total", p->total);
			json_set_int(a, pool, "systemReserved", p->reserved);
			json_set_int(a, pool, "allocatable", p->total - p->reserved);
			json_set_int(a, pool, "reserved", p->used);
			json_set_int(a, pool, "free", left_in(p));
		}
		json_set(a, node, "cells", ids(a, n->group));
	}
	return o;
}

void memory_ledger_write(const struct memory_ledger *l, struct strbuf *out)
{
	struct arena a = ARENA_INIT;
	struct json *o = json_new(&a, JSON_OBJECT);
	json_set_cstr(&a, o, "policyName", "Static");
	json_set(&a, o, "machineState", machine(&a, l));
	struct json *entries = json_need(&a, o, "entries", JSON_OBJECT);
	for (size_t i = 0; i < l->count; i++) {
		const struct memory_block *b = &l->blocks[i];
		struct json *list = json_need(
		                    &a, json_need(&a, entries, b->uid, JSON_OBJECT), b->container, JSON_ARRAY),
		            *block = json_new(&a, JSON_OBJECT);
		json_set(&a, block, "numaAffinity", ids(&a, b->nodes));
		json_set_cstr(&a, block, "type", b->type);
		json_set_int(&a, block, "size", b->bytes);
		json_append(list, block);
	}
	json_write(out, o);
	arena_release(&a);
}

static int read_block(
        struct memory_ledger *l, const char *uid, struct slice container, const struct json *it, struct err *err)
{
	struct slice type = json_get_str(it, "type");
	int64_t bytes = json_get_int(it, "size", -1);
	uint64_t nodes = 0;
	JSON_FOREACH (id, json_get(it, "numaAffinity")) {
		int64_t n = json_int(id, -1);
		if (n < 0 || n >= NUMA_NODES_MAX || !node_of(l, (unsigned)n))
			return err_set(err, ERR_INVAL, "a block lies on a node that is not there");
		nodes |= UINT64_C(1) << n;
	}
	if (!nodes || bytes < 0 || !is_memory(type) || !*uid || !container.len || memchr(type.ptr, 0, type.len))
		return err_set(err, ERR_INVAL, "a block of \"%.60s\" is none", uid);
	if (!keeps_groups(l, nodes))
		return err_set(err, ERR_INVAL, "a block of \"%.60s\" lies on nodes that are in use otherwise", uid);
	add(l, uid, container, type, nodes, bytes);
	if (lay(l, &l->blocks[l->count - 1]))
		return err_set(err, ERR_INVAL, "more %.*s is given out than there is", SLICE_FMT(type));
	return 0;
}

/* What the machine has, and what of it is the system's; what is used follows from the blocks. */
static bool is_of_machine(const struct memory_ledger *l, const struct json *state)
{
	struct arena a = ARENA_INIT;
	struct json *own = machine(&a, l);
	bool is = json_is(state, JSON_OBJECT) && state->count == own->count;
	JSON_FOREACH (node, own)
		JSON_FOREACH (pool, json_get(node, "memoryMap")) {
			const struct json *its =
			        json_get_slice(json_get(json_get_slice(state, node->key), "memoryMap"), pool->key);
			is = is && json_get_int(its, "total", -1) == json_get_int(pool, "total", 0) &&
			     json_get_int(its, "systemReserved", -1) == json_get_int(pool, "systemReserved", 0);
		}
	arena_release(&a);
	return is;
}

int memory_ledger_read(struct memory_ledger *l, struct slice text, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct json *o = json_parse(&a, text, NULL, err);
	CHECK(!l->count);
	if (o && !slice_is(json_get_str(o, "policyName"), "Static"))
		err_set(err, ERR_INVAL, "it is of policy \"%.*s\"", SLICE_FMT(json_get_str(o, "policyName")));
	if (!err->code && !is_of_machine(l, json_get(o, "machineState")))
		err_set(err, ERR_INVAL, "the machine has another memory than is in it, or another part is reserved");
	JSON_FOREACH (pod, err->code ? NULL : json_get(o, "entries"))
		JSON_FOREACH (container, pod)
			JSON_FOREACH (it, err->code ? NULL : container)
				read_block(l, arena_memdup(&a, pod->key.ptr, pod->key.len), container->key, it, err);
	if (err->code)
		memory_ledger_release(l);
	count_anew(l);
	arena_release(&a);
	return err->code;
}
