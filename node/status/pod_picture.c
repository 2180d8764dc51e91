/* See pod_picture_int.h. What the runtime's list says of a container (state) and what its details say (known_state and
 * the rest) come in two answers; the picture takes the details alone and leaves a container as the API server knows it
 * until they are there. Upstream: pkg/kubelet/kubelet_pods.go (getPhase, convertToAPIContainerStatuses). */
#include "node/status/pod_picture_int.h"

#include "base/check.h"

enum { EXIT_UNSEEN = 137 };

static struct picture_end ended_as(const struct container *c)
{
	return (struct picture_end){.is_there = true, .record = c};
}

static bool has_ended(const struct container *c)
{
	return c && c->is_known && c->known_state == CONTAINER_EXITED;
}

int picture_exit_code(const struct picture_end *e)
{
	CHECK(e->is_there);
	if (e->record)
		return e->record->exit_code;
	return e->carried ? (int)json_get_int(json_get(e->carried, "terminated"), "exitCode", EXIT_UNSEEN)
	                  : EXIT_UNSEEN;
}

/* ---- one container ---- */

static bool is_of(const struct json *status, const struct container *c)
{
	struct slice id = json_get_str(status, "containerID");
	return c && id.len && slice_ends(id, c->id);
}

static void wait_for(struct container_picture *out, const struct pod *p, const struct slot *s)
{
	out->state = PICTURE_WAITING;
	out->reason = s->waiting_reason && pod_state(p) == POD_RUNNING ? s->waiting_reason
	              : json_get(p->spec, "initContainers")            ? "PodInitializing"
	                                                               : "ContainerCreating";
	out->message = out->reason == s->waiting_reason ? s->waiting_message : NULL;
}

/* The runtime has no record, or not its details: the API server's words hold as far as they can. */
static void carry(struct container_picture *out, const struct pod *p, const struct slot *s, const struct json *old)
{
	const struct json *state = json_get(old, "state"), *last = json_get(old, "lastState");
	bool same = out->record && is_of(old, out->record), was_running = json_get(state, "running");
	if (json_get(last, "terminated"))
		out->last = (struct picture_end){.is_there = true, .carried = last};
	if (same && !json_get(state, "waiting") && state) {
		out->carried = state;
		out->state = was_running ? PICTURE_RUNNING : PICTURE_TERMINATED;
		if (!was_running)
			out->end = (struct picture_end){.is_there = true, .carried = state};
		return;
	}
	struct picture_end end = {.is_there = was_running || json_get(state, "terminated"),
	        .carried = json_get(state, "terminated") ? state : NULL};
	if (end.is_there && !out->record && pod_state(p) != POD_RUNNING) {
		out->state = PICTURE_TERMINATED;
		out->end = end;
		return;
	}
	wait_for(out, p, s);
	if (end.is_there && !is_of(old, out->record))
		out->last = end;
}

static void take_container(struct container_picture *out, const struct pod *p, const struct slot *s)
{
	const struct container *c = pod_container(p, s->name), *before = pod_container_before(p, s->name);
	const struct json *old = pod_old_status(p, s->name);
	*out = (struct container_picture){.slot = s, .record = c};
	out->restarts = c ? c->attempt : json_get_int(old, "restartCount", 0);
	if (!c || !c->is_known || c->known_state == CONTAINER_UNKNOWN) {
		carry(out, p, s, old);
	} else if (c->known_state == CONTAINER_RUNNING) {
		out->state = PICTURE_RUNNING;
	} else if (c->known_state == CONTAINER_EXITED && !(s->waiting_reason && pod_state(p) == POD_RUNNING)) {
		out->state = PICTURE_TERMINATED;
		out->end = ended_as(c);
	} else {
		wait_for(out, p, s);
		if (has_ended(c))
			out->last = ended_as(c);
	}
	if (has_ended(before) && !(out->last.is_there && out->last.record == c && c))
		out->last = ended_as(before);
	out->is_started = out->state == PICTURE_RUNNING && pod_container_is_started(p, c);
	out->is_ready = s->kind == SLOT_INIT        ? out->state == PICTURE_TERMINATED && !picture_exit_code(&out->end)
	                : s->kind == SLOT_EPHEMERAL ? false
	                                            : out->is_started && pod_container_is_ready(p, c);
}

bool picture_is_complete(const struct container_picture *c)
{
	return c->slot->kind == SLOT_SIDECAR ? c->is_started : c->is_ready;
}

/* ---- the pod ---- */

struct counts {
	bool any_resizing;                             /* ended to be started with other resources */
	unsigned running, waiting, stopped, succeeded; /* mains */
	unsigned init_pending, init_failed;
	unsigned any_running; /* of any kind */
};

static void count_init(struct counts *n, const struct container_picture *c)
{
	CHECK(c->slot->kind == SLOT_INIT);
	if (c->state == PICTURE_TERMINATED)
		n->init_failed += picture_exit_code(&c->end) != 0;
	else if (c->state == PICTURE_WAITING && c->last.is_there && picture_exit_code(&c->last) != 0)
		n->init_failed++;
	else
		n->init_pending++;
}

