/* The view of the runtime: which sandboxes and containers exist, and how they are.
 *
 * A look is: list sandboxes, list containers, then ask for the details of those whose state is not the one we know.
 * Looks have generations; runtime_look() promises one that began after the call, and a pod that has just done something
 * waits for it before it acts again, so that nobody decides on an old view.
 *
 * What makes us look: our own operations; containerd's event stream (a task ended), so that an idle node asks nothing;
 * and a slow look every LOOK_IDLE_MS for whatever was missed. A runtime without that event service is looked at every
 * second while it has pods. */
#include "base/log.h"
#include "node/events_topic.h"
#include "node/files.h"
#include "node/log_file.h"
#include "node/pod.h"

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
	MESSAGE_BYTES_MAX = 4096
};

static void look(uv_timer_t *t);

/* ---- records ---- */

void container_free(struct container *c)
{
	probes_stop(c);
	list_del(&c->in_pod);
	free(c->id);
	free(c->sandbox_id);
	free(c->name);
	free(c->reason);
	free(c->message);
	free(c->image_ref);
	free(c->hash);
	free(c);
}

void sandbox_free(struct sandbox *s)
{
	list_del(&s->in_pod);
	free(s->id);
	free(s->ip);
	free(s);
}

static const char *pair_get(CRI(Pair) *const *pairs, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(pairs[i]->key, key) == 0)
			return pairs[i]->value;
	return "";
}

static struct pod *pod_of(struct node *n, const char *uid, const char *ns, const char *name)
{
	struct pod *p = node_pod(n, slice_of(uid));
	if (p || !*uid || !node_is_server_known(n))
		return p;
	log_info("node", "stopping a pod that the API server does not have", "pod=%s/%s uid=%s", ns, name, uid);
	p = pod_new(n, slice_of(uid), slice_of(ns), slice_of(name));
	pod_set_vanished(p);
	return p;
}

/* ---- the end of a look ---- */

static void schedule(struct node *n, unsigned ms)
{
	if (!n->closing)
		uv_timer_start(&n->look_timer, look, ms, 0);
}

static void drop_unseen(struct pod *p, uint64_t generation)
{
	LIST_FOREACH (it, &p->containers) {
		struct container *c = CONTAINER_OF(it, struct container, in_pod);
		if (c->seen != generation) {
			container_free(c);
			p->changed = true;
		}
	}
	LIST_FOREACH (it, &p->sandboxes) {
		struct sandbox *s = CONTAINER_OF(it, struct sandbox, in_pod);
		if (s->seen != generation) {
			sandbox_free(s);
			p->changed = true;
		}
	}
}

static void finish_look(struct node *n)
{
	size_t count = 0;
	struct pod **pods = xcalloc(n->pods.count + 1, sizeof *pods);
	n->looking = false;
	n->view_generation = n->look_generation;
	MAP_FOREACH (it, &n->pods)
		pods[count++] = it->value;
	unsigned idle_ms = n->events_work || !count ? LOOK_IDLE_MS : LOOK_POLL_MS;
	schedule(n, n->look_again ? LOOK_SOON_MS : n->follow_ups ? LOOK_FOLLOW_MS : idle_ms);
	if (!n->look_again && n->follow_ups)
		n->follow_ups--;
	n->look_again = false;
	for (size_t i = 0; i < count; i++) {
		struct pod *p = pods[i];
		drop_unseen(p, n->view_generation);
		bool changed = p->changed;
		p->changed = false;
		if (changed)
			pod_changed(p);
		else if (p->need_generation)
			pod_tick(p);
	}
	free(pods);
}

static void inspected(struct node *n)
{
	if (--n->inspections == 0)
		finish_look(n);
}

static void look_failed(struct node *n, const struct err *err)
{
	n->looking = false;
	if (err->code != ERR_CANCELED)
		log_warn("node", "cannot look at the container runtime", "error=\"%s\"", err->msg);
	schedule(n, LOOK_RETRY_MS);
}

/* ---- details ---- */

struct inspection {
	struct node *node;
	char *uid, *id;
};

static struct inspection *inspection_new(struct node *n, const char *uid, const char *id)
{
	struct inspection *i = xcalloc(1, sizeof *i);
	*i = (struct inspection){n, xstrdup(uid), xstrdup(id)};
	n->inspections++;
	return i;
}

static void inspection_end(struct inspection *i)
{
	struct node *n = i->node;
	free(i->uid);
	free(i->id);
	free(i);
	inspected(n);
}

static void set(char **field, const char *value)
{
	free(*field);
	*field = xstrdup(value ? value : "");
}

