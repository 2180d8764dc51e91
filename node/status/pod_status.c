/* The status of a pod: phase, conditions, container statuses, addresses, in upstream's shapes, computed from the spec
 * and what the runtime told, and written with a merge patch when the text differs from what was written last. One write
 * is open at a time; what changed meanwhile is written after it. Times of conditions are kept from the object the API
 * server has, so that a restart of ours changes nothing. */
#include "node/status/pod_status.h"

#include "base/log.h"
#include "node/cgroup/resources.h"
#include "node/ground/api_call.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_record.h"
#include "node/ground/times.h"
#include "node/probe/probe.h"
#include "node/runtime/view.h"
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

static struct json *waiting(struct arena *a, const char *reason, const char *message)
{
	struct json *state = json_new(a, JSON_OBJECT), *w = json_need(a, state, "waiting", JSON_OBJECT);
	if (message && *message)
		json_set_cstr(a, w, "message", message);
	json_set_cstr(a, w, "reason", reason);
	return state;
}

static struct json *running(struct arena *a, const struct container *c)
{
	struct json *state = json_new(a, JSON_OBJECT), *r = json_need(a, state, "running", JSON_OBJECT);
	set_time(a, r, "startedAt", c->started_ns);
	return state;
}

static bool inits_are_done(const struct pod *p)
{
	for (size_t i = 0; i < p->slots_count; i++) {
		const struct slot *s = &p->slots[i];
		struct container *c = pod_container(p, s->name);
		if (s->kind == SLOT_INIT && !(c && c->is_known && c->state == CONTAINER_EXITED && c->exit_code == 0))
			return false;
		if (s->kind == SLOT_SIDECAR && !container_is_started(c) && p->state == POD_RUNNING)
			return false;
	}
	return true;
}

static bool mains_were_made(const struct pod *p)
{
	for (size_t i = 0; i < p->slots_count; i++)
		if (p->slots[i].kind == SLOT_MAIN && pod_container(p, p->slots[i].name))
			return true;
	return false;
}

static bool is_initialized(const struct pod *p)
{
	return mains_were_made(p) || inits_are_done(p);
}

/* The last words about a container that the API server has, for the time when the runtime's records are gone. */
static struct json *old_status(const struct pod *p, const char *name)
{
	static const char *const lists[] = {"containerStatuses", "initContainerStatuses"};
	for (size_t i = 0; i < 2; i++)
		JSON_FOREACH (it, json_path(p->object, "status", lists[i], NULL))
			if (slice_is(json_get_str(it, "name"), name))
				return it;
	return NULL;
}

static struct json *state_of(struct pod *p, struct arena *a, const struct slot *s, const struct container *c)
{
	bool starting = p->slots_count > 1 && s->kind == SLOT_MAIN && !is_initialized(p);
	if (c && c->state == CONTAINER_RUNNING)
		return running(a, c);
	if (s->waiting_reason && p->state == POD_RUNNING)
		return waiting(a, s->waiting_reason, s->waiting_message);
	if (c && c->state == CONTAINER_EXITED && c->is_known)
		return terminated(a, c);
	struct json *before = json_path(old_status(p, s->name), "state", NULL);
	if (!c && p->state != POD_RUNNING && json_get(before, "terminated"))
		return json_copy(a, before);
	return waiting(a, starting ? "PodInitializing" : "ContainerCreating", NULL);
}

static struct json *container_status(struct pod *p, struct arena *a, const struct slot *s)
{
	struct container *c = pod_container(p, s->name), *before = pod_container_before(p, s->name);
	struct json *o = json_new(a, JSON_OBJECT), *state = state_of(p, a, s, c), *last;
	bool is_waiting = json_get(state, "waiting");
	struct json *old = old_status(p, s->name);
	if (is_waiting && c && c->state == CONTAINER_EXITED && c->is_known)
		last = terminated(a, c);
	else if (before && before->state == CONTAINER_EXITED && before->is_known)
		last = terminated(a, before);
	else if (!c && old)
		last = json_get(old, "lastState") ? json_copy(a, json_get(old, "lastState")) : json_new(a, JSON_OBJECT);
	else
		last = json_new(a, JSON_OBJECT);
	if (c)
		json_set_str(a, o, "containerID", slice_of(arena_printf(a, "containerd://%s", c->id)));
	else if (json_get_str(old, "containerID").len)
		json_set_str(a, o, "containerID", json_get_str(old, "containerID"));
	json_set_str(a, o, "image", json_get_str(pod_container_spec(p, s->name), "image"));
	json_set_cstr(a, o, "imageID", c && c->image_ref ? c->image_ref : json_cstr(a, json_get(old, "imageID")));
	json_set(a, o, "lastState", last);
	json_set_cstr(a, o, "name", s->name);
	bool init_ok = s->kind == SLOT_INIT && c && c->state == CONTAINER_EXITED && c->exit_code == 0;
	json_set_bool(
	        a, o, "ready", s->kind == SLOT_INIT ? init_ok : p->state <= POD_STOPPING && container_is_ready(c));
	json_set_int(a, o, "restartCount", c ? c->attempt : json_get_int(old, "restartCount", 0));
	json_set_bool(a, o, "started", container_is_started(c));
	json_set(a, o, "state", state);
	return o;
}

