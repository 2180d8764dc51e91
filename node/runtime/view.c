/* The view of the runtime: which sandboxes and containers exist, and how they are.
 *
 * A look is: list sandboxes, list containers, then ask for the details of those whose state is not the one we know.
 * Looks have generations; view_look() promises one that began after the call, and a pod that has just done something
 * waits for it before it acts again, so that nobody decides on an old view.
 *
 * What makes us look: our own operations; containerd's event stream (a task ended), so that an idle node asks nothing;
 * and a slow look every LOOK_IDLE_MS for whatever was missed. A runtime without that event service is looked at every
 * second while it has pods. */
#include "node/runtime/view.h"

#include "base/check.h"
#include "base/log.h"
#include "base/rt/sm.h"
#include "node/ground/errand.h"
#include "node/ground/files.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_map.h"
#include "node/ground/pod_record.h"
#include "node/ground/retry.h"
#include "node/runtime/cri.h"
#include "node/runtime/cri_read_int.h"
#include "node/runtime/events_topic.h"
#include "node/runtime/log_file.h"

#include <stdlib.h>

enum {
	LIST_TIMEOUT_MS = 30000,
	LOOK_SOON_MS = 5,
	LOOK_IDLE_MS = 30000,
	LOOK_POLL_MS = 1000,
	LOOK_RETRY_MS = 1000,
	STREAM_RETRY_MS = 2000,
	LOOK_FOLLOW_MS = 150,
	FOLLOW_UPS = 4,
	MESSAGE_BYTES_MAX = 4096,
	FALLBACK_LINES = 80,
	FALLBACK_BYTES_MAX = 2048
};

static void look(uv_timer_t *t);

/* FAILED: a list was refused, and details asked for before it are still to come. */
enum view_state { VIEW_IDLE, VIEW_LISTING_SANDBOXES, VIEW_LISTING_CONTAINERS, VIEW_INSPECTING, VIEW_FAILED };

struct view {
	struct node *n;
	struct sm sm;
	struct retry looks, streams;
	struct view_callbacks callbacks;
	uint64_t complete_generation; /* of the last complete look */
	uint64_t generation;          /* of the look under way, or the last one */
	bool look_again;
	unsigned follow_ups;  /* looks still to come after an event */
	unsigned inspections; /* status calls of this look still open */
	uv_timer_t look_timer, stream_timer;
	struct cri_call *event_stream;
	bool events_work;
	unsigned open; /* handles */
	void (*closed)(void *arg);
	void *closed_arg;
};

static bool holds(const struct sm *m, int before)
{
	const struct view *v = CONTAINER_OF(m, struct view, sm);
	return (sm_state(m) == VIEW_IDLE) == (v->inspections == 0) && v->complete_generation <= v->generation;
}

static const struct sm_state states[] = {
        [VIEW_IDLE] = {"idle", SM_TO(VIEW_LISTING_SANDBOXES)},
        [VIEW_LISTING_SANDBOXES] = {"listing-sandboxes", SM_TO(VIEW_LISTING_CONTAINERS) | SM_TO(VIEW_IDLE)},
        [VIEW_LISTING_CONTAINERS] = {"listing-containers",
                SM_TO(VIEW_INSPECTING) | SM_TO(VIEW_FAILED) | SM_TO(VIEW_IDLE)},
        [VIEW_INSPECTING] = {"inspecting", SM_TO(VIEW_IDLE)},
        [VIEW_FAILED] = {"failed", SM_TO(VIEW_IDLE)},
};
static const struct sm_kind machine = SM_KIND("view", states, holds);

static const struct retry_rule look_rule = {LOOK_RETRY_MS, 30000}, stream_rule = {STREAM_RETRY_MS, 60000};

static struct pod *pod_of(struct view *v, const struct cri_owner *o)
{
	struct pod *p = node_pod(v->n, slice_of(o->uid));
	return p ? p : v->callbacks.stranger(v->n, slice_of(o->uid), slice_of(o->ns), slice_of(o->pod));
}

/* ---- the end of a look ---- */

