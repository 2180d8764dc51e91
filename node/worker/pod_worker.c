/* The pod worker: asks the rules (pod_next.c) for the one next step, does it, looks again.
 *
 * Operations are counted (operation.h); while one is open a tick does nothing but stop what a deletion wants stopped,
 * and after one it waits for a look at the runtime that began later. Containers that are to end are stopped all at
 * once, those that are to start one by one.
 *
 * What can go wrong: anything an operation meets. It then leaves a waiting reason in its slot, or a pause for the whole
 * pod (bring_up, take_down, api_delete), before which it is not tried again; the status and the events tell both. */
#include "node/worker/pod_worker.h"

#include "base/check.h"
#include "base/json/scan.h"
#include "base/log.h"
#include "node/allocation/allocation.h"
#include "node/cgroup/cgroup.h"
#include "node/events/events.h"
#include "node/ground/errand.h"
#include "node/ground/files.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_map.h"
#include "node/ground/pod_record.h"
#include "node/ground/refs.h"
#include "node/ground/times.h"
#include "node/probe/probe.h"
#include "node/runtime/view.h"
#include "node/topology/topology.h"
#include "node/volume/unmount.h"
#include "node/volume/volume.h"
#include "node/worker/operation.h"
#include "node/worker/pod_place_int.h"
#include "node/worker/pod_config_int.h"
#include "node/worker/pod_kill_int.h"
#include "node/worker/pod_next_int.h"
#include "node/worker/pod_resize_int.h"
#include "node/worker/pod_start_int.h"

#include <stdlib.h>

enum {
	DEFAULT_GRACE_S = 30,
	STRAY_GRACE_S = 2,
	LATE_GRACE_S = 2,
	NETWORK_TOLD_MS = 5000,
	NODE_UNKNOWN_MS = 250,
	GRACE_S_MAX = INT32_MAX
};

static const struct retry_rule linger_rule = {50, 5000};
enum { LINGERS_TO_STOP_AGAIN = 8 };

/* ---- life ---- */

struct pod *pod_new(struct node *n, struct slice uid, struct slice ns, struct slice name)
{
	LOOP_CHECK_OWNER(n->loop);
	CHECK(uid.len && !node_pod(n, uid));
	struct pod *p = xcalloc(1, sizeof *p);
	*p = (struct pod){.n = n,
	        .uid = xmemdup(uid.ptr, uid.len),
	        .ns = xmemdup(ns.ptr, ns.len),
	        .name = xmemdup(name.ptr, name.len),
	        .in_api = true,
	        .cgroup_may_be = true,
	        .grace_s = DEFAULT_GRACE_S};
	sm_init(&p->sm, &pod_machine, POD_RUNNING, p->name);
	arena_init(&p->arena);
	list_init(&p->sandboxes);
	list_init(&p->containers);
	uv_timer_init(loop_uv(n->loop), &p->timer);
	p->timer.data = p;
	p->tick = pod_tick;
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
	arena_release(&p->end_text);
	arena_release(&p->arena);
	free(p->static_file);
	free(p->mirror_uid);
	free(p->uid);
	free(p->ns);
	free(p->name);
	free(p);
}