/* ---- phase ---- */

const char *pod_phase(const struct pod *p)
{
	bool any_failed = false, any_waiting = false, any_running = false, all_done = true;
	const char *policy = pod_restart_policy(p);
	if (p->end_reason && p->state != POD_RUNNING)
		return "Failed";
	for (size_t i = 0; i < p->slots_count; i++) {
		const struct slot *s = &p->slots[i];
		struct container *c = pod_container(p, s->name);
		bool ended = c && c->state == CONTAINER_EXITED && c->is_known;
		if (s->kind == SLOT_INIT && ended && c->exit_code != 0 && strcmp(policy, "Never") == 0)
			return "Failed";
		if (s->kind != SLOT_MAIN)
			continue;
		if (!c)
			any_waiting = true;
		bool restarts = strcmp(policy, "Always") == 0 ||
		                (strcmp(policy, "OnFailure") == 0 && ended && c->exit_code != 0);
		if (c && (!ended || (restarts && p->state == POD_RUNNING)))
			any_running = true;
		if (!ended || (restarts && p->state == POD_RUNNING))
			all_done = false;
		if (ended && c->exit_code != 0)
			any_failed = true;
	}
	struct slice old = json_str(json_path(p->object, "status", "phase", NULL));
	if (any_waiting && p->state != POD_RUNNING) /* records are gone, or it was ended before it began */
		return slice_is(old, "Succeeded")                            ? "Succeeded"
		       : slice_is(old, "Running") || slice_is(old, "Failed") ? "Failed"
		                                                             : "Pending";
	if (any_waiting || (!is_initialized(p) && !any_running))
		return "Pending";
	return all_done ? (any_failed ? "Failed" : "Succeeded") : "Running";
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

static const char *names_where(struct pod *p, struct arena *a, bool init, const char *what)
{
	struct strbuf b = STRBUF_INIT;
	for (size_t i = 0; i < p->slots_count; i++) {
		const struct slot *s = &p->slots[i];
		struct container *c = pod_container(p, s->name);
		bool ok = s->kind == SLOT_MAIN      ? container_is_ready(c)
		          : s->kind == SLOT_SIDECAR ? container_is_started(c)
		                                    : c && c->state == CONTAINER_EXITED && c->exit_code == 0;
		if ((s->kind != SLOT_MAIN) == init && !ok)
			strbuf_addf(&b, "%s%s", b.len ? " " : "", s->name);
	}
	const char *text = arena_printf(a, "containers with %s: [%s]", what, strbuf_cstr(&b));
	strbuf_release(&b);
	return text;
}

static bool all_ready(const struct pod *p)
{
	for (size_t i = 0; i < p->slots_count; i++) {
		const struct slot *s = &p->slots[i];
		if (s->kind != SLOT_INIT && !container_is_ready(pod_container(p, s->name)))
			return false;
	}
	return true;
}

static bool gates_are_open(const struct pod *p, struct arena *a)
{
	JSON_FOREACH (it, json_get(p->spec, "readinessGates"))
		if (!slice_is(json_get_str(old_condition(p, json_cstr(a, json_get(it, "conditionType"))), "status"),
		            "True"))
			return false;
	return true;
}

static void add_conditions(struct pod *p, struct arena *a, struct json *status, const char *phase)
{
	static const char *const ours[] = {
	        "PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"};
	struct json *list = json_need(a, status, "conditions", JSON_ARRAY);
	struct sandbox *box = pod_sandbox(p);
	bool done = strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0,
	     initialized = is_initialized(p) || strcmp(phase, "Succeeded") == 0;
	bool ready = !done && initialized && all_ready(p) && p->state <= POD_STOPPING;
	const char *reason = strcmp(phase, "Succeeded") == 0 ? "PodCompleted"
	                     : done                          ? "PodFailed"
	                                                     : "ContainersNotReady";
	const char *message = done ? NULL : names_where(p, a, false, "unready status");
	bool open = gates_are_open(p, a);
	add_condition(p, a, list, ours[0], box && box->is_ready, NULL, NULL);
	add_condition(p, a, list, ours[1], initialized, "ContainersNotInitialized",
	        names_where(p, a, true, "incomplete status"));
	add_condition(p, a, list, ours[2], ready && open, !ready ? reason : "ReadinessGatesNotReady",
	        !ready ? message : "a readiness gate is not open");
	add_condition(p, a, list, ours[3], ready, reason, message);
	add_condition(p, a, list, ours[4], true, NULL, NULL);
	JSON_FOREACH (it, json_path(p->object, "status", "conditions", NULL)) {
		bool is_ours = false;
		for (size_t i = 0; i < COUNT_OF(ours); i++)
			is_ours = is_ours || slice_is(json_get_str(it, "type"), ours[i]);
		if (!is_ours)
			json_append(list, json_copy(a, it));
	}
	p->ready_reported = ready;
}

/* ---- the whole ---- */

static void add_address(struct arena *a, struct json *status, const char *single, const char *list, const char *ip)
{
	struct json *o = json_new(a, JSON_OBJECT);
	if (!*ip)
		return;
	json_set_cstr(a, status, single, ip);
	json_set_cstr(a, o, "ip", ip);
	json_append(json_need(a, status, list, JSON_ARRAY), o);
}

struct json *pod_status_build(struct pod *p, struct arena *a)
{
	static const char *const qos[] = {"Guaranteed", "Burstable", "BestEffort"};
	struct json *s = json_new(a, JSON_OBJECT);
	const char *phase = pod_phase(p), *ip = pod_ip(p);
	json_set_cstr(a, s, "phase", phase);
	add_conditions(p, a, s, phase);
	if (p->end_reason) {
		json_set_cstr(a, s, "reason", p->end_reason);
		json_set_cstr(a, s, "message", p->end_message);
	}
	add_address(a, s, "hostIP", "hostIPs", p->n->o.node_ip);
	add_address(a, s, "podIP", "podIPs", *ip ? ip : json_cstr(a, json_path(p->object, "status", "podIP", NULL)));
	set_time(a, s, "startTime", p->start_ns);
	json_set_cstr(a, s, "qosClass", qos[pod_qos(p->spec)]);
	for (size_t i = 0; i < p->slots_count; i++) {
		const char *list = p->slots[i].kind == SLOT_MAIN ? "containerStatuses" : "initContainerStatuses";
		json_append(json_need(a, s, list, JSON_ARRAY), container_status(p, a, &p->slots[i]));
	}
	return s;
}

static void written(void *arg, int status, struct slice body, const struct err *err)
{
	struct pod *p = arg;
	p->status_busy = false;
	if (err && err->code != ERR_CANCELED) {
		strbuf_reset(&p->status_text); /* so that the next look writes it again */
		if (err->code != ERR_NOT_FOUND && err->code != ERR_CONFLICT) {
			log_warn("node", "cannot write a pod's status", "pod=%s/%s error=\"%s\"", p->ns, p->name,
			        err->msg);
			p->status_stale = false;
			pod_wake(p, 2000);
		}
	}
	if (p->status_stale)
		pod_status_update(p);
	pod_tick(p);
}

static void send_status(struct pod *p)
{
	struct strbuf b = STRBUF_INIT;
	strbuf_addf(&b, "{\"metadata\":{\"uid\":\"%s\"},\"status\":%s}", p->is_static ? p->mirror_uid : p->uid,
	        strbuf_cstr(&p->status_text));
	p->status_busy = true;
	api_send(p->n, "PATCH", API_MERGE_PATCH, strbuf_slice(&b), written, p, "/api/v1/namespaces/%s/pods/%s/status",
	        p->ns, p->name);
	strbuf_release(&b);
}

void pod_status_update(struct pod *p)
{
	struct arena a = ARENA_INIT;
	struct strbuf text = STRBUF_INIT;
	struct node *n = p->n;
	if (n->closing || !p->object || !p->in_api || p->state >= POD_CLEANING || (p->is_static && !p->mirror_uid) ||
	        view_generation(n) == 0 ||
	        (p->need_generation && list_empty(&p->sandboxes) && !p->status_text.len &&
	                view_generation(n) < p->need_generation))
		return;
	if (p->status_busy) {
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