static void schedule(struct view *v, unsigned ms)
{
	LOOP_CHECK_OWNER(v->n->loop);
	if (!v->n->closing)
		uv_timer_start(&v->look_timer, look, ms, 0);
}

static void drop_unseen(struct view *v, struct pod *p)
{
	CHECK(sm_state(&v->sm) == VIEW_IDLE);
	LIST_FOREACH (it, &p->containers) {
		struct container *c = CONTAINER_OF(it, struct container, in_pod);
		if (c->seen != v->complete_generation) {
			v->callbacks.container_gone(c);
			container_free(c);
			p->changed = true;
		}
	}
	LIST_FOREACH (it, &p->sandboxes) {
		struct sandbox *s = CONTAINER_OF(it, struct sandbox, in_pod);
		if (s->seen != v->complete_generation) {
			sandbox_free(s);
			p->changed = true;
		}
	}
}

static void finish_look(struct view *v)
{
	size_t count;
	struct pod **pods = node_pods(v->n, &count);
	sm_move(&v->sm, VIEW_IDLE);
	retry_succeeded(&v->looks);
	v->complete_generation = v->generation;
	unsigned idle_ms = v->events_work || !count ? LOOK_IDLE_MS : LOOK_POLL_MS;
	schedule(v, v->look_again ? LOOK_SOON_MS : v->follow_ups ? LOOK_FOLLOW_MS : idle_ms);
	if (!v->look_again && v->follow_ups)
		v->follow_ups--;
	v->look_again = false;
	for (size_t i = 0; i < count; i++) {
		struct pod *p = pods[i];
		drop_unseen(v, p);
		bool changed = p->changed;
		p->changed = false;
		v->callbacks.looked(p, changed);
	}
	free(pods);
}

/* One of what the look waits for is there: a detail, or the lists. */
static void inspected(struct view *v)
{
	CHECK(v->inspections > 0);
	if (--v->inspections)
		return;
	if (sm_state(&v->sm) == VIEW_INSPECTING) {
		finish_look(v);
		return;
	}
	sm_move(&v->sm, VIEW_IDLE);
	schedule(v, v->looks.pause_ms ? v->looks.pause_ms : LOOK_RETRY_MS);
}

/* What was known stays as it is. */
static void look_failed(struct view *v, const struct err *err)
{
	if (err->code != ERR_CANCELED && retry_failed(&v->looks, &look_rule, loop_now_ms(v->n->loop)))
		log_warn("node", "cannot look at the container runtime", "failures=%u error=\"%s\"", v->looks.failures,
		        err->msg);
	if (v->inspections > 1)
		sm_move(&v->sm, VIEW_FAILED);
	inspected(v);
}

/* ---- details ---- */

struct inspection {
	struct view *view;
	char *uid, *id;
	/* of a container, until its record gets it all at once */
	enum container_state state;
	int64_t created_ns, started_ns, finished_ns;
	int exit_code;
	char *reason, *message, *image_ref;
	struct errand errand; /* reads its last words */
	char *message_path, *log_path;
	bool falls_back; /* to the log */
};

static struct inspection *inspection_new(struct view *v, const char *uid, const char *id)
{
	struct inspection *i = xcalloc(1, sizeof *i);
	*i = (struct inspection){.view = v, .uid = xstrdup(uid), .id = xstrdup(id)};
	v->inspections++;
	return i;
}

static void inspection_end(struct inspection *i)
{
	LOOP_CHECK_OWNER(i->view->n->loop);
	struct view *v = i->view;
	free(i->uid);
	free(i->id);
	free(i->reason);
	free(i->message);
	free(i->image_ref);
	free(i->message_path);
	free(i->log_path);
	free(i);
	inspected(v);
}

static void set(char **field, const char *value)
{
	free(*field);
	*field = xstrdup(value ? value : "");
}

static void give(char **field, char **from)
{
	free(*field);
	*field = TAKE(*from);
}

