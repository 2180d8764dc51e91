/* See claim_int.h. For each container and resource: ids are chosen (the plugin may prefer some), granted in the ledger,
 * and the plugin prepares them (Allocate). Its answer stays with the grant.
 *
 * What can go wrong: too few devices, a plugin that refuses, does not answer or is gone: the pod is refused in
 * upstream's words, and what it had been granted is given back. The pod goes meanwhile: the claim ends when its call
 * does. */
#include "node/devices/claim_int.h"

#include "api/machinery/codec/resource_list.h"
#include "base/check.h"
#include "base/limits.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_map.h"
#include "node/ground/pod_record.h"

#include <stdlib.h>

struct ask {
	struct slice container, resource;
	size_t count;
	bool gives_on;
};

/* What a container asks for, until it has it all or is refused. A pod has one claim at a time. */
struct claim {
	struct list_link link;
	struct device_room *d;
	struct arena arena;
	const char *uid;
	uint64_t nodes; /* of memory that what it gets is to be near to */
	struct ask *asks;
	size_t count, next;
	bool is_over;
	struct err err; /* when it is over: why it is refused */
};

static struct claim *claim_of(const struct device_room *d, const char *uid)
{
	LIST_FOREACH (it, &d->claims) {
		struct claim *c = CONTAINER_OF(it, struct claim, link);
		if (strcmp(c->uid, uid) == 0)
			return c;
	}
	return NULL;
}

static void claim_free(struct claim *c)
{
	list_del(&c->link);
	arena_release(&c->arena);
	free(c);
}

/* The pod is looked up: it may be gone. The claim stays until its pod is told. */
static void claim_over(struct claim *c)
{
	struct device_room *d = c->d;
	CHECK(!c->is_over);
	c->is_over = true;
	if (c->err.code || !node_pod(d->n, slice_of(c->uid)))
		device_ledger_give_back(&d->ledger, c->uid);
	device_room_save(d);
}

/* After what a plugin's answer led to: a pod whose claim is over asks for it again. */
static void wake_pod(struct claim *c)
{
	struct pod *p = node_pod(c->d->n, slice_of(c->uid));
	if (!c->is_over)
		return;
	if (!p || c->d->n->closing)
		claim_free(c);
	else
		p->tick(p);
}

static void claim_next(struct claim *c);

static void claim_fail(struct claim *c, const char *why)
{
	err_set(&c->err, ERR_BUSY, "Allocate failed due to %s, which is unexpected", why);
	claim_over(c);
}

static void take_allocated(struct claim *c, const PLUGIN(AllocateResponse) * m, const struct err *err)
{
	const struct ask *ask = &c->asks[c->next];
	LOOP_CHECK_OWNER(c->d->n->loop);
	struct device_grant *g = device_ledger_of(&c->d->ledger, c->uid, ask->container, ask->resource);
	if (err || m->n_container_responses != 1 || !g) {
		claim_fail(c, err  ? err->msg
		              : !g ? "the pod is gone"
		                   : "a plugin that answered for another number of containers");
		return;
	}
	size_t size = v1beta1__container_allocate_response__get_packed_size(m->container_responses[0]);
	strbuf_reset(&g->answer);
	strbuf_reserve(&g->answer, size + 1);
	v1beta1__container_allocate_response__pack(m->container_responses[0], (uint8_t *)g->answer.data);
	CHECK(!g->is_answered);
	g->answer.len = size;
	g->is_answered = true;
	c->next++;
	claim_next(c);
}

static void allocated(void *arg, const void *answer, const struct err *err)
{
	take_allocated(arg, answer, err);
	wake_pod(arg);
}

static void allocate(struct claim *c, const char *const *ids)
{
	CHECK(c->next < c->count && !c->is_over);
	const struct ask *ask = &c->asks[c->next];
	struct plugin *p = device_room_plugin(c->d, arena_memdup(&c->arena, ask->resource.ptr, ask->resource.len));
	PLUGIN(AllocateRequest) q = V1BETA1__ALLOCATE_REQUEST__INIT;
	PLUGIN(ContainerAllocateRequest) one = V1BETA1__CONTAINER_ALLOCATE_REQUEST__INIT, *ones[] = {&one};
	if (!p) {
		claim_fail(c, "a plugin that is gone");
		return;
	}
	device_ledger_grant(&c->d->ledger, c->uid, ask->container, ask->resource, ids, ask->count, ask->gives_on);
	one.ids = (char **)ids;
	one.n_ids = ask->count;
	q.container_requests = ones;
	q.n_container_requests = 1;
	plugin_call(p, "Allocate", &q.base, &v1beta1__allocate_response__descriptor, allocated, c);
}

