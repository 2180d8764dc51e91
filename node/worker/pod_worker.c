/* The pod worker: compares what a pod should be with what the runtime has, does the one next thing, looks again.
 *
 * pod_tick() is level-triggered: it keeps no plan between calls but the state (pod_record.h has the diagram) and what
 * the runtime told, so that a restart of ours is nothing special: a new worker sees the containers that run and goes
 * on. Operations are counted (pod_begin, pod_end); while one is open a tick does nothing, and after one it waits for a
 * look at the runtime that began later. Containers that are to end are stopped all at once, those that are to start one
 * by one.
 *
 * What can go wrong: anything an operation meets. It then leaves a waiting reason in its slot, or an error for the
 * whole pod, with a time before which it is not tried again; the status tells both. */
#include "node/worker/pod_worker.h"

#include "base/check.h"
#include "base/json/scan.h"
#include "base/log.h"
#include "node/cgroup/cgroup.h"
#include "node/events/events.h"
#include "node/ground/files.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_record.h"
#include "node/ground/refs.h"
#include "node/ground/times.h"
#include "node/probe/probe.h"
#include "node/runtime/view.h"
#include "node/volume/volume.h"
#include "node/worker/operation.h"
#include "node/worker/pod_config_int.h"
#include "node/worker/pod_kill_int.h"
#include "node/worker/pod_start_int.h"

#include <stdlib.h>

enum {
	BACKOFF_MIN_MS = 10000,
	BACKOFF_MAX_MS = 300000,
	BACKOFF_RESET_NS_S = 600,
	RETRY_MIN_MS = 1000,
	RETRY_MAX_MS = 30000,
	DEFAULT_GRACE_S = 30
};

/* ---- life ---- */

struct pod *pod_new(struct node *n, struct slice uid, struct slice ns, struct slice name)
{
	struct pod *p = xcalloc(1, sizeof *p);
	*p = (struct pod){.n = n,
	        .uid = xmemdup(uid.ptr, uid.len),
	        .ns = xmemdup(ns.ptr, ns.len),
	        .name = xmemdup(name.ptr, name.len),
	        .in_api = true,
	        .grace_s = DEFAULT_GRACE_S};
	arena_init(&p->arena);
	list_init(&p->sandboxes);
	list_init(&p->containers);
	uv_timer_init(loop_uv(n->loop), &p->timer);
	p->timer.data = p;
	p->tick = pod_tick;
	p->timer_open = true;
	map_put(&n->pods, (struct slice){p->uid, uid.len}, p);
	p->need_generation = view_look(n);
	return p;
}

static void timer_closed(uv_handle_t *h)
{
	struct pod *p = h->data;
	for (size_t i = 0; i < p->slots_count; i++) {
		free(p->slots[i].name);
		free(p->slots[i].waiting_message);
	}
	free(p->slots);
	rcbuf_unref(p->next_object);
	strbuf_release(&p->status_text);
	arena_release(&p->arena);
	free((char *)p->sandbox_error);
	free(p->mirror_uid);
	free(p->uid);
	free(p->ns);
	free(p->name);
	free(p);
}

void pod_free(struct pod *p)
{
	map_del(&p->n->pods, slice_of(p->uid));
	LIST_FOREACH (it, &p->containers) {
		struct container *c = CONTAINER_OF(it, struct container, in_pod);
		probes_stop(c);
		container_free(c);
	}
	LIST_FOREACH (it, &p->sandboxes)
		sandbox_free(CONTAINER_OF(it, struct sandbox, in_pod));
	refs_free(p->refs);
	volumes_free(p->volumes);
	uv_close((uv_handle_t *)&p->timer, timer_closed);
}

static void add_slots(struct pod *p, const struct json *list, bool is_init)
{
	JSON_FOREACH (it, list) {
		struct slice name = json_get_str(it, "name");
		p->slots = xrealloc(p->slots, (p->slots_count + 1) * sizeof *p->slots);
		p->slots[p->slots_count++] = (struct slot){.name = xmemdup(name.ptr, name.len),
		        .kind = !is_init                                                ? SLOT_MAIN
		                : slice_is(json_get_str(it, "restartPolicy"), "Always") ? SLOT_SIDECAR
		                                                                        : SLOT_INIT};
	}
}