/* All that was told, at once: nobody sees a half of it. */
static void keep_container(struct inspection *i)
{
	CHECK(i->view->inspections > 0);
	struct pod *p = node_pod(i->view->n, slice_of(i->uid));
	struct container *c = p ? pod_container_by_id(p, i->id) : NULL;
	if (c) {
		c->is_known = true;
		c->state = c->known_state = i->state;
		c->created_ns = i->created_ns;
		c->started_ns = i->started_ns;
		c->finished_ns = i->finished_ns;
		c->exit_code = i->exit_code;
		give(&c->reason, &i->reason);
		give(&c->message, &i->message);
		give(&c->image_ref, &i->image_ref);
		p->changed = true;
	}
	inspection_end(i);
}

static void read_last_words(struct errand *e)
{
	struct inspection *i = CONTAINER_OF(e, struct inspection, errand);
	size_t len = 0;
	char *text = file_read(i->message_path, MESSAGE_BYTES_MAX, false, &len);
	if (text && !len && i->falls_back) {
		free(text);
		text = log_file_tail(i->log_path, FALLBACK_LINES, FALLBACK_BYTES_MAX);
		len = text ? strlen(text) : 0;
	}
	if (text && len)
		give(&i->message, &text);
	free(text);
}

static void have_read(struct errand *e)
{
	keep_container(CONTAINER_OF(e, struct inspection, errand));
}

/* True: an errand keeps it when it has read them. */
static bool ask_last_words(struct inspection *i, struct pod *p, const struct container *c)
{
	struct arena a = ARENA_INIT;
	struct json *spec = pod_container_spec(p, c->name);
	i->message_path = xprintf("%s/containers/%s/%u.log", pod_dir(p, &a), c->name, c->attempt);
	i->log_path = xprintf("%s/%s/%u.log", pod_log_dir(p, &a), c->name, c->attempt);
	i->falls_back =
	        i->exit_code != 0 && slice_is(json_get_str(spec, "terminationMessagePolicy"), "FallbackToLogsOnError");
	arena_release(&a);
	return errand_start(p->n, &i->errand, read_last_words, have_read);
}

static void container_told(void *arg, const void *answer, const struct err *err)
{
	struct inspection *i = arg;
	const CRI(ContainerStatus) *s = answer ? ((const CRI(ContainerStatusResponse) *)answer)->status : NULL;
	struct pod *p = node_pod(i->view->n, slice_of(i->uid));
	struct container *c = p ? pod_container_by_id(p, i->id) : NULL;
	if (!s || !c) {
		inspection_end(i);
		return;
	}
	i->state = cri_container_state((int)s->state);
	i->created_ns = s->created_at;
	i->started_ns = s->started_at;
	i->finished_ns = s->finished_at;
	i->exit_code = s->exit_code;
	set(&i->reason, s->reason);
	set(&i->message, s->message);
	set(&i->image_ref, s->image_ref);
	if (i->state != CONTAINER_EXITED || i->view->n->closing || !ask_last_words(i, p, c))
		keep_container(i);
}

/* The runtime has an order of its own. */
static void set_addresses(const struct node *n, struct sandbox *s, const char *ip, const char *other)
{
	bool is_v6 = strchr(n->o.node_ip, ':') != NULL, swap = *other && (strchr(ip, ':') != NULL) != is_v6;
	set(&s->ip, swap ? other : ip);
	set(&s->ip_other, swap ? ip : other);
}

static void sandbox_told(void *arg, const void *answer, const struct err *err)
{
	struct inspection *i = arg;
	const char *ip = cri_sandbox_ip(answer);
	struct pod *p = node_pod(i->view->n, slice_of(i->uid));
	struct sandbox *s = p ? pod_sandbox_by_id(p, i->id) : NULL;
	if (ip && s) {
		s->is_known = true;
		set_addresses(i->view->n, s, ip, cri_sandbox_other_ip(answer));
		p->changed = true;
	}
	inspection_end(i);
}

/* ---- lists ---- */

