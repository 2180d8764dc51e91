/* The status of a pod: phase, conditions, container statuses, addresses, in upstream's shapes, computed from the spec
 * and what the runtime told, and written with a merge patch when the text differs from what was written last. One write
 * is open at a time; what changed meanwhile is written after it. Times of conditions are kept from the object the API
 * server has, so that a restart of ours changes nothing. */
#include "node/status/pod_status.h"

#include "base/check.h"
#include "base/log.h"
#include "node/allocation/allocation.h"
#include "node/cgroup/resources.h"
#include "node/ground/api_call.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_record.h"
#include "node/ground/times.h"
#include "node/probe/probe.h"
#include "node/runtime/view.h"
#include "node/status/pod_picture_int.h"
#include "node/worker/operation.h"
#include "node/worker/pod_worker.h"

#include <stdlib.h>

/* ---- containers ---- */

static void set_time(struct arena *a, struct json *o, const char *key, int64_t ns)
{
	char t[TIME_TEXT_MAX];
	if (ns > 0)
		json_set_cstr(a, o, key, time_text(ns, t));
	else
		json_set(a, o, key, json_new(a, JSON_NULL));
}

static struct json *terminated(struct arena *a, const struct container *c)
{
	struct json *state = json_new(a, JSON_OBJECT), *t = json_need(a, state, "terminated", JSON_OBJECT);
	const char *reason = c->reason && *c->reason ? c->reason : c->exit_code == 0 ? "Completed" : "Error";
	json_set_str(a, t, "containerID", slice_of(arena_printf(a, "containerd://%s", c->id)));
	json_set_int(a, t, "exitCode", c->exit_code);
	set_time(a, t, "finishedAt", c->finished_ns);
	if (c->message && *c->message)
		json_set_cstr(a, t, "message", c->message);
	json_set_cstr(a, t, "reason", reason);
	set_time(a, t, "startedAt", c->started_ns > 0 ? c->started_ns : c->finished_ns);
	return state;
}

/* Nobody saw its end. */
static struct json *lost(struct arena *a, const struct picture_end *e)
{
	struct json *state = json_new(a, JSON_OBJECT), *t = json_need(a, state, "terminated", JSON_OBJECT);
	json_set_int(a, t, "exitCode", picture_exit_code(e));
	set_time(a, t, "finishedAt", 0);
	json_set_cstr(a, t, "message", "The container could not be located when the pod was terminated");
	json_set_cstr(a, t, "reason", "ContainerStatusUnknown");
	set_time(a, t, "startedAt", 0);
	return state;
}

static struct json *end_of(struct arena *a, const struct picture_end *e)
{
	return e->record ? terminated(a, e->record) : e->carried ? json_copy(a, e->carried) : lost(a, e);
}

static struct json *waiting(struct arena *a, const char *reason, const char *message)
{
	struct json *state = json_new(a, JSON_OBJECT), *w = json_need(a, state, "waiting", JSON_OBJECT);
	if (message && *message)
		json_set_cstr(a, w, "message", message);
	json_set_cstr(a, w, "reason", reason);
	return state;
}

static struct json *state_of(struct arena *a, const struct container_picture *c)
{
	CHECK(c->state != PICTURE_RUNNING || c->record || c->carried);
	if (c->carried)
		return json_copy(a, c->carried);
	if (c->state == PICTURE_WAITING)
		return waiting(a, c->reason, c->message);
	if (c->state == PICTURE_TERMINATED)
		return end_of(a, &c->end);
	struct json *state = json_new(a, JSON_OBJECT), *r = json_need(a, state, "running", JSON_OBJECT);
	set_time(a, r, "startedAt", c->record->started_ns);
	return state;
}

/* What runs may be of the image before this one, until it is replaced. */
static struct slice image_of(struct pod *p, const struct container_picture *c, const struct json *old)
{
	const struct json *spec = pod_container_spec(p, c->slot->name);
	bool is_of_before = c->record && !pod_container_is_current(p, c->record);
	return is_of_before && json_get_str(old, "image").len ? json_get_str(old, "image")
	                                                      : json_get_str(spec, "image");
}