void pod_free(struct pod *p)
{
	LOOP_CHECK_OWNER(p->n->loop);
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

static void add_slot(struct pod *p, struct slice name, enum slot_kind kind)
{
	p->slots = xrealloc(p->slots, (p->slots_count + 1) * sizeof *p->slots);
	p->slots[p->slots_count++] = (struct slot){.name = xmemdup(name.ptr, name.len), .kind = kind};
}

static void add_slots(struct pod *p)
{
	JSON_FOREACH (it, json_get(p->spec, "initContainers"))
		add_slot(p, json_get_str(it, "name"),
		        slice_is(json_get_str(it, "restartPolicy"), "Always") ? SLOT_SIDECAR : SLOT_INIT);
	JSON_FOREACH (it, json_get(p->spec, "containers"))
		add_slot(p, json_get_str(it, "name"), SLOT_MAIN);
}

/* These come while it runs. No start is under way, so nobody holds a slot. */
static void add_ephemeral_slots(struct pod *p)
{
	CHECK(!p->start);
	struct arena a = ARENA_INIT;
	JSON_FOREACH (it, json_get(p->spec, "ephemeralContainers"))
		if (!pod_slot(p, json_cstr(&a, json_get(it, "name"))))
			add_slot(p, json_get_str(it, "name"), SLOT_EPHEMERAL);
	arena_release(&a);
}

static void take_object(struct pod *p)
{
	CHECK(p->next_object);
	struct rcbuf *json = TAKE(p->next_object);
	struct arena scratch = ARENA_INIT;
	arena_release(&p->arena);
	p->object = json_parse(&scratch, (struct slice){json->data, json->len}, NULL, NULL);
	p->object = p->object ? json_copy_packed(&p->arena, p->object) : NULL; /* it is kept as long as the pod */
	arena_release(&scratch);
	rcbuf_unref(json);
	p->spec = json_get(p->object, "spec");
	p->meta = json_get(p->object, "metadata");
	allocation_lay_in(p->n->allocations, p);
	if (!p->slots_count)
		add_slots(p);
	add_ephemeral_slots(p);
	if (!p->start_ns)
		p->start_ns = time_parse(json_str(json_path(p->object, "status", "startTime", NULL)));
	if (!p->start_ns)
		p->start_ns = time_now_ns();
	p->is_deleting = p->is_deleting || json_get(p->meta, "deletionTimestamp");
	int64_t grace = json_get_int(p->meta, "deletionGracePeriodSeconds",
	        json_get_int(p->spec, "terminationGracePeriodSeconds", DEFAULT_GRACE_S));
	if (p->is_evicted && grace > p->evict_grace_s)
		grace = p->evict_grace_s;
	bool sooner = pod_state(p) == POD_STOPPING && grace < p->grace_s;
	p->grace_s = grace;
	if (sooner)
		LIST_FOREACH (it, &p->containers) {
			struct container *c = CONTAINER_OF(it, struct container, in_pod);
			if (c->is_stopping && c->state != CONTAINER_EXITED)
				pod_stop_container(p, c, grace);
		}
}

/* It is to be deleted while something is open: a pull is given up, and a mount; containers that are being stopped (for
 * another image, for a probe) hear of a grace that is shorter. */
static void hurry(struct pod *p, struct slice object)
{
	int64_t grace;
	pod_start_cancel(p);
	volumes_give_up(p);
	if (!slice_to_i64(json_find(object, "metadata", "deletionGracePeriodSeconds", NULL), &grace) ||
	        grace >= p->grace_s)
		return;
	p->grace_s = grace;
	LIST_FOREACH (it, &p->containers) {
		struct container *c = CONTAINER_OF(it, struct container, in_pod);
		if (c->is_stopping && c->state != CONTAINER_EXITED)
			pod_stop_container(p, c, grace);
	}
}

void pod_set_object(struct pod *p, struct rcbuf *json)
{
	LOOP_CHECK_OWNER(p->n->loop);
	rcbuf_unref(p->next_object);
	p->next_object = rcbuf_ref(json);
	bool first = !p->object;
	/* A stop under way must hear of a shorter grace. Nothing else that is open survives a change of the tree. */
	if (first || !p->operations || (pod_state(p) == POD_STOPPING && !p->start))
		take_object(p);
	else if (json_find((struct slice){json->data, json->len}, "metadata", "deletionTimestamp", NULL).len)
		hurry(p, (struct slice){json->data, json->len});
	pod_status_changed(p);
	pod_tick(p);
}

void pod_set_vanished(struct pod *p)
{
	LOOP_CHECK_OWNER(p->n->loop);
	p->in_api = false;
	p->is_deleting = true;
	p->grace_s = p->object && pod_state(p) == POD_RUNNING ? p->grace_s
	             : p->grace_s < DEFAULT_GRACE_S           ? p->grace_s
	                                                      : 2;
	pod_start_cancel(p);
	pod_tick(p);
}

void pod_terminate(struct pod *p, const char *reason, const char *message, int64_t grace_s)
{
	LOOP_CHECK_OWNER(p->n->loop);
	CHECK(grace_s > 0);
	if (pod_state(p) != POD_RUNNING || p->is_deleting || p->end_reason)
		return;
	p->is_evicted = true;
	p->evict_grace_s = grace_s;
	p->end_reason = reason;
	p->end_message = arena_strdup(&p->end_text, message);
	p->grace_s = p->grace_s < grace_s ? p->grace_s : grace_s;
	pod_start_cancel(p);
	pod_tick(p);
}

void pod_evict(struct pod *p, const char *message, int64_t grace_s)
{
	if (pod_state(p) != POD_RUNNING || p->is_deleting || p->end_reason)
		return;
	pod_event(p, NULL, true, "Evicted", "%s", message);
	pod_terminate(p, "Evicted", message, grace_s);
}

/* Nothing to do until its deletion, which needs no memory of it. */
void pod_set_ended(struct pod *p)
{
	CHECK(!p->object && !p->operations);
	sm_init(&p->sm, &pod_machine, POD_FINISHING, p->name);
}

void pod_images_came(struct pod *p)
{
	static const char *const of_images[] = {"ErrImagePull", "ErrImageNeverPull", "ImagePullBackOff"};
	LOOP_CHECK_OWNER(p->n->loop);
	for (size_t i = 0; i < p->slots_count; i++) {
		struct slot *slot = &p->slots[i];
		for (size_t k = 0; slot->waiting_reason && k < COUNT_OF(of_images); k++)
			if (strcmp(slot->waiting_reason, of_images[k]) == 0)
				retry_succeeded(&slot->start);
	}
	pod_tick(p);
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
	LOOP_CHECK_OWNER(p->n->loop);
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

/* ---- steps of a pod that should run ---- */

static void volumes_done(struct pod *p, const struct err *err)
{
	if (!err) {
		retry_succeeded(&p->bring_up);
	} else if (err->code == ERR_BUSY) { /* an attachment is waited for, or a thread */
		pod_bring_up_failed(p);
	} else if (err->code != ERR_CANCELED) {
		bool is_block = strncmp(err->msg, "MapVolume.", 10) == 0;
		pod_event(p, NULL, true, is_block ? "FailedMapVolume" : "FailedMount", "%s", err->msg);
		if (pod_bring_up_failed(p))
			log_warn("node", "cannot set up volumes", "pod=%s/%s failures=%u error=\"%s\"", p->ns, p->name,
			        p->bring_up.failures, err->msg);
	}
	/* Every pod with a token has its volumes looked at every 45 s: with thousands that would be looks without end.
	 */
	pod_end_apart(p);
}

void pod_volumes_may_go_on(struct pod *p)
{
	LOOP_CHECK_OWNER(p->n->loop);
	if (pod_state(p) != POD_RUNNING || volumes_are_ready(p) || p->operations)
		return;
	retry_succeeded(&p->bring_up);
	pod_tick(p);
}

static void refs_done_then_volumes(struct pod *p, const struct err *err)
{
	if (err)
		volumes_done(p, err);
	else
		volumes_setup(p, volumes_done);
}

static void tell_no_network(struct pod *p)
{
	if (!p->network_told)
		pod_event(p, NULL, true, "NetworkNotReady", "network is not ready: cni config uninitialized");
	p->network_told = true;
	pod_wake(p, NETWORK_TOLD_MS);
}

static void start_container(struct pod *p, struct slot *s, const struct container *before)
{
	CHECK(!p->start && pod_state(p) == POD_RUNNING);
	if (before && before->state == CONTAINER_EXITED && before->is_known) {
		int64_t ran_ns = before->started_ns ? before->finished_ns - before->started_ns : 0;
		s->backoff_ms = slot_backoff_next_ms(s->backoff_ms, ran_ns);
	}
	s->backoff_told = false;
	pod_start_container(p, s);
}

/* ---- what is shown while a pod runs ---- */

static const char *backoff_text(unsigned ms)
{
	return ms < 20000    ? "10s"
	       : ms < 40000  ? "20s"
	       : ms < 80000  ? "40s"
	       : ms < 160000 ? "1m20s"
	       : ms < 300000 ? "2m40s"
	                     : "5m0s";
}

static bool show_crash_wait(struct pod *p, struct slot *s)
{
	CHECK(s->backoff_ms);
	if (s->backoff_told)
		return false;
	s->waiting_reason = "CrashLoopBackOff";
	free(s->waiting_message);
	s->waiting_message = xprintf("back-off %s restarting failed container=%s pod=%s_%s(%s)",
	        backoff_text(s->backoff_ms), s->name, p->name, p->ns, p->uid);
	pod_event(p, s->name, true, "BackOff", "Back-off restarting failed container %s in pod %s_%s(%s)", s->name,
	        p->name, p->ns, p->uid);
	s->backoff_told = true;
	return true;
}

/* A failed pull is first told as what it was, then as what is waited for. */
static bool show_retry_wait(struct pod *p, struct slot *s)
{
	uint64_t now = loop_now_ms(p->n->loop);
	if (!s->waiting_reason || strcmp(s->waiting_reason, "ErrImagePull") != 0)
		return false;
	if (s->show_until_ms > now) {
		pod_wake(p, s->show_until_ms - now);
		return false;
	}
	struct arena a = ARENA_INIT;
	const char *image = json_cstr(&a, json_get(pod_container_spec(p, s->name), "image"));
	s->waiting_reason = "ImagePullBackOff";
	free(s->waiting_message);
	s->waiting_message = xprintf("Back-off pulling image \"%s\"", image);
	pod_event(p, s->name, false, "BackOff", "Back-off pulling image \"%s\"", image);
	pod_event(p, s->name, true, "Failed", "Error: ImagePullBackOff");
	arena_release(&a);
	return true;
}

/* Probes follow their containers, and those that wait say for what. True when something new is to be told. */
static bool show_slots(struct pod *p, const struct pod_world *w)
{
	struct sandbox *box = pod_sandbox(p);
	bool began = box && pod_mains_began(p, box), any = false;
	/* Images of WebAssembly pods are brought before there is a sandbox. */
	for (size_t i = 0; !box && i < p->slots_count; i++)
		any = show_retry_wait(p, &p->slots[i]) || any;
	for (size_t i = 0; box && box->is_ready && box->is_known && i < p->slots_count; i++) {
		struct slot *s = &p->slots[i];
		struct slot_view v = pod_slot_view(p, s, box, w);
		if (v.container && v.container->state != CONTAINER_RUNNING)
			probes_stop(v.container);
		if (began && s->kind == SLOT_INIT)
			continue;
		if (v.stand == SLOT_RUNS && !v.container->probes && s->kind != SLOT_EPHEMERAL)
			probes_start(p, v.container, &probe_callbacks);
		else if (v.stand == SLOT_CRASH_WAIT)
			any = show_crash_wait(p, s) || any;
		else if (v.stand == SLOT_RETRY_WAIT)
			any = show_retry_wait(p, s) || any;
		if (v.blocks && !began)
			break;
	}
	return any;
}

/* ---- steps of a pod that should end ---- */

/* What is left of the grace: sidecars come late, and get a little in any case. */
static int64_t grace_left_s(const struct pod *p)
{
	int64_t gone_s = (int64_t)(loop_now_ms(p->n->loop) - p->stop_began_ms) / 1000, left_s = p->grace_s - gone_s;
	return p->grace_s < LATE_GRACE_S || left_s >= p->grace_s ? p->grace_s
	       : left_s < LATE_GRACE_S                           ? LATE_GRACE_S
	                                                         : left_s;
}

static void stop_containers(struct pod *p)
{
	CHECK(pod_state(p) == POD_STOPPING || pod_state(p) == POD_FINISHING);
	if (!p->stop_began_ms)
		p->stop_began_ms = loop_now_ms(p->n->loop);
	LIST_FOREACH (it, &p->containers) {
		struct container *c = CONTAINER_OF(it, struct container, in_pod);
		probes_stop(c);
		if (!pod_should_stop(p, c))
			continue;
		pod_event(p, c->name, false, "Killing", "Stopping container %s", c->name);
		pod_stop_container(p, c, grace_left_s(p));
	}
}

/* They were told to end, and the runtime says that they run: it may lag, or its word was not kept. */
static void look_again(struct pod *p)
{
	bool due = retry_failed(&p->linger, &linger_rule, loop_now_ms(p->n->loop));
	if (due && p->linger.failures > 1)
		log_warn("node", "containers that were stopped still run", "pod=%s/%s looks=%u", p->ns, p->name,
		        p->linger.failures);
	if (p->linger.failures % LINGERS_TO_STOP_AGAIN == 0)
		LIST_FOREACH (it, &p->containers)
			CONTAINER_OF(it, struct container, in_pod)->is_stopping = false;
	p->need_generation = view_look(p->n);
}

static void stop_sandboxes(struct pod *p)
{
	CHECK(pod_state(p) == POD_STOPPING || pod_state(p) == POD_FINISHING);
	LIST_FOREACH (it, &p->sandboxes) {
		struct sandbox *s = CONTAINER_OF(it, struct sandbox, in_pod);
		if (s->is_ready)
			pod_stop_sandbox(p, s);
	}
}

static void teardown_done(struct pod *p, const struct err *err)
{
	if (err && pod_take_down_failed(p))
		log_warn("node", "cannot take down volumes", "pod=%s/%s failures=%u error=\"%s\"", p->ns, p->name,
		        p->take_down.failures, err->msg);
	pod_end(p);
}

/* ---- file work on the pool ---- */

struct chore {
	struct errand errand;
	struct pod *pod;
	struct arena arena;
	const char *pod_dir, *log_dir; /* NULL: only the cgroup goes */
};

static void chore_on_pool(struct errand *e)
{
	CHECK(!loop_is_current(e->n->loop));
	struct chore *c = CONTAINER_OF(e, struct chore, errand);
	if (c->pod_dir) {
		volumes_unmount_below(c->pod_dir);
		file_remove_tree(c->pod_dir);
		file_remove_tree(c->log_dir);
	}
	cgroup_remove(c->pod);
}

static void chore_done(struct errand *e)
{
	struct chore *c = CONTAINER_OF(e, struct chore, errand);
	struct pod *p = c->pod;
	p->cgroup_may_be = false;
	p->cleaned = p->cleaned || c->pod_dir;
	arena_release(&c->arena);
	free(c);
	pod_end(p);
}

static void do_chore(struct pod *p, bool folders_too)
{
	CHECK(!p->start && !p->operations);
	struct chore *c = xcalloc(1, sizeof *c);
	c->pod = p;
	c->pod_dir = folders_too ? pod_dir(p, &c->arena) : NULL;
	c->log_dir = folders_too ? pod_log_dir(p, &c->arena) : NULL;
	pod_begin(p);
	if (!errand_start(p->n, &c->errand, chore_on_pool, chore_done)) {
		pod_take_down_failed(p); /* too much is queued: again after a pause */
		arena_release(&c->arena);
		free(c);
		pod_end(p);
	}
}

/* ---- the machine ---- */

static void move(struct pod *p, const struct pod_step *step)
{
	if (step->end_reason && !p->end_reason) {
		p->end_reason = step->end_reason;
		p->end_message = "Pod was active on the node longer than the specified deadline";
		pod_event(p, NULL, false, p->end_reason, "%s", p->end_message);
	}
	retry_succeeded(&p->take_down);
	retry_succeeded(&p->linger);
	p->stop_began_ms = 0;
	if (step->state == POD_CLEANING)
		pod_status_changed(p); /* the last one: in that state none is written any more */
	sm_move(&p->sm, step->state);
	if (step->state == POD_FINISHED || step->state == POD_GONE) {
		topology_give_back(p->n->topology, p);
		allocation_give_back(p->n->allocations, p);
		pods_wake_waiting(p->n);
	}
	pod_status_changed(p);
}

/* An operation is begun, or not: what was done shows in the record at once. */
static void do_step(struct pod *p, const struct pod_step *step)
{
	switch (step->action) {
	case POD_LOOK:
		look_again(p);
		break;
	case POD_SETUP_VOLUMES:
		pod_begin(p);
		refs_fetch(p, refs_done_then_volumes);
		break;
	case POD_WAIT_FOR_NETWORK:
		tell_no_network(p);
		break;
	case POD_START_SANDBOX:
		p->cgroup_may_be = true;
		pod_start_sandbox(p);
		break;
	case POD_START_CONTAINER:
		start_container(p, step->slot, step->container);
		break;
	case POD_RESTART_CHANGED:
		pod_event(p, step->container->name, false, "Killing",
		        "Container %s definition changed, will be restarted", step->container->name);
		pod_stop_container(p, step->container, p->grace_s);
		break;
	case POD_STOP_STRAY:
		pod_stop_container(p, step->container, STRAY_GRACE_S);
		break;
	case POD_STOP_CONTAINERS:
		stop_containers(p);
		break;
	case POD_STOP_SANDBOXES:
		stop_sandboxes(p);
		break;
	case POD_TEAR_DOWN_VOLUMES:
		pod_begin(p);
		volumes_teardown(p, teardown_done);
		break;
	case POD_REMOVE_CGROUP:
		do_chore(p, false);
		break;
	case POD_REMOVE_CONTAINER:
		pod_remove_container(p, step->container);
		break;
	case POD_REMOVE_SANDBOX:
		pod_remove_sandbox(p, step->sandbox);
		break;
	case POD_CLEAN_FOLDERS:
		do_chore(p, true);
		break;
	case POD_DELETE_FROM_API:
		pod_delete_from_api(p);
		break;
	case POD_REST:
	case POD_MOVE:
		break;
	}
}

static struct pod_world world_of(const struct pod *p)
{
	const struct node *n = p->n;
	return (struct pod_world){.now_ms = loop_now_ms(n->loop),
	        .now_ns = time_now_ns(),
	        .runtime_ready = n->runtime_ready,
	        .network_ready = n->network_ready,
	        .has_volumes = volumes_are_there(p),
	        .volumes_ready = volumes_are_ready(p),
	        .volumes_refresh_ms = volumes_refresh_ms(p)};
}

/* ---- may it run here? ---- */

static void take_refusal(struct pod *p, const struct admit_verdict *v)
{
	p->is_refused = true;
	p->awaits_place = false;
	p->end_reason = arena_strdup(&p->end_text, v->reason);
	p->end_message = arena_printf(&p->end_text, "Pod was rejected: %s", v->message);
	pod_event(p, NULL, true, v->reason, "%s", v->message);
	sm_move(&p->sm, POD_STOPPING);
	pod_status_changed(p);
}

/* For a critical pod, which is asked about again when they have ended. */
static void preempt(struct pod *for_whom, struct pod *p)
{
	static const char message[] = "Preempted in order to admit critical pod";
	log_info("node", "a pod ends for a critical one", "pod=%s/%s for=%s/%s", p->ns, p->name, for_whom->ns,
	        for_whom->name);
	pod_event(p, NULL, true, "Preempting", "%s", message);
	p->n->preemptions++;
	pod_terminate(p, "Preempting", message, GRACE_S_MAX);
}

/* What it needs of its own: CPUs, devices, memory. False: plugins are being asked. */
static bool take_what_is_its_own(struct pod *p, struct admit_verdict *v, struct err *err)
{
	enum topology_answer answer = topology_take(p->n->topology, p, err);
	if (answer == TOPOLOGY_APART || answer == TOPOLOGY_REFUSED)
		*v = (struct admit_verdict){
		        .reason = answer == TOPOLOGY_APART ? "TopologyAffinityError" : "UnexpectedAdmissionError",
		        .message = err->msg};
	return answer != TOPOLOGY_PENDING;
}

/* What was let in before we came, perhaps under another policy, has its own already. False: not to be decided yet. */
static bool decide_admission(struct pod *p)
{
	struct arena a = ARENA_INIT;
	struct pod_place place = {.verdict = {.reason = NULL}};
	struct err err = ERR_INIT;
	bool runs = !list_empty(&p->sandboxes) || !list_empty(&p->containers);
	bool is_known = runs || pod_place_ask(p, &a, &place), is_decided = is_known && !place.verdict.must_wait;
	if (!is_known)
		pod_wake(p, NODE_UNKNOWN_MS);
	p->awaits_place = place.verdict.must_wait;
	for (size_t i = 0; i < place.verdict.victims_count; i++)
		preempt(p, place.victims[i]);
	if (is_decided && !runs && !place.verdict.reason)
		is_decided = take_what_is_its_own(p, &place.verdict, &err);
	p->is_admitted = is_decided && !place.verdict.reason;
	if (is_decided && place.verdict.reason)
		take_refusal(p, &place.verdict);
	else if (is_decided)
		allocation_admit(p->n->allocations, p, runs);
	p->group_is_old = p->n->allocations && runs; /* we may have ended between its containers and it */
	arena_release(&a);
	return is_decided;
}

/* While operations are open only a deletion is heard. */
static void tick_busy(struct pod *p)
{
	if (p->is_deleting) {
		pod_start_cancel(p);
		volumes_give_up(p);
	}
	if ((pod_state(p) == POD_STOPPING || pod_state(p) == POD_FINISHING) && !p->start && p->operations &&
	        !retry_wait_ms(&p->take_down, loop_now_ms(p->n->loop)))
		stop_containers(p);
}

static void gone(struct pod *p)
{
	CHECK(pod_state(p) == POD_GONE && !p->status_busy);
	log_info("node", "pod is gone", "pod=%s/%s uid=%s", p->ns, p->name, p->uid);
	pod_free(p);
}

static void tick_idle(struct pod *p)
{
	CHECK(!p->operations && !p->start);
	bool is_new = pod_state(p) == POD_RUNNING && p->object && !p->is_deleting && !p->is_admitted;
	if (is_new && !decide_admission(p))
		return;
	bool may_resize = p->n->allocations && p->is_admitted && p->object && pod_state(p) == POD_RUNNING &&
	                  !p->is_deleting && !p->end_reason;
	if (may_resize && pod_resize(p))
		return;
	struct pod_world w = world_of(p);
	struct pod_step step = pod_next(p, &w);
	while (step.action == POD_MOVE) {
		move(p, &step);
		if (pod_state(p) == POD_GONE) {
			gone(p);
			return;
		}
		step = pod_next(p, &w);
	}
	if (pod_state(p) == POD_RUNNING && p->object && show_slots(p, &w))
		pod_status_changed(p);
	do_step(p, &step);
	if (step.wait_ms)
		pod_wake(p, step.wait_ms);
}

void pod_tick(struct pod *p)
{
	struct node *n = p->n;
	LOOP_CHECK_OWNER(n->loop);
	if (n->closing || !n->cri)
		return;
	if (p->status_stale && !p->status_busy)
		pod_status_changed(p); /* a write failed and its pause may be over */
	if (p->operations) {
		tick_busy(p);
		return;
	}
	if (p->next_object)
		take_object(p);
	if (view_generation(n) < p->need_generation)
		return;
	p->need_generation = 0;
	tick_idle(p);
}

bool pod_container_is_current(const struct pod *p, const struct container *c)
{
	LOOP_CHECK_OWNER(p->n->loop);
	struct arena a = ARENA_INIT;
	bool is = !c->hash || strcmp(c->hash, pod_container_hash(&a, pod_container_spec(p, c->name))) == 0;
	arena_release(&a);
	return is;
}
