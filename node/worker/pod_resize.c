/* See pod_resize_int.h. A wish is granted when the pod would be let in with it; when the node could never do it, it is
 * infeasible, else deferred until a place is free. What was granted is written down (allocation/) before anybody is
 * told. Then, container by container: the pod's group is raised, the container is told, or ended to be started again if
 * its policy says so; when all have it, the pod's group is set to the sum, which may be less. Upstream:
 * pkg/kubelet/kubelet.go (handlePodResourcesResize), kuberuntime_manager.go (doPodResizeAction).
 *
 * What can go wrong: the runtime does not take it, memory below what is in use for one: it is told by an event, and
 * tried again after a growing pause; the status says InProgress meanwhile. */
#include "node/worker/pod_resize_int.h"

#include "api/machinery/codec/quantity.h"
#include "base/check.h"
#include "base/log.h"
#include "node/allocation/allocation.h"
#include "node/cgroup/cgroup.h"
#include "node/events/events.h"
#include "node/ground/errand.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_record.h"
#include "node/worker/operation.h"
#include "node/worker/pod_kill_int.h"
#include "node/worker/pod_limits_int.h"
#include "node/worker/pod_place_int.h"

#include <stdlib.h>

enum { CALL_MS = 60000 };

/* ---- rules ---- */

static bool is_same(const struct json *x, const struct json *y, const char *part, const char *name)
{
	const struct json *a = json_path(x, part, name, NULL), *b = json_path(y, part, name, NULL);
	return !a == !b && quantity_json_milli(a) == quantity_json_milli(b);
}

enum resize_way resize_way_of(const struct json *container, const struct json *told)
{
	static const char *const names[] = {"cpu", "memory"};
	const struct json *now = json_get(container, "resources");
	enum resize_way way = RESIZE_NOTHING;
	for (size_t i = 0; told && i < COUNT_OF(names); i++) {
		bool restarts = false;
		if (is_same(now, told, "requests", names[i]) && is_same(now, told, "limits", names[i]))
			continue;
		JSON_FOREACH (it, json_get(container, "resizePolicy"))
			restarts = restarts || (slice_is(json_get_str(it, "resourceName"), names[i]) &&
			                               slice_is(json_get_str(it, "restartPolicy"), "RestartContainer"));
		way = restarts || way == RESIZE_BY_RESTART ? RESIZE_BY_RESTART : RESIZE_IN_PLACE;
	}
	return way;
}

/* ---- what is wished ---- */

static void grant_or_wait(struct pod *p)
{
	struct arena a = ARENA_INIT;
	struct json *spec = json_copy(&a, p->spec);
	JSON_FOREACH (c, json_get(spec, "containers")) {
		const struct json *wished = json_get_slice(p->wished, json_get_str(c, "name"));
		if (wished)
			json_set(&a, c, "resources", json_copy(&a, wished));
	}
	enum place_for_resize place = pod_place_for_resize(p, spec, &a);
	if (place == RESIZE_FITS) {
		log_info("node", "a pod is resized", "pod=%s/%s", p->ns, p->name);
		allocation_grant(p->n->allocations, p);
		p->group_is_old = true;
	} else {
		p->resize = place == RESIZE_INFEASIBLE ? "Infeasible" : "Deferred";
	}
	arena_release(&a);
}

/* ---- what is told ---- */

struct resize {
	struct errand errand;
	struct pod *pod;
	char *container; /* NULL: the pod's group alone */
};

static void over(struct resize *r)
{
	struct pod *p = r->pod;
	free(r->container);
	free(r);
	pod_end(p);
}

static void told(void *arg, const void *answer, const struct err *err)
{
	struct resize *r = arg;
	struct pod *p = r->pod;
	if (!err) {
		retry_succeeded(&p->bring_up);
		allocation_told(p->n->allocations, p, r->container);
	} else if (err->code != ERR_CANCELED) {
		pod_event(p, r->container, true, "FailedResize", "Error: %s", err->msg);
		if (pod_bring_up_failed(p))
			log_warn("node", "cannot resize a container", "pod=%s/%s container=%s error=\"%s\"", p->ns,
			        p->name, r->container, err->msg);
	}
	over(r);
}