static void add_sandbox(struct view *v, const CRI(PodSandbox) * item)
{
	CHECK(sm_state(&v->sm) == VIEW_LISTING_SANDBOXES);
	struct cri_owner owner;
	struct pod *p = cri_sandbox_owner(item, &owner) ? pod_of(v, &owner) : NULL;
	if (!p)
		return;
	struct sandbox *s = pod_sandbox_by_id(p, item->id);
	bool ready = item->state == RUNTIME__V1__POD_SANDBOX_STATE__SANDBOX_READY;
	if (!s) {
		s = xcalloc(1, sizeof *s);
		*s = (struct sandbox){.id = xstrdup(item->id),
		        .ip = xstrdup(""),
		        .ip_other = xstrdup(""),
		        .attempt = item->metadata->attempt,
		        .is_beside = cri_sandbox_is_beside(item),
		        .created_ns = item->created_at};
		struct list_link *at = p->sandboxes.next;
		while (at != &p->sandboxes && CONTAINER_OF(at, struct sandbox, in_pod)->created_ns > s->created_ns)
			at = at->next;
		list_add_before(at, &s->in_pod);
		p->changed = true;
	}
	s->seen = v->generation;
	if (s->is_ready != ready)
		p->changed = true;
	s->is_ready = ready;
	if (s->is_known || !ready)
		return;
	CRI(PodSandboxRequest) r = RUNTIME__V1__POD_SANDBOX_REQUEST__INIT;
	r.pod_sandbox_id = s->id;
	cri_call(v->n->cri, "RuntimeService/PodSandboxStatus", &r.base,
	        &runtime__v1__pod_sandbox_status_response__descriptor, LIST_TIMEOUT_MS, sandbox_told,
	        inspection_new(v, p->uid, s->id));
}

static void add_container(struct view *v, const CRI(Container) * item)
{
	CHECK(sm_state(&v->sm) == VIEW_LISTING_CONTAINERS);
	struct cri_owner owner;
	struct pod *p = cri_container_owner(item, &owner) ? pod_of(v, &owner) : NULL;
	if (!p)
		return;
	struct container *c = pod_container_by_id(p, item->id);
	if (!c) {
		c = xcalloc(1, sizeof *c);
		*c = (struct container){.id = xstrdup(item->id),
		        .sandbox_id = xstrdup(item->pod_sandbox_id),
		        .name = xstrdup(cri_container_name(item)),
		        .attempt = cri_container_attempt(item),
		        .created_ns = item->created_at,
		        .hash = xstrdup(cri_container_hash(item))};
		struct list_link *at = p->containers.next;
		while (at != &p->containers && CONTAINER_OF(at, struct container, in_pod)->created_ns > c->created_ns)
			at = at->next;
		list_add_before(at, &c->in_pod);
		p->changed = true;
	}
	c->seen = v->generation;
	c->state = cri_container_state((int)item->state);
	if (c->is_known && c->known_state == c->state)
		return;
	CRI(ContainerRequest) r = RUNTIME__V1__CONTAINER_REQUEST__INIT;
	r.container_id = c->id;
	cri_call(v->n->cri, "RuntimeService/ContainerStatus", &r.base,
	        &runtime__v1__container_status_response__descriptor, LIST_TIMEOUT_MS, container_told,
	        inspection_new(v, p->uid, c->id));
}

static void containers_listed(void *arg, const void *answer, const struct err *err)
{
	struct view *v = arg;
	const CRI(ListContainersResponse) *list = answer;
	if (err) {
		look_failed(v, err);
		return;
	}
	for (size_t i = 0; i < list->n_containers; i++)
		add_container(v, list->containers[i]);
	sm_move(&v->sm, VIEW_INSPECTING);
	inspected(v);
}

static void sandboxes_listed(void *arg, const void *answer, const struct err *err)
{
	struct view *v = arg;
	const CRI(ListPodSandboxResponse) *list = answer;
	if (err) {
		look_failed(v, err);
		return;
	}
	for (size_t i = 0; i < list->n_items; i++)
		add_sandbox(v, list->items[i]);
	sm_move(&v->sm, VIEW_LISTING_CONTAINERS);
	CRI(ListContainersRequest) r = RUNTIME__V1__LIST_CONTAINERS_REQUEST__INIT;
	cri_call(v->n->cri, "RuntimeService/ListContainers", &r.base,
	        &runtime__v1__list_containers_response__descriptor, LIST_TIMEOUT_MS, containers_listed, v);
}