static void take_object(struct pod *p)
{
	struct rcbuf *json = TAKE(p->next_object);
	arena_release(&p->arena);
	p->object = json_parse(&p->arena, (struct slice){json->data, json->len}, NULL, NULL);
	rcbuf_unref(json);
	p->spec = json_get(p->object, "spec");
	p->meta = json_get(p->object, "metadata");
	if (!p->slots_count) {
		add_slots(p, json_get(p->spec, "initContainers"), true);
		add_slots(p, json_get(p->spec, "containers"), false);
	}
	if (!p->start_ns)
		p->start_ns = time_parse(json_str(json_path(p->object, "status", "startTime", NULL)));
	if (!p->start_ns)
		p->start_ns = time_now_ns();
	p->is_deleting = p->is_deleting || json_get(p->meta, "deletionTimestamp");
	int64_t grace = json_get_int(p->meta, "deletionGracePeriodSeconds",
	        json_get_int(p->spec, "terminationGracePeriodSeconds", DEFAULT_GRACE_S));
	bool sooner = p->state == POD_STOPPING && grace < p->grace_s;
	p->grace_s = grace;
	if (sooner)
		LIST_FOREACH (it, &p->containers) {
			struct container *c = CONTAINER_OF(it, struct container, in_pod);
			if (c->is_stopping && c->state != CONTAINER_EXITED)
				pod_stop_container(p, c, grace);
		}
}

void pod_set_object(struct pod *p, struct rcbuf *json)
{
	rcbuf_unref(p->next_object);
	p->next_object = rcbuf_ref(json);
	bool first = !p->object;
	/* A stop under way must hear of a shorter grace. Nothing else that is open survives a change of the tree. */
	if (first || !p->operations || (p->state == POD_STOPPING && !p->start))
		take_object(p);
	else if (json_find((struct slice){json->data, json->len}, "metadata", "deletionTimestamp", NULL).len)
		pod_start_cancel(p);
	pod_status_changed(p);
	pod_tick(p);
}

void pod_set_vanished(struct pod *p)
{
	p->in_api = false;
	p->is_deleting = true;
	p->grace_s = p->object && p->state < POD_STOPPING ? p->grace_s : p->grace_s < DEFAULT_GRACE_S ? p->grace_s : 2;
	pod_start_cancel(p);
	pod_tick(p);
}

/* Nothing to do until its deletion, which needs no memory of it. */
void pod_set_ended(struct pod *p)
{
	p->state = POD_STOPPING;
}

void pod_container_gone(struct container *c)
{
	probes_stop(c);
}

static void changed(struct pod *p)
{
	pod_tick(p);
	pod_status_changed(p);
}

void pod_looked(struct pod *p, bool is_changed)
{
	if (is_changed)
		changed(p);
	else if (p->need_generation)
		pod_tick(p);
}

/* ---- probes ---- */

static void probe_failed(struct pod *p, struct container *c, int64_t grace_s)
{
	pod_stop_container(p, c, grace_s);
}

static const struct probe_callbacks probe_callbacks = {.changed = changed, .failed = probe_failed};

/* ---- a pod that should run ---- */

static bool should_restart(const struct pod *p, const struct slot *s, const struct container *c)
{
	const char *policy = pod_restart_policy(p);
	if (s->kind == SLOT_SIDECAR)
		return true;
	if (s->kind == SLOT_INIT)
		return c->exit_code != 0 && strcmp(policy, "Never") != 0;
	return strcmp(policy, "Always") == 0 || (strcmp(policy, "OnFailure") == 0 && c->exit_code != 0);
}

