/* See pod_next_int.h. Level-triggered: no plan is kept between two steps but the pod's state (pod_record.h has the
 * diagram) and what the runtime told, so that a restart of ours is nothing special.
 *
 *     RUNNING    volumes -> sandbox -> garbage -> init containers, one by one -> sidecars and mains
 *     STOPPING,
 *     FINISHING  containers -> sandboxes -> volumes -> cgroup
 *     CLEANING   sandboxes, containers -> folders -> the API object */
#include "node/worker/pod_next_int.h"

#include "base/check.h"
#include "node/worker/pod_config_int.h"

enum { BACKOFF_MIN_MS = 10000, BACKOFF_MAX_MS = 300000, BACKOFF_RESET_S = 600 };

static struct pod_step rest(uint64_t wait_ms)
{
	return (struct pod_step){.action = POD_REST, .wait_ms = wait_ms};
}

static struct pod_step act(enum pod_action action)
{
	return (struct pod_step){.action = action};
}

static struct pod_step move(enum pod_state state)
{
	return (struct pod_step){.action = POD_MOVE, .state = state};
}

/* The earlier of two waits, of which 0 is none. */
static uint64_t sooner(uint64_t a, uint64_t b)
{
	return !a ? b : !b || a < b ? a : b;
}

/* ---- one container ---- */

static bool should_restart(const struct pod *p, const struct slot *s, const struct container *c)
{
	const char *policy = pod_restart_policy(p);
	DCHECK(c->state == CONTAINER_EXITED);
	if (s->kind == SLOT_SIDECAR)
		return true;
	if (s->kind == SLOT_EPHEMERAL)
		return false;
	if (s->kind == SLOT_INIT)
		return c->exit_code != 0 && strcmp(policy, "Never") != 0;
	if (s->resized_after == c->attempt + 1)
		return true;
	return strcmp(policy, "Always") == 0 || (strcmp(policy, "OnFailure") == 0 && c->exit_code != 0);
}

static bool ran_long(int64_t ran_ns)
{
	return ran_ns > (int64_t)BACKOFF_RESET_S * 1000000000;
}

static int64_t ran_ns(const struct container *c)
{
	return c->started_ns ? c->finished_ns - c->started_ns : 0;
}

unsigned slot_backoff_next_ms(unsigned before_ms, int64_t ran)
{
	CHECK(before_ms <= BACKOFF_MAX_MS);
	if (!before_ms || ran_long(ran))
		return BACKOFF_MIN_MS;
	return before_ms > BACKOFF_MAX_MS / 2 ? BACKOFF_MAX_MS : before_ms * 2;
}

/* A container that ran long enough begins anew. */
static uint64_t crash_wait_ms(const struct slot *s, const struct container *c, const struct pod_world *w)
{
	unsigned backoff_ms = ran_long(ran_ns(c)) ? 0 : s->backoff_ms;
	int64_t left_ms = c->finished_ns / 1000000 + backoff_ms - w->now_ns / 1000000;
	if (!backoff_ms || left_ms <= 0)
		return 0;
	/* The wall clock may have been set back: never longer than the whole of it. */
	return left_ms > backoff_ms ? backoff_ms : (uint64_t)left_ms;
}

static struct slot_view due(const struct slot *s, struct slot_view v, const struct pod_world *w)
{
	CHECK(!v.blocks || (s->kind != SLOT_MAIN && s->kind != SLOT_EPHEMERAL));
	v.wait_ms = retry_wait_ms(&s->start, w->now_ms);
	v.stand = v.wait_ms ? SLOT_RETRY_WAIT : SLOT_DUE;
	return v;
}

static struct slot_view ended(const struct pod *p, const struct slot *s, struct slot_view v, const struct pod_world *w)
{
	struct container *c = v.container;
	v.stand = SLOT_DONE;
	if (!c->is_known) {
		v.stand = SLOT_UNSEEN;
		return v;
	}
	if (s->kind == SLOT_INIT && c->exit_code == 0)
		v.blocks = false;
	if (!should_restart(p, s, c))
		return v;
	v.wait_ms = crash_wait_ms(s, c, w);
	if (v.wait_ms) {
		v.stand = SLOT_CRASH_WAIT;
		return v;
	}
	return due(s, v, w);
}