static struct device_candidates choose(struct claim *c)
{
	return device_ledger_candidates(&c->d->ledger, &c->arena, c->uid, c->asks[c->next].resource, c->nodes);
}

static bool is_among(const char *id, const char *const *ids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(ids[i], id) == 0)
			return true;
	return false;
}

/* What the plugin prefers counts when it is as many as were asked for, all different, out of what it may choose from
 * now, with those that must be in it. */
static bool is_good_choice(const struct claim *c, const struct device_candidates *from, char *const *ids, size_t n)
{
	size_t wanted = c->asks[c->next].count, must, most = device_candidates_narrow(from, wanted, &must);
	if (n != wanted)
		return false;
	for (size_t i = 0; i < must; i++)
		if (!is_among(from->ids[i], (const char *const *)ids, n))
			return false;
	for (size_t i = 0; i < n; i++)
		if (!is_among(ids[i], from->ids, most) || is_among(ids[i], (const char *const *)ids, i))
			return false;
	return true;
}

static void too_few(struct claim *c, size_t available)
{
	const struct ask *ask = &c->asks[c->next];
	claim_fail(c, arena_printf(&c->arena,
	                      "requested number of devices unavailable for %.*s. Requested: %zu, Available: %zu",
	                      SLICE_FMT(ask->resource), ask->count, available));
}

static void take_preferred(struct claim *c, const PLUGIN(PreferredAllocationResponse) * m)
{
	const PLUGIN(PreferredAnswer) *one = m && m->n_container_responses == 1 ? m->container_responses[0] : NULL;
	LOOP_CHECK_OWNER(c->d->n->loop);
	struct device_candidates from = choose(c); /* others may have taken some meanwhile */
	if (one && is_good_choice(c, &from, one->ids, one->n_ids)) {
		const char **ids = ARENA_ARRAY(&c->arena, const char *, one->n_ids + 1);
		for (size_t i = 0; i < one->n_ids; i++)
			ids[i] = arena_strdup(&c->arena, one->ids[i]);
		allocate(c, ids);
	} else if (from.count < c->asks[c->next].count) {
		too_few(c, from.count);
	} else {
		allocate(c, from.ids);
	}
}

static void preferred(void *arg, const void *answer, const struct err *err)
{
	take_preferred(arg, answer);
	wake_pod(arg);
}

static void ask_preferred(struct claim *c, struct plugin *p, const struct device_candidates *from)
{
	PLUGIN(PreferredAllocationRequest) q = V1BETA1__PREFERRED_ALLOCATION_REQUEST__INIT;
	PLUGIN(PreferredContainer) one = V1BETA1__PREFERRED_CONTAINER__INIT, *ones[] = {&one};
	one.available = (char **)from->ids;
	one.n_available = device_candidates_narrow(from, c->asks[c->next].count, &one.n_must_include);
	one.must_include = (char **)from->ids;
	one.size = (int32_t)c->asks[c->next].count;
	q.container_requests = ones;
	q.n_container_requests = 1;
	plugin_call(p, "GetPreferredAllocation", &q.base, &v1beta1__preferred_allocation_response__descriptor,
	        preferred, c);
}

static void claim_next(struct claim *c)
{
	while (c->next < c->count &&
	        device_ledger_of(&c->d->ledger, c->uid, c->asks[c->next].container, c->asks[c->next].resource))
		c->next++; /* it was granted before we started */
	if (c->next == c->count) {
		claim_over(c);
		return;
	}
	struct device_candidates from = choose(c);
	const struct ask *ask = &c->asks[c->next];
	struct plugin *p = device_room_plugin(c->d, arena_memdup(&c->arena, ask->resource.ptr, ask->resource.len));
	if (!p)
		claim_fail(
		        c, arena_printf(&c->arena, "no healthy devices present; cannot allocate unhealthy devices %.*s",
		                   SLICE_FMT(ask->resource)));
	else if (from.count < ask->count)
		too_few(c, from.count);
	else if (plugin_has_preferred(p) && from.count > ask->count)
		ask_preferred(c, p, &from);
	else
		allocate(c, from.ids);
}

static bool is_init(const struct json *spec, const struct json *container)
{
	JSON_FOREACH (c, json_get(spec, "initContainers"))
		if (c == container)
			return !slice_is(json_get_str(c, "restartPolicy"), "Always");
	return false;
}