/* All mains have ended and none is to start again, or an init container failed for good. */
static bool is_done(const struct pod *p)
{
	bool any = false;
	for (size_t i = 0; i < p->slots_count; i++) {
		struct slot *s = &p->slots[i];
		struct container *c = pod_container(p, s->name);
		bool ended = c && c->is_known && c->state == CONTAINER_EXITED && !should_restart(p, s, c);
		if (s->kind == SLOT_INIT && ended && c->exit_code != 0)
			return true;
		if (s->kind != SLOT_MAIN)
			continue;
		if (!ended)
			return false;
		any = true;
	}
	return any;
}

static bool deadline_passed(struct pod *p)
{
	int64_t seconds = json_get_int(p->spec, "activeDeadlineSeconds", 0);
	if (seconds <= 0 || !p->start_ns)
		return false;
	int64_t left_ms = p->start_ns / 1000000 + seconds * 1000 - time_now_ns() / 1000000;
	if (left_ms > 0)
		pod_wake(p, (uint64_t)left_ms + 1);
	return left_ms <= 0;
}

static void set_retry(struct pod *p, const struct err *err)
{
	p->retry_backoff_ms = !p->retry_backoff_ms                     ? RETRY_MIN_MS
	                      : p->retry_backoff_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS
	                                                               : p->retry_backoff_ms * 2;
	p->retry_ms = loop_now_ms(p->n->loop) + p->retry_backoff_ms;
}

static void volumes_done(struct pod *p, const struct err *err)
{
	if (err) {
		pod_event(p, NULL, true, "FailedMount", "MountVolume.SetUp failed: %s", err->msg);
		set_retry(p, err);
	} else {
		p->retry_backoff_ms = 0;
	}
	pod_end(p);
}

static void refs_done_then_volumes(struct pod *p, const struct err *err)
{
	if (err)
		volumes_done(p, err);
	else
		volumes_setup(p, volumes_done);
}

static void setup_volumes(struct pod *p)
{
	pod_begin(p);
	refs_fetch(p, refs_done_then_volumes);
}

/* Waits, or says that the container may start again now. A container that ran long enough begins anew. */
static bool backoff_is_over(struct pod *p, struct slot *s, const struct container *c)
{
	if (c->finished_ns - c->started_ns > (int64_t)BACKOFF_RESET_NS_S * 1000000000 && c->started_ns)
		s->backoff_ms = 0;
	int64_t left_ms = c->finished_ns / 1000000 + s->backoff_ms - time_now_ns() / 1000000;
	if (s->backoff_ms && left_ms > 0) {
		s->waiting_reason = "CrashLoopBackOff";
		free(s->waiting_message);
		s->waiting_message = xprintf("back-off %s restarting failed container=%s pod=%s_%s(%s)",
		        s->backoff_ms < 20000    ? "10s"
		        : s->backoff_ms < 40000  ? "20s"
		        : s->backoff_ms < 80000  ? "40s"
		        : s->backoff_ms < 160000 ? "1m20s"
		        : s->backoff_ms < 300000 ? "2m40s"
		                                 : "5m0s",
		        s->name, p->name, p->ns, p->uid);
		if (!s->backoff_told)
			pod_event(p, s->name, true, "BackOff",
			        "Back-off restarting failed container %s in pod %s_%s(%s)", s->name, p->name, p->ns,
			        p->uid);
		s->backoff_told = true;
		pod_wake(p, (uint64_t)left_ms + 1);
		return false;
	}
	s->backoff_ms = !s->backoff_ms                       ? BACKOFF_MIN_MS
	                : s->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS
	                                                     : s->backoff_ms * 2;
	s->backoff_told = false;
	s->waiting_reason = NULL;
	return true;
}

/* A failed pull is first told as what it was, then as what is waited for. */
static void tell_pull_backoff(struct pod *p, struct slot *s, uint64_t now)
{
	if (!s->waiting_reason || strcmp(s->waiting_reason, "ErrImagePull") != 0)
		return;
	if (s->show_until_ms > now) {
		pod_wake(p, s->show_until_ms - now);
		return;
	}
	struct arena a = ARENA_INIT;
	const char *image = json_cstr(&a, json_get(pod_container_spec(p, s->name), "image"));
	s->waiting_reason = "ImagePullBackOff";
	free(s->waiting_message);
	s->waiting_message = xprintf("Back-off pulling image \"%s\"", image);
	pod_event(p, s->name, false, "BackOff", "Back-off pulling image \"%s\"", image);
	pod_event(p, s->name, true, "Failed", "Error: ImagePullBackOff");
	arena_release(&a);
	pod_status_changed(p);
}