/* What became of the mounts: those that are read-only are not so to the bottom, as the runtime cannot. */
static void add_mounts(struct pod *p, struct arena *a, const char *container, struct json *status)
{
	JSON_FOREACH (it, json_get(pod_container_spec(p, container), "volumeMounts")) {
		struct json *o = json_new(a, JSON_OBJECT);
		json_set_str(a, o, "mountPath", json_get_str(it, "mountPath"));
		json_set_str(a, o, "name", json_get_str(it, "name"));
		if (json_get_bool(it, "readOnly", false)) {
			json_set_bool(a, o, "readOnly", true);
			json_set_cstr(a, o, "recursiveReadOnly", "Disabled");
		}
		json_append(json_need(a, status, "volumeMounts", JSON_ARRAY), o);
	}
}

/* What it was given, and what of that the runtime was told. */
static void add_resources(struct pod *p, struct arena *a, const struct container_picture *c, struct json *status)
{
	const struct json *given = json_get(pod_container_spec(p, c->slot->name), "resources");
	struct json *told =
	        c->state == PICTURE_RUNNING ? allocation_last_told(p->n->allocations, p, c->slot->name, a) : NULL;
	if (!p->n->allocations || c->slot->kind == SLOT_EPHEMERAL)
		return;
	if (json_get(given, "requests"))
		json_set(a, status, "allocatedResources", json_copy(a, json_get(given, "requests")));
	json_set(a, status, "resources", told ? told : given ? json_copy(a, given) : json_new(a, JSON_OBJECT));
}

static struct json *container_status(struct pod *p, struct arena *a, const struct container_picture *c)
{
	struct json *o = json_new(a, JSON_OBJECT);
	const struct json *old = pod_old_status(p, c->slot->name);
	const struct container *r = c->record;
	if (r)
		json_set_str(a, o, "containerID", slice_of(arena_printf(a, "containerd://%s", r->id)));
	else if (json_get_str(old, "containerID").len)
		json_set_str(a, o, "containerID", json_get_str(old, "containerID"));
	json_set_str(a, o, "image", image_of(p, c, old));
	json_set_cstr(a, o, "imageID", r && r->image_ref ? r->image_ref : json_cstr(a, json_get(old, "imageID")));
	json_set(a, o, "lastState", c->last.is_there ? end_of(a, &c->last) : json_new(a, JSON_OBJECT));
	json_set_cstr(a, o, "name", c->slot->name);
	json_set_bool(a, o, "ready", c->is_ready);
	json_set_int(a, o, "restartCount", c->restarts);
	if (c->slot->kind != SLOT_EPHEMERAL)
		json_set_bool(a, o, "started", c->is_started);
	json_set(a, o, "state", state_of(a, c));
	add_mounts(p, a, c->slot->name, o);
	add_resources(p, a, c, o);
	return o;
}

/* ---- conditions ---- */

static struct json *old_condition(const struct pod *p, const char *type)
{
	JSON_FOREACH (it, json_path(p->object, "status", "conditions", NULL))
		if (slice_is(json_get_str(it, "type"), type))
			return it;
	return NULL;
}

static void add_condition(struct pod *p, struct arena *a, struct json *list, const char *type, bool is_true,
        const char *reason, const char *message)
{
	struct json *o = json_new(a, JSON_OBJECT), *old = old_condition(p, type);
	char t[TIME_TEXT_MAX];
	const char *status = is_true ? "True" : "False";
	json_set(a, o, "lastProbeTime", json_new(a, JSON_NULL));
	if (old && slice_is(json_get_str(old, "status"), status) && json_get_str(old, "lastTransitionTime").len)
		json_set_str(a, o, "lastTransitionTime", json_get_str(old, "lastTransitionTime"));
	else
		json_set_cstr(a, o, "lastTransitionTime", time_text(time_now_ns(), t));
	if (!is_true && message)
		json_set_cstr(a, o, "message", message);
	if (!is_true && reason)
		json_set_cstr(a, o, "reason", reason);
	json_set_cstr(a, o, "status", status);
	json_set_cstr(a, o, "type", type);
	json_append(list, o);
}

static const char *names_of_incomplete(const struct pod_picture *pic, struct arena *a, bool inits, const char *what)
{
	struct strbuf b = STRBUF_INIT;
	for (size_t i = 0; i < pic->count; i++) {
		const struct container_picture *c = &pic->containers[i];
		bool counts = c->slot->kind == SLOT_SIDECAR || c->slot->kind == (inits ? SLOT_INIT : SLOT_MAIN);
		if (counts && !(inits ? picture_is_complete(c) : c->is_ready))
			strbuf_addf(&b, "%s%s", b.len ? " " : "", c->slot->name);
	}
	const char *text = arena_printf(a, "containers with %s: [%s]", what, strbuf_cstr(&b));
	strbuf_release(&b);
	return text;
}