/* Of the resources that some plugin offers, or did. */
static size_t collect_asks(const struct device_room *d, const struct json *spec, const struct json *container,
        struct arena *a, struct ask **ret)
{
	const struct json *limits = json_path(container, "resources", "limits", NULL);
	size_t n = 0;
	*ret = ARENA_ARRAY(a, struct ask, (limits ? limits->count : 0) + 1);
	JSON_FOREACH (it, limits) {
		int64_t count = quantity_json_value(it);
		if (count > 0 && count <= NODE_PLUGIN_DEVICES_MAX && device_ledger_resource(&d->ledger, it->key))
			(*ret)[n++] = (struct ask){
			        json_get_str(container, "name"), it->key, (size_t)count, is_init(spec, container)};
	}
	return n;
}

/* Pods that went while we were away. */
static void drop_strangers(struct device_room *d)
{
	bool again = node_is_server_known(d->n);
	while (again) {
		again = false;
		for (size_t i = 0; i < d->ledger.grants_count && !again; i++) {
			const char *uid = d->ledger.grants[i]->uid;
			if (!node_pod(d->n, slice_of(uid)) && !claim_of(d, uid)) {
				CLEANUP(cleanup_free) char *copy = xstrdup(uid);
				again = device_ledger_give_back(&d->ledger, copy);
			}
		}
	}
}

static struct slice copy_of(struct arena *a, struct slice s)
{
	return (struct slice){arena_memdup(a, s.ptr, s.len), s.len};
}

/* Outlives the pod's tree: its texts are its own. */
static struct claim *claim_new(struct device_room *d, const struct pod *p, const struct json *container, uint64_t nodes)
{
	struct claim *c = xcalloc(1, sizeof *c);
	c->d = d;
	c->nodes = nodes;
	c->uid = arena_strdup(&c->arena, p->uid);
	c->count = collect_asks(d, p->spec, container, &c->arena, &c->asks);
	for (size_t i = 0; i < c->count; i++) {
		c->asks[i].container = copy_of(&c->arena, c->asks[i].container);
		c->asks[i].resource = copy_of(&c->arena, c->asks[i].resource);
	}
	list_push_back(&d->claims, &c->link);
	return c;
}

static bool has_all(const struct device_room *d, const struct pod *p, const struct ask *asks, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct device_grant *g =
		        device_ledger_of(&d->ledger, p->uid, asks[i].container, asks[i].resource);
		if (!g || !g->is_answered || g->ids_count != asks[i].count)
			return false;
	}
	return true;
}

static enum claim_answer answer_of(struct claim *c, struct err *err)
{
	DCHECK(c->next <= c->count);
	if (!c->is_over)
		return CLAIM_PENDING;
	*err = c->err;
	claim_free(c);
	return err->code ? CLAIM_REFUSED : CLAIM_TAKEN;
}

enum claim_answer device_claim_take(
        struct device_room *d, struct pod *p, const struct json *container, uint64_t nodes, struct err *err)
{
	LOOP_CHECK_OWNER(d->n->loop);
	struct claim *c = claim_of(d, p->uid);
	if (c)
		return answer_of(c, err);
	struct arena a = ARENA_INIT;
	struct ask *asks;
	size_t count = collect_asks(d, p->spec, container, &a, &asks);
	bool is_done = has_all(d, p, asks, count);
	arena_release(&a);
	if (is_done)
		return CLAIM_TAKEN;
	drop_strangers(d);
	c = claim_new(d, p, container, nodes);
	claim_next(c);
	return answer_of(c, err);
}

void device_claim_wish(const struct device_room *d, const struct pod *p, const struct json *container,
        uint64_t all_nodes, struct numa_wishes *w)
{
	struct ask *asks;
	size_t count = collect_asks(d, p->spec, container, w->arena, &asks);
	for (size_t i = 0; i < count; i++)
		device_ledger_wish(&d->ledger, p->uid, asks[i].resource, asks[i].count, all_nodes, w);
}

/* What the containers ask for together, or one of the init containers more. */
void device_claim_wish_all(const struct device_room *d, const struct pod *p, uint64_t all_nodes, struct numa_wishes *w)
{
	struct resource_list limits = resource_list_of_pod(w->arena, p->spec, "limits");
	for (size_t i = 0; i < limits.n; i++) {
		int64_t count = quantity_value(&limits.list[i].q);
		if (count > 0 && count <= NODE_PLUGIN_DEVICES_MAX &&
		        device_ledger_resource(&d->ledger, limits.list[i].name))
			device_ledger_wish(&d->ledger, p->uid, limits.list[i].name, (size_t)count, all_nodes, w);
	}
}

void device_claims_free(struct device_room *d)
{
	struct list_link *it;
	while ((it = list_pop_front(&d->claims)))
		claim_free(CONTAINER_OF(it, struct claim, link));
}