static bool try_start(struct pod *p, struct slot *s)
{
	uint64_t now = loop_now_ms(p->n->loop);
	if (s->not_before_ms > now) {
		pod_wake(p, s->not_before_ms - now);
		tell_pull_backoff(p, s, now);
		return false;
	}
	pod_start_container(p, s);
	return true;
}

/* One container: true when an operation was begun. *ret_blocks says that later ones must wait for it. */
static bool step_slot(struct pod *p, struct slot *s, const struct sandbox *box, bool *ret_blocks)
{
	struct container *c = pod_container(p, s->name);
	if (c && strcmp(c->sandbox_id, box->id) != 0 && c->state == CONTAINER_RUNNING) {
		pod_stop_container(p, c, 2);
		return true;
	}
	bool is_old = c && strcmp(c->sandbox_id, box->id) != 0;
	*ret_blocks = s->kind != SLOT_MAIN;
	if (!c || (is_old && s->kind != SLOT_MAIN))
		return try_start(p, s);
	switch (c->state) {
	case CONTAINER_RUNNING:
		if (!c->probes)
			probes_start(p, c, &probe_callbacks);
		*ret_blocks = s->kind == SLOT_INIT || (s->kind == SLOT_SIDECAR && !container_is_started(c));
		return false;
	case CONTAINER_CREATED:
		pod_remove_container(p, c); /* we died between its creation and its start */
		return true;
	case CONTAINER_UNKNOWN:
		pod_stop_container(p, c, 2);
		return true;
	case CONTAINER_EXITED:
		break;
	}
	probes_stop(c);
	if (!c->is_known)
		return false;
	if (s->kind == SLOT_INIT && c->exit_code == 0) {
		*ret_blocks = false;
		return false;
	}
	if (!should_restart(p, s, c) || !backoff_is_over(p, s, c))
		return false;
	return try_start(p, s);
}

/* Init containers ran already when a main one was made in this sandbox. */
static bool mains_began(const struct pod *p, const struct sandbox *box)
{
	LIST_FOREACH (it, &p->containers) {
		struct container *c = CONTAINER_OF(it, struct container, in_pod);
		struct slot *s = pod_slot(p, c->name);
		if (s && s->kind == SLOT_MAIN && strcmp(c->sandbox_id, box->id) == 0)
			return true;
	}
	return false;
}

static void step_containers(struct pod *p, const struct sandbox *box)
{
	bool began = mains_began(p, box);
	for (size_t i = 0; i < p->slots_count && !p->operations; i++) {
		struct slot *s = &p->slots[i];
		bool blocks = false;
		if (began && s->kind == SLOT_INIT)
			continue;
		if (step_slot(p, s, box, &blocks))
			return;
		if (blocks && !began)
			return;
	}
}

/* Dead containers but for the last of each name, and all dead sandboxes but the newest, are removed. */
static bool collect_garbage(struct pod *p)
{
	for (struct list_link *it = p->containers.next; it != &p->containers; it = it->next) {
		struct container *c = CONTAINER_OF(it, struct container, in_pod);
		struct container *newest = pod_container(p, c->name), *before = pod_container_before(p, c->name);
		if (c != newest && c != before && c->state == CONTAINER_EXITED) {
			pod_remove_container(p, c);
			return true;
		}
	}
	struct sandbox *newest = pod_sandbox(p);
	if (newest && newest->is_ready && p->sandboxes.prev != p->sandboxes.next) {
		struct sandbox *oldest = CONTAINER_OF(p->sandboxes.prev, struct sandbox, in_pod);
		LIST_FOREACH (it, &p->containers)
			if (strcmp(CONTAINER_OF(it, struct container, in_pod)->sandbox_id, oldest->id) == 0)
				return false; /* the records of the last run hang on it */
		pod_remove_sandbox(p, oldest);
		return true;
	}
	return false;
}