static void raise_on_pool(struct errand *e)
{
	cgroup_raise(CONTAINER_OF(e, struct resize, errand)->pod);
}

static void raised(struct errand *e)
{
	struct resize *r = CONTAINER_OF(e, struct resize, errand);
	struct pod *p = r->pod;
	struct arena a = ARENA_INIT;
	const struct container *c = pod_container(p, r->container);
	CRI(UpdateContainerResourcesRequest) q = RUNTIME__V1__UPDATE_CONTAINER_RESOURCES_REQUEST__INIT;
	if (!c || p->n->closing || !p->n->cri) {
		over(r);
		return;
	}
	q.container_id = c->id;
	q.linux = pod_limits_of(p, pod_container_spec(p, r->container), &a);
	cri_call(p->n->cri, "RuntimeService/UpdateContainerResources", &q.base, &runtime__v1__empty__descriptor,
	        CALL_MS, told, r);
	arena_release(&a);
}

static void settle_on_pool(struct errand *e)
{
	struct resize *r = CONTAINER_OF(e, struct resize, errand);
	struct err err = ERR_INIT;
	cgroup_make(r->pod, &err); /* the group is there; a value that it does not take stays as it is */
}

static void settled(struct errand *e)
{
	struct resize *r = CONTAINER_OF(e, struct resize, errand);
	r->pod->group_is_old = false;
	pods_wake_waiting(r->pod->n);
	over(r);
}

static bool begin(struct pod *p, const char *container)
{
	struct resize *r = xcalloc(1, sizeof *r);
	r->pod = p;
	r->container = container ? xstrdup(container) : NULL;
	pod_begin(p);
	if (!errand_start(p->n, &r->errand, container ? raise_on_pool : settle_on_pool, container ? raised : settled)) {
		pod_bring_up_failed(p); /* too much is queued: again after a pause */
		over(r);
	}
	return true;
}

static bool restart(struct pod *p, struct slot *s, struct container *c)
{
	s->resized_after = c->attempt + 1;
	pod_event(p, s->name, false, "Killing", "Container %s resize requires restart", s->name);
	pod_stop_container(p, c, p->grace_s);
	return true;
}

/* True: an operation was begun. *ret_is_open: some container has not got what it was granted. */
static bool tell_one(struct pod *p, bool *ret_is_open)
{
	for (size_t i = 0; i < p->slots_count; i++) {
		struct slot *s = &p->slots[i];
		struct container *c = s->kind == SLOT_MAIN ? pod_container(p, s->name) : NULL;
		struct arena a = ARENA_INIT;
		enum resize_way way = RESIZE_NOTHING;
		if (c && c->state == CONTAINER_RUNNING)
			way = resize_way_of(pod_container_spec(p, s->name),
			        allocation_last_told(p->n->allocations, p, s->name, &a));
		arena_release(&a);
		*ret_is_open = *ret_is_open || way != RESIZE_NOTHING;
		if (way == RESIZE_NOTHING || c->is_stopping || retry_wait_ms(&p->bring_up, loop_now_ms(p->n->loop)))
			continue;
		return way == RESIZE_BY_RESTART ? restart(p, s, c) : begin(p, s->name);
	}
	return false;
}

bool pod_resize(struct pod *p)
{
	const char *before = p->resize;
	bool is_open = false;
	LOOP_CHECK_OWNER(p->n->loop);
	CHECK(p->n->allocations && p->is_admitted && !p->operations);
	p->resize = NULL;
	if (p->wished)
		grant_or_wait(p);
	bool has_begun = tell_one(p, &is_open);
	if (is_open && !p->wished)
		p->resize = "InProgress";
	if (!is_open && p->group_is_old && pod_sandbox(p) && pod_sandbox(p)->is_ready)
		has_begun = begin(p, NULL);
	if (is_open && !has_begun && retry_wait_ms(&p->bring_up, loop_now_ms(p->n->loop)))
		pod_wake(p, retry_wait_ms(&p->bring_up, loop_now_ms(p->n->loop)));
	if (before != p->resize || (before && p->resize && strcmp(before, p->resize) != 0))
		pod_status_changed(p);
	return has_begun;
}