/* NULL: all of them are. Upstream's words for those that are not. */
static const char *closed_gates(const struct pod *p, struct arena *a)
{
	const char *text = NULL;
	JSON_FOREACH (it, json_get(p->spec, "readinessGates")) {
		const char *type = json_cstr(a, json_get(it, "conditionType")), *why;
		const struct json *c = old_condition(p, type);
		struct slice status = json_get_str(c, "status");
		if (slice_is(status, "True"))
			continue;
		why = c ? arena_printf(a, "the status of pod readiness gate \"%s\" is not \"True\", but %.*s", type,
		                  SLICE_FMT(status))
		        : arena_printf(a, "corresponding condition of pod readiness gate \"%s\" does not exist.", type);
		text = text ? arena_printf(a, "%s, %s", text, why) : why;
	}
	return text;
}

static void add_conditions(struct pod *p, struct arena *a, struct json *status, const struct pod_picture *pic)
{
	static const char *const ours[] = {
	        "PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"};
	struct json *list = json_need(a, status, "conditions", JSON_ARRAY);
	bool done = picture_is_over(pic), ready = pic->containers_ready;
	const char *reason = strcmp(pic->phase, "Succeeded") == 0 ? "PodCompleted"
	                     : done                               ? "PodFailed"
	                                                          : "ContainersNotReady";
	const char *message = done ? NULL : names_of_incomplete(pic, a, false, "unready status");
	const char *closed = closed_gates(p, a);
	add_condition(p, a, list, ours[0], pic->sandbox_ready, NULL, NULL);
	add_condition(p, a, list, ours[1], pic->is_initialized, "ContainersNotInitialized",
	        names_of_incomplete(pic, a, true, "incomplete status"));
	add_condition(p, a, list, ours[2], ready && !closed, !ready ? reason : "ReadinessGatesNotReady",
	        !ready ? message : closed);
	add_condition(p, a, list, ours[3], ready, reason, message);
	add_condition(p, a, list, ours[4], true, NULL, NULL);
	JSON_FOREACH (it, json_path(p->object, "status", "conditions", NULL)) {
		bool is_ours = false;
		for (size_t i = 0; i < COUNT_OF(ours); i++)
			is_ours = is_ours || slice_is(json_get_str(it, "type"), ours[i]);
		if (!is_ours)
			json_append(list, json_copy(a, it));
	}
}

/* For controllers that count what was no fault of the pod's program. */
static void add_disruption(struct pod *p, struct arena *a, struct json *status)
{
	if (!p->is_evicted || old_condition(p, "DisruptionTarget"))
		return;
	struct json *list = json_need(a, status, "conditions", JSON_ARRAY);
	add_condition(p, a, list, "DisruptionTarget", true, NULL, NULL);
	json_set_cstr(a, list->last, "reason", "TerminationByKubelet");
	json_set_cstr(a, list->last, "message",
	        strcmp(p->end_reason, "Preempting") == 0 ? "Pod was preempted by Kubelet to accommodate a critical pod."
	                                                 : p->end_message);
}

/* ---- the whole ---- */

static void add_addresses(
        struct arena *a, struct json *status, const char *single, const char *list, const char *const ips[2], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct json *o = json_new(a, JSON_OBJECT);
		if (i == 0)
			json_set_cstr(a, status, single, ips[0]);
		json_set_cstr(a, o, "ip", ips[i]);
		json_append(json_need(a, status, list, JSON_ARRAY), o);
	}
}

/* Of a pod whose sandbox is gone, or not looked at yet, those that it was said to have. */
static void add_all_addresses(struct pod *p, struct arena *a, struct json *status)
{
	const char *ips[2];
	add_addresses(a, status, "hostIP", "hostIPs", ips, pod_host_ips(p, ips));
	size_t n = pod_ips(p, ips);
	if (!n)
		JSON_FOREACH (it, json_path(p->object, "status", "podIPs", NULL))
			if (n < 2)
				ips[n++] = json_cstr(a, json_get(it, "ip"));
	add_addresses(a, status, "podIP", "podIPs", ips, n);
}