static bool stop_changed_container(struct pod *p)
{
	struct arena a = ARENA_INIT;
	bool any = false;
	LIST_FOREACH (it, &p->containers) {
		struct container *c = CONTAINER_OF(it, struct container, in_pod);
		struct json *spec = pod_container_spec(p, c->name);
		if (!any && c->state == CONTAINER_RUNNING && !c->is_stopping && spec && *c->hash &&
		        strcmp(c->hash, pod_container_hash(&a, spec)) != 0) {
			pod_event(p, c->name, false, "Killing", "Container %s definition changed, will be restarted",
			        c->name);
			pod_stop_container(p, c, p->grace_s);
			any = true;
		}
	}
	arena_release(&a);
	return any;
}

static void step_running(struct pod *p)
{
	struct node *n = p->n;
	uint64_t now = loop_now_ms(n->loop);
	struct sandbox *box = pod_sandbox(p);
	if (p->retry_ms > now) {
		pod_wake(p, p->retry_ms - now);
		return;
	}
	uint64_t refresh = volumes_refresh_ms(p);
	if (!volumes_are_ready(p) || (refresh && refresh <= now)) {
		setup_volumes(p);
		return;
	}
	if (refresh)
		pod_wake(p, refresh - now);
	if (!n->runtime_ready || (!n->network_ready && !pod_uses_host_network(p))) {
		if (!box && n->runtime_ready)
			pod_event(p, NULL, true, "NetworkNotReady", "network is not ready: cni config uninitialized");
		pod_wake(p, 5000);
		return;
	}
	if (!box || !box->is_ready) {
		pod_start_sandbox(p);
		return;
	}
	if (!box->is_known || collect_garbage(p) || stop_changed_container(p))
		return;
	step_containers(p, box);
}

/* ---- a pod that should end ---- */

static bool is_alive(const struct container *c)
{
	return c->state == CONTAINER_RUNNING || c->state == CONTAINER_UNKNOWN;
}

/* Mains first, sidecars when those are gone. True while any lives. */
static bool stop_containers(struct pod *p)
{
	bool any = false, mains = false;
	for (struct list_link *it = p->containers.next; it != &p->containers; it = it->next) {
		struct container *c = CONTAINER_OF(it, struct container, in_pod);
		struct slot *s = pod_slot(p, c->name);
		probes_stop(c);
		if (is_alive(c) && (!s || s->kind != SLOT_SIDECAR))
			mains = true;
	}
	for (struct list_link *it = p->containers.next; it != &p->containers; it = it->next) {
		struct container *c = CONTAINER_OF(it, struct container, in_pod);
		struct slot *s = pod_slot(p, c->name);
		if (!is_alive(c))
			continue;
		any = true;
		if (!c->is_stopping && !(mains && s && s->kind == SLOT_SIDECAR)) {
			c->is_stopping = true;
			pod_event(p, c->name, false, "Killing", "Stopping container %s", c->name);
			pod_stop_container(p, c, p->grace_s);
		}
	}
	return any;
}

static void teardown_done(struct pod *p, const struct err *err)
{
	if (err) {
		log_warn("node", "cannot take down volumes", "pod=%s/%s error=\"%s\"", p->ns, p->name, err->msg);
		set_retry(p, err);
	}
	pod_end(p);
}