struct slot_view pod_slot_view(
        const struct pod *p, const struct slot *s, const struct sandbox *box, const struct pod_world *w)
{
	struct container *c = pod_container(p, s->name);
	bool prepares = s->kind == SLOT_INIT || s->kind == SLOT_SIDECAR;
	struct slot_view v = {.container = c, .blocks = prepares};
	bool is_old = c && strcmp(c->sandbox_id, box->id) != 0;
	if (!c || (is_old && prepares && c->state != CONTAINER_RUNNING))
		return due(s, v, w);
	switch (c->state) {
	case CONTAINER_RUNNING:
		v.stand = is_old ? SLOT_STRAY : SLOT_RUNS;
		v.blocks = s->kind == SLOT_INIT || (s->kind == SLOT_SIDECAR && !pod_container_is_started(p, c));
		return v;
	case CONTAINER_CREATED:
		v.stand = SLOT_UNBORN;
		return v;
	case CONTAINER_UNKNOWN:
		v.stand = SLOT_STRAY;
		return v;
	case CONTAINER_EXITED:
		break;
	}
	return ended(p, s, v, w);
}

/* ---- a pod that should run ---- */

/* All mains have ended and none is to start again, or an init container failed for good. */
static bool is_done(const struct pod *p)
{
	bool any = false;
	for (size_t i = 0; i < p->slots_count; i++) {
		const struct slot *s = &p->slots[i];
		struct container *c = pod_container(p, s->name);
		bool ended_for_good = c && c->is_known && c->state == CONTAINER_EXITED && !should_restart(p, s, c);
		if (s->kind == SLOT_INIT && ended_for_good && c->exit_code != 0)
			return true;
		if (s->kind != SLOT_MAIN)
			continue;
		if (!ended_for_good)
			return false;
		any = true;
	}
	return any;
}

/* Milliseconds that are left to the pod; INT64_MAX: no deadline. */
static int64_t deadline_ms(const struct pod *p, const struct pod_world *w)
{
	int64_t seconds = json_get_int(p->spec, "activeDeadlineSeconds", 0);
	if (seconds <= 0 || !p->start_ns || seconds > INT64_MAX / 2000)
		return INT64_MAX;
	return p->start_ns / 1000000 + seconds * 1000 - w->now_ns / 1000000;
}

bool pod_mains_began(const struct pod *p, const struct sandbox *box)
{
	LIST_FOREACH (it, &p->containers) {
		struct container *c = CONTAINER_OF(it, struct container, in_pod);
		struct slot *s = pod_slot(p, c->name);
		if (s && s->kind == SLOT_MAIN && strcmp(c->sandbox_id, box->id) == 0)
			return true;
	}
	return false;
}

/* Ephemeral containers wait for nobody: they are there to see why an init container does not end. */
static struct pod_step slots_next(
        const struct pod *p, const struct sandbox *box, const struct pod_world *w, bool ephemeral)
{
	bool began = pod_mains_began(p, box);
	uint64_t wait_ms = 0;
	for (size_t i = 0; i < p->slots_count; i++) {
		struct slot *s = &p->slots[i];
		if ((began && s->kind == SLOT_INIT) || (s->kind == SLOT_EPHEMERAL) != ephemeral)
			continue;
		struct slot_view v = pod_slot_view(p, s, box, w);
		struct pod_step step = {.slot = s, .container = v.container};
		switch (v.stand) {
		case SLOT_DUE:
			step.action = POD_START_CONTAINER;
			return step;
		case SLOT_STRAY:
			step.action = POD_STOP_STRAY;
			return step;
		case SLOT_UNBORN:
			step.action = POD_REMOVE_CONTAINER;
			return step;
		default:
			wait_ms = sooner(wait_ms, v.wait_ms);
		}
		if (v.blocks && !began)
			break;
	}
	return rest(wait_ms);
}

static struct pod_step containers_next(const struct pod *p, const struct sandbox *box, const struct pod_world *w)
{
	struct pod_step first = slots_next(p, box, w, true);
	if (first.action != POD_REST)
		return first;
	struct pod_step step = slots_next(p, box, w, false);
	if (step.action == POD_REST)
		step.wait_ms = sooner(step.wait_ms, first.wait_ms);
	return step;
}