struct json *pod_status_build(struct pod *p, struct arena *a)
{
	LOOP_CHECK_OWNER(p->n->loop);
	CHECK(p->object);
	static const char *const qos[] = {"Guaranteed", "Burstable", "BestEffort"};
	struct json *s = json_new(a, JSON_OBJECT);
	struct pod_picture pic = pod_picture_take(p, a);
	json_set_cstr(a, s, "phase", pic.phase);
	if (p->is_refused) {
		json_set_cstr(a, s, "reason", p->end_reason);
		json_set_cstr(a, s, "message", p->end_message);
		set_time(a, s, "startTime", p->start_ns);
		return s;
	}
	if (p->n->allocations)
		json_set(a, s, "resize", p->resize ? json_new_cstr(a, p->resize) : json_new(a, JSON_NULL));
	add_conditions(p, a, s, &pic);
	add_disruption(p, a, s);
	if (p->end_reason) {
		json_set_cstr(a, s, "reason", p->end_reason);
		json_set_cstr(a, s, "message", p->end_message);
	}
	add_all_addresses(p, a, s);
	set_time(a, s, "startTime", p->start_ns);
	json_set_cstr(a, s, "qosClass", qos[pod_qos(p->spec)]);
	for (size_t i = 0; i < pic.count; i++) {
		const struct container_picture *c = &pic.containers[i];
		const char *list = c->slot->kind == SLOT_MAIN        ? "containerStatuses"
		                   : c->slot->kind == SLOT_EPHEMERAL ? "ephemeralContainerStatuses"
		                                                     : "initContainerStatuses";
		json_append(json_need(a, s, list, JSON_ARRAY), container_status(p, a, c));
	}
	return s;
}

static void written(void *arg, int status, struct slice body, const struct err *err)
{
	CHECK(((struct pod *)arg)->status_busy);
	LOOP_CHECK_OWNER(((struct pod *)arg)->n->loop);
	static const struct retry_rule rule = {2000, 60000};
	struct pod *p = arg;
	uint64_t now = loop_now_ms(p->n->loop);
	p->status_busy = false;
	if (!err)
		retry_succeeded(&p->status_write);
	else if (err->code != ERR_CANCELED) {
		strbuf_reset(&p->status_text);
		p->status_stale = true; /* the next tick writes it again */
		/* Gone, or another pod of its name: the informer will tell. */
		bool is_told = err->code == ERR_NOT_FOUND || err->code == ERR_CONFLICT;
		if (retry_failed(&p->status_write, &rule, now) && !is_told)
			log_warn("node", "cannot write a pod's status", "pod=%s/%s failures=%u error=\"%s\"", p->ns,
			        p->name, p->status_write.failures, err->msg);
		pod_wake(p, retry_wait_ms(&p->status_write, now));
	}
	if (p->status_stale)
		pod_status_update(p);
	pod_tick(p);
}

static void send_status(struct pod *p)
{
	CHECK(!p->status_busy && p->in_api && pod_state(p) < POD_CLEANING);
	struct strbuf b = STRBUF_INIT;
	strbuf_addf(&b, "{\"metadata\":{\"uid\":\"%s\"},\"status\":%s}", p->is_static ? p->mirror_uid : p->uid,
	        strbuf_cstr(&p->status_text));
	p->status_busy = true;
	api_send(p->n, "PATCH", API_MERGE_PATCH, strbuf_slice(&b), written, p, "/api/v1/namespaces/%s/pods/%s/status",
	        p->ns, p->name);
	strbuf_release(&b);
}

/* Nothing may be said before the runtime was looked at for this pod. */
static bool is_seen(const struct pod *p)
{
	uint64_t seen = view_generation(p->n);
	bool is_new = p->need_generation && list_empty(&p->sandboxes) && !p->status_text.len;
	return seen && !(is_new && seen < p->need_generation);
}

void pod_status_update(struct pod *p)
{
	struct arena a = ARENA_INIT;
	struct strbuf text = STRBUF_INIT;
	struct node *n = p->n;
	LOOP_CHECK_OWNER(n->loop);
	if (n->closing || !p->object || !p->in_api || pod_state(p) >= POD_CLEANING ||
	        (p->is_static && !p->mirror_uid) || !is_seen(p))
		return;
	if (p->status_busy || retry_wait_ms(&p->status_write, loop_now_ms(n->loop))) {
		p->status_stale = true;
		return;
	}
	p->status_stale = false;
	json_write(&text, pod_status_build(p, &a));
	if (!slice_eq(strbuf_slice(&text), strbuf_slice(&p->status_text))) {
		strbuf_reset(&p->status_text);
		strbuf_add_slice(&p->status_text, strbuf_slice(&text));
		send_status(p);
	}
	strbuf_release(&text);
	arena_release(&a);
}