static void step_stopping(struct pod *p)
{
	uint64_t now = loop_now_ms(p->n->loop);
	if (stop_containers(p) || p->operations) {
		if (!p->operations)
			p->need_generation = view_look(p->n);
		return;
	}
	for (struct list_link *it = p->sandboxes.next; it != &p->sandboxes; it = it->next) {
		struct sandbox *s = CONTAINER_OF(it, struct sandbox, in_pod);
		if (s->is_ready)
			pod_stop_sandbox(p, s);
	}
	if (p->operations)
		return;
	if (p->retry_ms > now) {
		pod_wake(p, p->retry_ms - now);
		return;
	}
	if (p->volumes) {
		pod_begin(p);
		volumes_teardown(p, teardown_done);
		return;
	}
	p->state = POD_FINISHED;
	cgroup_remove(p);
	pod_status_changed(p);
	pod_tick(p);
}

struct cleanup {
	struct pool_work work;
	struct pod *pod;
	struct arena arena;
	const char *pod_dir, *log_dir;
};

static void cleanup_on_pool(struct pool_work *w)
{
	struct cleanup *c = CONTAINER_OF(w, struct cleanup, work);
	volumes_unmount_below(c->pod_dir);
	file_remove_tree(c->pod_dir);
	file_remove_tree(c->log_dir);
}

static void cleanup_done(struct pool_work *w)
{
	struct cleanup *c = CONTAINER_OF(w, struct cleanup, work);
	struct pod *p = c->pod;
	arena_release(&c->arena);
	free(c);
	p->cleaned = true;
	pod_end(p);
}

static void clean_folders(struct pod *p)
{
	struct cleanup *c = xcalloc(1, sizeof *c);
	c->pod = p;
	c->pod_dir = pod_dir(p, &c->arena);
	c->log_dir = pod_log_dir(p, &c->arena);
	pod_begin(p);
	if (!pool_submit(p->n->pool, &c->work, p->n->loop, cleanup_on_pool, cleanup_done)) {
		cleanup_on_pool(&c->work);
		cleanup_done(&c->work);
	}
}

static void step_cleaning(struct pod *p)
{
	struct sandbox *s = pod_sandbox(p);
	if (p->status_busy)
		return; /* the last status goes out first; its end ticks */
	if (s) {
		pod_remove_sandbox(p, s);
		return;
	}
	if (!list_empty(&p->containers)) {
		pod_remove_container(p, CONTAINER_OF(p->containers.next, struct container, in_pod));
		return;
	}
	if (!p->cleaned) {
		clean_folders(p);
		return;
	}
	cgroup_remove(p);
	if (p->in_api && !p->is_static) {
		pod_delete_from_api(p);
		return;
	}
	p->state = POD_GONE;
	log_info("node", "pod is gone", "pod=%s/%s uid=%s", p->ns, p->name, p->uid);
	pod_free(p);
}

/* ---- */

static void decide(struct pod *p)
{
	if (p->state == POD_RUNNING) {
		bool over = !p->is_deleting && p->object && deadline_passed(p);
		if (over && !p->end_reason) {
			p->end_reason = "DeadlineExceeded";
			p->end_message = "Pod was active on the node longer than the specified deadline";
			pod_event(p, NULL, false, "DeadlineExceeded", "%s", p->end_message);
		}
		if (p->is_deleting || p->end_reason || is_done(p)) {
			p->state = POD_STOPPING;
			if (p->volumes == NULL && p->object)
				p->retry_ms = 0;
		}
	}
	if (p->state == POD_FINISHED && p->is_deleting)
		p->state = POD_CLEANING;
}

void pod_tick(struct pod *p)
{
	struct node *n = p->n;
	if (n->closing || !n->cri || p->state == POD_GONE)
		return;
	if (p->operations) {
		if (p->is_deleting)
			pod_start_cancel(p);
		if (p->state == POD_STOPPING && !p->start)
			stop_containers(p);
		return;
	}
	if (p->next_object)
		take_object(p);
	if (view_generation(n) < p->need_generation)
		return;
	p->need_generation = 0;
	decide(p);
	switch (p->state) {
	case POD_RUNNING:
		if (p->object)
			step_running(p);
		break;
	case POD_STOPPING:
	case POD_FINISHING:
		step_stopping(p);
		break;
	case POD_CLEANING:
		step_cleaning(p);
		break;
	case POD_FINISHED:
	case POD_GONE:
		break;
	}
}