static void read_termination_message(struct pod *p, struct container *c)
{
	struct arena a = ARENA_INIT;
	size_t len = 0;
	struct json *spec = pod_container_spec(p, c->name);
	char *text = file_read(arena_printf(&a, "%s/containers/%s/%u.log", pod_dir(p, &a), c->name, c->attempt),
	        MESSAGE_BYTES_MAX, false, &len);
	if (text && !len && c->exit_code != 0 &&
	        slice_is(json_get_str(spec, "terminationMessagePolicy"), "FallbackToLogsOnError")) {
		free(text);
		text = log_file_tail(
		        arena_printf(&a, "%s/%s/%u.log", pod_log_dir(p, &a), c->name, c->attempt), 80, 2048);
		len = text ? strlen(text) : 0;
	}
	if (text && len)
		set(&c->message, text);
	free(text);
	arena_release(&a);
}

static struct container *find_container(struct pod *p, const char *id)
{
	LIST_FOREACH (it, &p->containers) {
		struct container *c = CONTAINER_OF(it, struct container, in_pod);
		if (strcmp(c->id, id) == 0)
			return c;
	}
	return NULL;
}

static void container_told(void *arg, const void *answer, const struct err *err)
{
	struct inspection *i = arg;
	const CRI(ContainerStatus) *s = answer ? ((const CRI(ContainerStatusResponse) *)answer)->status : NULL;
	struct pod *p = node_pod(i->node, slice_of(i->uid));
	struct container *c = p ? find_container(p, i->id) : NULL;
	if (s && c) {
		c->is_known = true;
		c->state = c->known_state = (enum container_state)s->state;
		c->created_ns = s->created_at;
		c->started_ns = s->started_at;
		c->finished_ns = s->finished_at;
		c->exit_code = s->exit_code;
		set(&c->reason, s->reason);
		set(&c->message, s->message);
		set(&c->image_ref, s->image_ref);
		if (c->state == CONTAINER_EXITED)
			read_termination_message(p, c);
		p->changed = true;
	}
	inspection_end(i);
}

static struct sandbox *find_sandbox(struct pod *p, const char *id)
{
	LIST_FOREACH (it, &p->sandboxes) {
		struct sandbox *s = CONTAINER_OF(it, struct sandbox, in_pod);
		if (strcmp(s->id, id) == 0)
			return s;
	}
	return NULL;
}

static void sandbox_told(void *arg, const void *answer, const struct err *err)
{
	struct inspection *i = arg;
	const CRI(PodSandboxStatus) *st = answer ? ((const CRI(PodSandboxStatusResponse) *)answer)->status : NULL;
	struct pod *p = node_pod(i->node, slice_of(i->uid));
	struct sandbox *s = p ? find_sandbox(p, i->id) : NULL;
	if (st && s) {
		s->is_known = true;
		set(&s->ip, st->network ? st->network->ip : "");
		p->changed = true;
	}
	inspection_end(i);
}

/* ---- lists ---- */

static void add_sandbox(struct node *n, const CRI(PodSandbox) * item)
{
	struct pod *p = item->metadata
	                        ? pod_of(n, item->metadata->uid, item->metadata->namespace_, item->metadata->name)
	                        : NULL;
	if (!p)
		return;
	struct sandbox *s = find_sandbox(p, item->id);
	bool ready = item->state == RUNTIME__V1__POD_SANDBOX_STATE__SANDBOX_READY;
	if (!s) {
		s = xcalloc(1, sizeof *s);
		*s = (struct sandbox){.id = xstrdup(item->id),
		        .ip = xstrdup(""),
		        .attempt = item->metadata->attempt,
		        .created_ns = item->created_at};
		struct list_link *at = p->sandboxes.next;
		while (at != &p->sandboxes && CONTAINER_OF(at, struct sandbox, in_pod)->created_ns > s->created_ns)
			at = at->next;
		list_add_before(at, &s->in_pod);
		p->changed = true;
	}
	s->seen = n->look_generation;
	if (s->is_ready != ready)
		p->changed = true;
	s->is_ready = ready;
	if (s->is_known || !ready)
		return;
	CRI(PodSandboxRequest) r = RUNTIME__V1__POD_SANDBOX_REQUEST__INIT;
	r.pod_sandbox_id = s->id;
	cri_call(n->cri, "RuntimeService/PodSandboxStatus", &r.base,
	        &runtime__v1__pod_sandbox_status_response__descriptor, LIST_TIMEOUT_MS, sandbox_told,
	        inspection_new(n, p->uid, s->id));
}