static void look(uv_timer_t *t)
{
	struct view *v = t->data;
	if (sm_state(&v->sm) != VIEW_IDLE || !v->n->cri || v->n->closing) {
		schedule(v, LOOK_RETRY_MS);
		return;
	}
	CRI(ListPodSandboxRequest) r = RUNTIME__V1__LIST_POD_SANDBOX_REQUEST__INIT;
	v->generation++;
	v->inspections = 1; /* the lists */
	sm_move(&v->sm, VIEW_LISTING_SANDBOXES);
	cri_call(v->n->cri, "RuntimeService/ListPodSandbox", &r.base,
	        &runtime__v1__list_pod_sandbox_response__descriptor, LIST_TIMEOUT_MS, sandboxes_listed, v);
}

uint64_t view_look(struct node *n)
{
	struct view *v = n->view;
	LOOP_CHECK_OWNER(n->loop);
	if (sm_state(&v->sm) != VIEW_IDLE)
		v->look_again = true;
	else if (!retry_wait_ms(&v->looks, loop_now_ms(n->loop)))
		schedule(v, LOOK_SOON_MS);
	return v->generation + 1;
}

uint64_t view_generation(const struct node *n)
{
	return n->view->complete_generation;
}

/* ---- events ---- */

static void open_stream(struct view *v);

static void reopen(uv_timer_t *t)
{
	struct view *v = t->data;
	if (v->n->cri && !v->event_stream && !v->n->closing)
		open_stream(v);
}

static void on_event(void *arg, struct slice message, const struct err *err)
{
	struct view *v = arg;
	if (!err) {
		/* The runtime's own view lags behind its events: look more than once. */
		v->follow_ups = FOLLOW_UPS;
		retry_succeeded(&v->streams);
		view_look(v->n);
		return;
	}
	v->event_stream = NULL;
	v->events_work = false;
	if (v->n->closing || err->code == ERR_UNIMPLEMENTED)
		return;
	log_debug("node", "containerd's event stream ended", "error=\"%s\"", err->msg);
	view_look(v->n);
	retry_failed(&v->streams, &stream_rule, loop_now_ms(v->n->loop));
	uv_timer_start(&v->stream_timer, reopen, v->streams.pause_ms, 0);
}

static void open_stream(struct view *v)
{
	CHECK(!v->event_stream);
	v->event_stream = events_subscribe(v->n->cri, on_event, v);
	v->events_work = true;
	view_look(v->n);
}

void view_start(struct node *n)
{
	LOOP_CHECK_OWNER(n->loop);
	CHECK(n->cri);
	retry_succeeded(&n->view->looks);
	if (!n->view->event_stream)
		open_stream(n->view);
	view_look(n);
}

/* ---- life ---- */

struct view *view_new(struct node *n, const struct view_callbacks *callbacks)
{
	CHECK(callbacks->stranger && callbacks->container_gone && callbacks->looked);
	struct view *v = xcalloc(1, sizeof *v);
	v->n = n;
	v->callbacks = *callbacks;
	sm_init(&v->sm, &machine, VIEW_IDLE, n->o.node_name);
	v->open = 2;
	uv_timer_init(loop_uv(n->loop), &v->look_timer);
	uv_timer_init(loop_uv(n->loop), &v->stream_timer);
	v->look_timer.data = v->stream_timer.data = v;
	return v;
}

static void timer_closed(uv_handle_t *h)
{
	struct view *v = h->data;
	if (--v->open == 0)
		v->closed(v->closed_arg);
}

void view_close(struct view *v, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(v->n->loop);
	CHECK(v->n->closing);
	v->closed = closed;
	v->closed_arg = arg;
	uv_close((uv_handle_t *)&v->look_timer, timer_closed);
	uv_close((uv_handle_t *)&v->stream_timer, timer_closed);
}

void view_free(struct view *v)
{
	CHECK(!v->open);
	free(v);
}