/* Dead containers but for the last two of each name, and all dead sandboxes but the newest, are removed. */
static struct pod_step garbage_next(const struct pod *p)
{
	CHECK(pod_sandbox(p));
	LIST_FOREACH (it, &p->containers) {
		struct container *c = CONTAINER_OF(it, struct container, in_pod);
		if (c != pod_container(p, c->name) && c != pod_container_before(p, c->name) &&
		        c->state == CONTAINER_EXITED)
			return (struct pod_step){.action = POD_REMOVE_CONTAINER, .container = c};
	}
	struct sandbox *newest = pod_sandbox(p);
	if (!newest->is_ready || p->sandboxes.prev == p->sandboxes.next)
		return rest(0);
	struct sandbox *oldest = CONTAINER_OF(p->sandboxes.prev, struct sandbox, in_pod);
	LIST_FOREACH (it, &p->containers)
		if (strcmp(CONTAINER_OF(it, struct container, in_pod)->sandbox_id, oldest->id) == 0)
			return rest(0); /* the records of the last run hang on it */
	return (struct pod_step){.action = POD_REMOVE_SANDBOX, .sandbox = oldest};
}

static struct container *changed_container(const struct pod *p)
{
	struct arena a = ARENA_INIT;
	struct container *found = NULL;
	LIST_FOREACH (it, &p->containers) {
		struct container *c = CONTAINER_OF(it, struct container, in_pod);
		struct json *spec = pod_container_spec(p, c->name);
		if (!found && c->state == CONTAINER_RUNNING && !c->is_stopping && spec && *c->hash &&
		        strcmp(c->hash, pod_container_hash(&a, spec)) != 0)
			found = c;
	}
	arena_release(&a);
	return found;
}

/* What a pod with a ready sandbox needs. A removal that failed keeps nothing from running: it is only left alone. */
static struct pod_step kept_up_next(const struct pod *p, const struct sandbox *box, const struct pod_world *w)
{
	uint64_t pause_ms = retry_wait_ms(&p->take_down, w->now_ms);
	struct pod_step step = pause_ms ? rest(0) : garbage_next(p);
	if (step.action != POD_REST)
		return step;
	struct container *changed = pause_ms ? NULL : changed_container(p);
	if (changed)
		return (struct pod_step){.action = POD_RESTART_CHANGED, .container = changed};
	step = containers_next(p, box, w);
	bool takes_down = step.action == POD_STOP_STRAY || step.action == POD_REMOVE_CONTAINER;
	if (takes_down && pause_ms)
		return rest(pause_ms);
	if (step.action == POD_REST)
		step.wait_ms = sooner(step.wait_ms, pause_ms);
	return step;
}

static struct pod_step running_next(const struct pod *p, const struct pod_world *w)
{
	const struct sandbox *box = pod_sandbox(p);
	uint64_t pause_ms = retry_wait_ms(&p->bring_up, w->now_ms), refresh_ms = 0;
	if (pause_ms)
		return rest(pause_ms);
	if (!w->volumes_ready || (w->volumes_refresh_ms && w->volumes_refresh_ms <= w->now_ms))
		return act(POD_SETUP_VOLUMES);
	if (w->volumes_refresh_ms)
		refresh_ms = w->volumes_refresh_ms - w->now_ms;
	if (!w->runtime_ready)
		return rest(refresh_ms);
	if (!w->network_ready && !pod_uses_host_network(p))
		return box ? rest(refresh_ms) : act(POD_WAIT_FOR_NETWORK);
	if (!box || !box->is_ready)
		return act(POD_START_SANDBOX);
	if (!box->is_known)
		return rest(refresh_ms);
	struct pod_step step = kept_up_next(p, box, w);
	if (step.action == POD_REST)
		step.wait_ms = sooner(step.wait_ms, refresh_ms);
	return step;
}

static struct pod_step alive_next(const struct pod *p, const struct pod_world *w)
{
	int64_t left_ms = p->object ? deadline_ms(p, w) : INT64_MAX;
	if (p->is_deleting || p->is_evicted)
		return move(POD_STOPPING);
	if (left_ms <= 0) {
		struct pod_step step = move(POD_STOPPING);
		step.end_reason = "DeadlineExceeded";
		return step;
	}
	if (is_done(p))
		return move(POD_FINISHING);
	if (!p->object)
		return rest(0);
	struct pod_step step = running_next(p, w);
	if (step.action == POD_REST && left_ms != INT64_MAX)
		step.wait_ms = sooner(step.wait_ms, (uint64_t)left_ms + 1);
	return step;
}

/* ---- a pod that should end ---- */