static void add_container(struct node *n, const CRI(Container) * item)
{
	CRI(Pair) *const *labels = item->labels;
	size_t n_labels = item->n_labels;
	const char *uid = pair_get(labels, n_labels, "io.kubernetes.pod.uid");
	struct pod *p = pod_of(n, uid, pair_get(labels, n_labels, "io.kubernetes.pod.namespace"),
	        pair_get(labels, n_labels, "io.kubernetes.pod.name"));
	if (!p)
		return;
	struct container *c = find_container(p, item->id);
	if (!c) {
		c = xcalloc(1, sizeof *c);
		*c = (struct container){.id = xstrdup(item->id),
		        .sandbox_id = xstrdup(item->pod_sandbox_id),
		        .name = xstrdup(pair_get(labels, n_labels, "io.kubernetes.container.name")),
		        .attempt = item->metadata ? item->metadata->attempt : 0,
		        .created_ns = item->created_at,
		        .hash = xstrdup(
		                pair_get(item->annotations, item->n_annotations, "io.kubernetes.container.hash"))};
		struct list_link *at = p->containers.next;
		while (at != &p->containers && CONTAINER_OF(at, struct container, in_pod)->created_ns > c->created_ns)
			at = at->next;
		list_add_before(at, &c->in_pod);
		p->changed = true;
	}
	c->seen = n->look_generation;
	c->state = (enum container_state)item->state;
	if (c->is_known && c->known_state == c->state)
		return;
	CRI(ContainerRequest) r = RUNTIME__V1__CONTAINER_REQUEST__INIT;
	r.container_id = c->id;
	cri_call(n->cri, "RuntimeService/ContainerStatus", &r.base, &runtime__v1__container_status_response__descriptor,
	        LIST_TIMEOUT_MS, container_told, inspection_new(n, p->uid, c->id));
}

static void containers_listed(void *arg, const void *answer, const struct err *err)
{
	struct node *n = arg;
	const CRI(ListContainersResponse) *list = answer;
	if (err)
		look_failed(n, err);
	else
		for (size_t i = 0; i < list->n_containers; i++)
			add_container(n, list->containers[i]);
	if (err)
		n->inspections--;
	else
		inspected(n);
}

static void sandboxes_listed(void *arg, const void *answer, const struct err *err)
{
	struct node *n = arg;
	const CRI(ListPodSandboxResponse) *list = answer;
	if (err) {
		n->inspections--;
		look_failed(n, err);
		return;
	}
	for (size_t i = 0; i < list->n_items; i++)
		add_sandbox(n, list->items[i]);
	CRI(ListContainersRequest) r = RUNTIME__V1__LIST_CONTAINERS_REQUEST__INIT;
	cri_call(n->cri, "RuntimeService/ListContainers", &r.base, &runtime__v1__list_containers_response__descriptor,
	        LIST_TIMEOUT_MS, containers_listed, n);
}

static void look(uv_timer_t *t)
{
	struct node *n = t->data;
	if (n->looking || n->inspections || !n->cri || n->closing) {
		schedule(n, LOOK_RETRY_MS);
		return;
	}
	CRI(ListPodSandboxRequest) r = RUNTIME__V1__LIST_POD_SANDBOX_REQUEST__INIT;
	n->looking = true;
	n->look_generation++;
	n->inspections = 1; /* the lists */
	cri_call(n->cri, "RuntimeService/ListPodSandbox", &r.base, &runtime__v1__list_pod_sandbox_response__descriptor,
	        LIST_TIMEOUT_MS, sandboxes_listed, n);
}

uint64_t runtime_look(struct node *n)
{
	if (n->looking)
		n->look_again = true;
	else
		schedule(n, LOOK_SOON_MS);
	return n->look_generation + 1;
}

/* ---- events ---- */

static void open_stream(struct node *n);

static void reopen(uv_timer_t *t)
{
	struct node *n = t->data;
	if (n->cri && !n->event_stream && !n->closing)
		open_stream(n);
}

static void on_event(void *arg, struct slice message, const struct err *err)
{
	struct node *n = arg;
	if (!err) {
		/* The runtime's own view lags behind its events: look more than once. */
		n->follow_ups = FOLLOW_UPS;
		runtime_look(n);
		return;
	}
	n->event_stream = NULL;
	n->events_work = false;
	if (n->closing || err->code == ERR_UNIMPLEMENTED)
		return;
	log_debug("node", "containerd's event stream ended", "error=\"%s\"", err->msg);
	runtime_look(n);
	uv_timer_start(&n->stream_timer, reopen, STREAM_RETRY_MS, 0);
}

static void open_stream(struct node *n)
{
	n->event_stream = events_subscribe(n->cri, on_event, n);
	n->events_work = true;
	runtime_look(n);
}

void runtime_start(struct node *n)
{
	if (!n->event_stream)
		open_stream(n);
	runtime_look(n);
}

void runtime_stop(struct node *n)
{
	uv_timer_stop(&n->look_timer);
	uv_timer_stop(&n->stream_timer);
}