static void count_main(struct counts *n, const struct container_picture *c)
{
	CHECK(c->slot->kind == SLOT_MAIN);
	const struct picture_end *end = c->state == PICTURE_TERMINATED ? &c->end : &c->last;
	if (c->state == PICTURE_RUNNING) {
		n->running++;
	} else if (end->is_there) {
		n->stopped++;
		n->succeeded += picture_exit_code(end) == 0;
	} else {
		n->waiting++;
	}
}

static bool is_being_resized(const struct container_picture *c)
{
	unsigned ended = c->slot->resized_after; /* so many attempts there were */
	bool is_next_to_run = ended && c->record && c->record->attempt == ended && c->state == PICTURE_WAITING;
	return is_next_to_run || (c->record && c->record->attempt + 1 == ended);
}

static struct counts count(const struct pod_picture *pic)
{
	struct counts n = {0};
	for (size_t i = 0; i < pic->count; i++) {
		const struct container_picture *c = &pic->containers[i];
		n.any_running += c->state == PICTURE_RUNNING;
		n.any_resizing |= is_being_resized(c);
		if (c->slot->kind == SLOT_MAIN)
			count_main(&n, c);
		else if (c->slot->kind == SLOT_INIT)
			count_init(&n, c);
		else if (c->slot->kind == SLOT_SIDECAR)
			n.init_pending += !c->is_started;
	}
	return n;
}

static const char *over(const struct counts *n)
{
	CHECK(n->succeeded <= n->stopped && n->stopped > 0);
	return n->stopped == n->succeeded ? "Succeeded" : "Failed";
}

/* It is ended, and some container shows no end: it never ran, or nobody remembers. */
static const char *phase_unseen(struct slice old)
{
	return slice_is(old, "Running") ? "Failed" : "Pending";
}

static const char *phase_of_stopped(const struct pod *p, const struct counts *n)
{
	const char *policy = pod_restart_policy(p);
	if (pod_state(p) != POD_RUNNING || strcmp(policy, "Never") == 0)
		return over(n);
	if (strcmp(policy, "OnFailure") == 0 && n->stopped == n->succeeded && !n->any_resizing)
		return "Succeeded";
	return "Running";
}

/* `began`: a main container was made once, so that the pod does not go back to Pending. */
static const char *phase_by_counts(const struct pod *p, const struct counts *n, bool began, struct slice old)
{
	if (p->end_reason && pod_state(p) != POD_RUNNING)
		return "Failed";
	if (n->init_failed && strcmp(pod_restart_policy(p), "Never") == 0)
		return "Failed";
	if (n->waiting && pod_state(p) != POD_RUNNING)
		return phase_unseen(old);
	if (n->waiting || (n->init_pending + n->init_failed && !began))
		return "Pending";
	return n->running ? "Running" : n->stopped ? phase_of_stopped(p, n) : "Pending";
}

static bool is_terminal(const char *phase)
{
	return strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0;
}

/* A pod that is over stays so, and none is over while anything of it runs. */
static const char *phase_of(const struct pod *p, const struct counts *n, bool began)
{
	struct slice old = json_str(json_path(p->object, "status", "phase", NULL));
	if (slice_is(old, "Succeeded") || slice_is(old, "Failed"))
		return slice_is(old, "Failed") ? "Failed" : "Succeeded";
	const char *phase = phase_by_counts(p, n, began, old);
	return is_terminal(phase) && n->any_running ? "Running" : phase;
}

static bool mains_began(const struct pod_picture *pic)
{
	for (size_t i = 0; i < pic->count; i++) {
		const struct container_picture *c = &pic->containers[i];
		if (c->slot->kind == SLOT_MAIN && (c->record || c->last.is_there || c->state != PICTURE_WAITING))
			return true;
	}
	return false;
}

static bool prepares(const struct slot *s)
{
	return s->kind == SLOT_INIT || s->kind == SLOT_SIDECAR;
}

static bool inits_complete(const struct pod_picture *pic)
{
	for (size_t i = 0; i < pic->count; i++)
		if (prepares(pic->containers[i].slot) && !picture_is_complete(&pic->containers[i]))
			return false;
	return true;
}

static bool serves(const struct slot *s)
{
	return s->kind == SLOT_MAIN || s->kind == SLOT_SIDECAR;
}

static bool all_ready(const struct pod_picture *pic)
{
	for (size_t i = 0; i < pic->count; i++)
		if (serves(pic->containers[i].slot) && !pic->containers[i].is_ready)
			return false;
	return pic->count > 0;
}

bool picture_is_over(const struct pod_picture *pic)
{
	CHECK(pic->phase);
	return is_terminal(pic->phase);
}

struct pod_picture pod_picture_take(const struct pod *p, struct arena *a)
{
	struct pod_picture pic = {
	        .containers = ARENA_ARRAY(a, struct container_picture, p->slots_count + 1), .count = p->slots_count};
	const struct sandbox *box = pod_sandbox(p);
	for (size_t i = 0; i < pic.count; i++)
		take_container(&pic.containers[i], p, &p->slots[i]);
	bool began = mains_began(&pic);
	struct counts n = count(&pic);
	pic.phase = phase_of(p, &n, began);
	pic.is_initialized = began || inits_complete(&pic) || strcmp(pic.phase, "Succeeded") == 0;
	pic.containers_ready = !picture_is_over(&pic) && pic.is_initialized && all_ready(&pic);
	pic.sandbox_ready = box && box->is_ready;
	return pic;
}