static bool is_alive(const struct container *c)
{
	return c->state == CONTAINER_RUNNING || c->state == CONTAINER_UNKNOWN;
}

static bool is_sidecar(const struct pod *p, const struct container *c)
{
	const struct slot *s = pod_slot(p, c->name);
	return s && s->kind == SLOT_SIDECAR;
}

static bool any_alive(const struct pod *p, bool but_sidecars)
{
	LIST_FOREACH (it, &p->containers) {
		struct container *c = CONTAINER_OF(it, struct container, in_pod);
		if (is_alive(c) && !(but_sidecars && is_sidecar(p, c)))
			return true;
	}
	return false;
}

/* A sidecar that was begun after it, and may need it to the last. */
static bool later_sidecar_alive(const struct pod *p, const struct container *c)
{
	const struct slot *own = pod_slot(p, c->name);
	LIST_FOREACH (it, &p->containers) {
		struct container *other = CONTAINER_OF(it, struct container, in_pod);
		if (is_alive(other) && is_sidecar(p, other) && pod_slot(p, other->name) > own)
			return true;
	}
	return false;
}

bool pod_should_stop(const struct pod *p, const struct container *c)
{
	DCHECK(*c->name);
	if (!is_alive(c) || c->is_stopping)
		return false;
	return !is_sidecar(p, c) || (!any_alive(p, true) && !later_sidecar_alive(p, c));
}

static struct pod_step stopping_next(const struct pod *p, const struct pod_world *w)
{
	uint64_t pause_ms = retry_wait_ms(&p->take_down, w->now_ms);
	if (pod_state(p) == POD_FINISHING && p->is_deleting)
		return move(POD_STOPPING);
	if (pause_ms)
		return rest(pause_ms);
	LIST_FOREACH (it, &p->containers)
		if (pod_should_stop(p, CONTAINER_OF(it, struct container, in_pod)))
			return act(POD_STOP_CONTAINERS);
	if (any_alive(p, false)) {
		pause_ms = retry_wait_ms(&p->linger, w->now_ms);
		return pause_ms ? rest(pause_ms) : act(POD_LOOK);
	}
	LIST_FOREACH (it, &p->sandboxes)
		if (CONTAINER_OF(it, struct sandbox, in_pod)->is_ready)
			return act(POD_STOP_SANDBOXES);
	if (w->has_volumes)
		return act(POD_TEAR_DOWN_VOLUMES);
	if (p->cgroup_may_be)
		return act(POD_REMOVE_CGROUP);
	return move(p->is_deleting ? POD_CLEANING : POD_FINISHED);
}

static struct pod_step cleaning_next(const struct pod *p, const struct pod_world *w)
{
	CHECK(!p->start);
	struct sandbox *s = pod_sandbox(p);
	uint64_t pause_ms = retry_wait_ms(&p->take_down, w->now_ms);
	if (p->status_busy)
		return rest(0); /* the last status goes out first; its end ticks */
	if (pause_ms)
		return rest(pause_ms);
	if (s)
		return (struct pod_step){.action = POD_REMOVE_SANDBOX, .sandbox = s};
	if (!list_empty(&p->containers))
		return (struct pod_step){.action = POD_REMOVE_CONTAINER,
		        .container = CONTAINER_OF(p->containers.next, struct container, in_pod)};
	if (!p->cleaned)
		return act(POD_CLEAN_FOLDERS);
	if (!p->in_api || p->is_static)
		return move(POD_GONE);
	pause_ms = retry_wait_ms(&p->api_delete, w->now_ms);
	return pause_ms ? rest(pause_ms) : act(POD_DELETE_FROM_API);
}

/* What the runtime started after we gave up on it is ended too. */
static struct pod_step finished_next(const struct pod *p)
{
	DCHECK(pod_state(p) == POD_FINISHED);
	if (any_alive(p, false))
		return move(POD_FINISHING);
	return p->is_deleting ? move(POD_CLEANING) : rest(0);
}

/* ---- */

struct pod_step pod_next(const struct pod *p, const struct pod_world *w)
{
	CHECK(!p->operations);
	switch (pod_state(p)) {
	case POD_RUNNING:
		return alive_next(p, w);
	case POD_STOPPING:
	case POD_FINISHING:
		return stopping_next(p, w);
	case POD_FINISHED:
		return finished_next(p);
	case POD_CLEANING:
		return cleaning_next(p, w);
	case POD_GONE:
		break;
	}
	return rest(0);
}
