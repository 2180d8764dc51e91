/* Telling the API server. Every call lives on the heap with the pod's key and the serial of its stay in the queue; its
 * answer finds the pod by both again, since it may be gone by then, and another of its name may have come. */
#include "api/scheduler/scheduler_int.h"

#include "base/log.h"

struct call {
	struct client_request request;
	struct list_link link;
	struct scheduler *s;
	struct slice key;
	uint64_t serial; /* 0: it was in no queue */
	struct recorder_subject subject;
	const char *node;                        /* binding: which */
	const struct scheduler_extender *binder; /* it is asked, and not the API server */
	bind_written_fn *written;
	struct arena arena;
};

static void call_free(struct call *c)
{
	struct scheduler *s = c->s;
	client_request_release(&c->request);
	list_del(&c->link);
	s->in_flight--;
	arena_release(&c->arena);
	free(c);
	if (s->closing)
		closing_part_done(&s->close);
	else
		scheduler_wake(s);
}

static struct slice copy(struct arena *a, struct slice s)
{
	return (struct slice){arena_memdup(a, s.ptr ? s.ptr : "", s.len), s.len};
}

static struct call *call_new(struct scheduler *s, struct candidate *p, void (*done)(struct client_request *req))
{
	struct call *c = xcalloc(1, sizeof *c);
	struct arena *a = &c->arena;
	c->s = s;
	struct queued_pod *q = queue_find(&s->queue, p->key);
	c->key = copy(a, p->key);
	c->serial = q ? q->serial : 0;
	c->subject = (struct recorder_subject){.api_version = "v1",
	        .kind = "Pod",
	        .ns = copy(a, p->meta.ns),
	        .name = copy(a, p->meta.name),
	        .uid = copy(a, p->meta.uid),
	        .resource_version = copy(a, p->meta.resource_version)};
	c->request.done = done;
	return c;
}

/* It is under way. */
static void begin(struct call *c)
{
	list_push_back(&c->s->calls, &c->link);
	c->s->in_flight++;
	if (c->s->closing)
		closing_hold(&c->s->close);
}

static void send_call(
        struct call *c, const char *method, const char *path, const char *content_type, const struct json *body)
{
	struct strbuf text = STRBUF_INIT;
	json_write(&text, body);
	c->request.method = method;
	c->request.path = path;
	c->request.content_type = content_type;
	c->request.body = copy(&c->arena, strbuf_slice(&text));
	strbuf_release(&text);
	begin(c);
	client_send(c->s->client, &c->request);
}

/* ---- bindings ---- */

/* The pod that was to be bound, NULL when it is gone: the watch may have told so before this answer came. */
static struct queued_pod *still_queued(const struct call *c)
{
	struct queued_pod *q = queue_find(&c->s->queue, c->key);
	return q && q->serial == c->serial ? q : NULL;
}

static void binding_failed(struct call *c)
{
	struct scheduler *s = c->s;
	struct pod_info *info = cache_pod(&s->cache, c->key);
	struct queued_pod *q = still_queued(c);
	if (!q)
		return; /* what is assumed under its name is another's */
	int code = c->request.err.code;
	if (info && info->assumed)
		scheduler_forget_pod(s, c->key);
	if (code == ERR_NOT_FOUND) {
		queue_remove(&s->queue, c->key);
		return;
	}
	recorder_event(s->recorder, &c->subject, "Warning", "FailedScheduling", "%s%s",
	        c->binder ? "" : "binding rejected: ", c->request.err.msg);
	if (q->state == QUEUED_BUSY)
		queue_put_back(&s->queue, q, false, scheduler_now_ms(s));
}

static void bound(struct client_request *req)
{
	struct call *c = CONTAINER_OF(req, struct call, request);
	struct scheduler *s = c->s;
	if (s->closing) {
		call_free(c);
		return;
	}
	if (req->err.code) {
		binding_failed(c);
	} else {
		if (still_queued(c))
			queue_remove(&s->queue, c->key);
		recorder_event(s->recorder, &c->subject, "Normal", "Scheduled", "Successfully assigned %.*s to %s",
		        SLICE_FMT(c->key), c->node);
	}
	call_free(c);
}

static void send_binding(struct call *c)
{
	struct arena *a = &c->arena;
	struct json *body = json_new(a, JSON_OBJECT), *meta = json_need(a, body, "metadata", JSON_OBJECT);
	struct json *target = json_need(a, body, "target", JSON_OBJECT);
	json_set_str(a, meta, "name", c->subject.name);
	json_set_str(a, meta, "namespace", c->subject.ns);
	json_set_str(a, meta, "uid", c->subject.uid);
	json_set_cstr(a, target, "kind", "Node");
	json_set_cstr(a, target, "name", c->node);
	send_call(c, "POST", kube_path(a, "v1", "pods", c->subject.ns, c->subject.name, "binding"), NULL, body);
}

static void extender_bound(struct extender_question *q)
{
	struct call *c = q->arg;
	c->request.err = q->err;
	if (!q->err.code)
		extender_binding_read(q->answer, &c->request.err);
	if (!c->request.err.code || !c->binder->is_ignorable || c->s->closing) {
		bound(&c->request);
		return;
	}
	extender_skip(c->s->extenders, c->binder, &c->request.err);
	c->request.err = ERR_INIT;
	c->binder = NULL;
	list_del(&c->link);
	c->s->in_flight--; /* it is counted again */
	send_binding(c);
}

void bind_send(struct scheduler *s, struct candidate *p, const struct node_info *n)
{
	struct call *c = call_new(s, p, bound);
	struct extender_question *q;
	c->node = arena_memdup(&c->arena, n->name.ptr, n->name.len);
	c->binder = extender_binder(s, p->spec);
	cache_pod_set(&s->cache, p->key, n->name, p->json, true);
	if (!c->binder) {
		send_binding(c);
		return;
	}
	q = ARENA_NEW(&c->arena, struct extender_question);
	q->answered = extender_bound;
	q->arg = c;
	extender_binding_write(&q->body, c->subject.ns, c->subject.name, c->subject.uid, n->name);
	begin(c);
	extender_ask(s->extenders, c->binder, c->binder->bind_verb, q);
}

/* ---- other writes ---- */

static void put(struct client_request *req)
{
	struct call *c = CONTAINER_OF(req, struct call, request);
	struct rcbuf *r = req->response;
	if (!c->s->closing)
		c->written(c->s, c->key, c->serial, &req->err, r ? (struct slice){r->data, r->len} : SLICE_NULL);
	call_free(c);
}

void bind_put(
        struct scheduler *s, struct candidate *p, const char *path, const struct json *object, bind_written_fn *written)
{
	struct call *c = call_new(s, p, put);
	c->written = written;
	send_call(c, "PUT", arena_strdup(&c->arena, path), NULL, object);
}

/* ---- conditions ---- */

static void told(struct client_request *req)
{
	call_free(CONTAINER_OF(req, struct call, request)); /* a lost condition is written again at the next try */
}

void bind_tell_unschedulable(
        struct scheduler *s, struct candidate *p, const char *reason, const char *message, const char *nominated)
{
	struct json *list = json_path(p->pod, "status", "conditions", NULL);
	struct call *c = call_new(s, p, told);
	struct arena *a = &c->arena;
	struct json *conditions = list ? json_copy(a, list) : json_new(a, JSON_ARRAY);
	recorder_event(s->recorder, &c->subject, "Warning", "FailedScheduling", "%s", message);
	if (!condition_set(a, conditions, "PodScheduled", "False", reason, message, NULL) && !nominated) {
		arena_release(a);
		free(c);
		return;
	}
	struct json *patch = json_new(a, JSON_OBJECT), *meta = json_need(a, patch, "metadata", JSON_OBJECT);
	struct json *status = json_need(a, patch, "status", JSON_OBJECT), *one = json_new(a, JSON_ARRAY);
	json_set_str(a, meta, "uid", p->meta.uid);
	struct json *condition = condition_find(conditions, "PodScheduled");
	json_remove(conditions, condition);
	json_append(one, condition);
	json_set(a, status, "conditions", one); /* merged by type */
	if (nominated && *nominated)
		json_set_cstr(a, status, "nominatedNodeName", nominated);
	else if (nominated)
		json_set(a, status, "nominatedNodeName", json_new(a, JSON_NULL));
	send_call(c, "PATCH", kube_path(a, "v1", "pods", p->meta.ns, p->meta.name, "status"),
	        "application/strategic-merge-patch+json", patch);
}

void bind_drop_nomination(struct scheduler *s, struct rcbuf *pod)
{
	struct candidate p = {.json = pod};
	meta_read((struct slice){pod->data, pod->len}, &p.meta);
	struct call *c = call_new(s, &p, told);
	struct arena *a = &c->arena;
	struct json *patch = json_new(a, JSON_OBJECT);
	json_set_str(a, json_need(a, patch, "metadata", JSON_OBJECT), "uid", p.meta.uid);
	json_set(a, json_need(a, patch, "status", JSON_OBJECT), "nominatedNodeName", json_new(a, JSON_NULL));
	send_call(c, "PATCH", kube_path(a, "v1", "pods", p.meta.ns, p.meta.name, "status"),
	        "application/merge-patch+json", patch);
}

/* ---- victims ---- */

/* It stays, and the pod that it should make room for may choose anew. */
static void victim_stays(struct call *c)
{
	struct pod_info *info = cache_pod(&c->s->cache, c->key);
	log_warn("scheduler", "a pod can't be preempted", "pod=%.*s error=\"%s\"", SLICE_FMT(c->key),
	        c->request.err.msg);
	if (!info)
		return;
	info->is_victim = false;
	nominees_retry(c->s, info->node);
}

static bool victim_failed(struct call *c)
{
	int code = c->request.err.code;
	if (code && code != ERR_NOT_FOUND && !c->s->closing)
		victim_stays(c);
	return code || c->s->closing;
}

static void victim_deleted(struct client_request *req)
{
	struct call *c = CONTAINER_OF(req, struct call, request);
	victim_failed(c);
	call_free(c);
}

static void victim_told(struct client_request *req)
{
	struct call *c = CONTAINER_OF(req, struct call, request);
	struct scheduler *s = c->s;
	if (!victim_failed(c)) {
		struct candidate victim = {
		        .key = c->key, .meta = {.ns = c->subject.ns, .name = c->subject.name, .uid = c->subject.uid}};
		struct call *next = call_new(s, &victim, victim_deleted);
		struct arena *a = &next->arena;
		struct json *options = json_new(a, JSON_OBJECT);
		json_set_str(a, json_need(a, options, "preconditions", JSON_OBJECT), "uid", next->subject.uid);
		send_call(next, "DELETE", kube_path(a, "v1", "pods", next->subject.ns, next->subject.name, NULL), NULL,
		        options);
	}
	call_free(c);
}

void bind_evict(
        struct scheduler *s, const struct candidate *p, const struct pod_info *victim, const struct node_info *n)
{
	struct candidate v = {.json = victim->json, .key = victim->key};
	struct slice text = {victim->json->data, victim->json->len};
	meta_read(text, &v.meta);
	struct call *c = call_new(s, &v, victim_told);
	struct arena *a = &c->arena;
	struct json *patch = json_new(a, JSON_OBJECT), *list = json_new(a, JSON_ARRAY);
	recorder_event(s->recorder, &c->subject, "Normal", "Preempted", "Preempted by pod %.*s on node %.*s",
	        SLICE_FMT(p->meta.uid), SLICE_FMT(n->name));
	condition_set(a, list, "DisruptionTarget", "True", "PreemptionByScheduler",
	        arena_printf(a, "%s: preempting to accommodate a higher priority pod", p->profile->name), NULL);
	json_set_str(a, json_need(a, patch, "metadata", JSON_OBJECT), "uid", v.meta.uid);
	json_set(a, json_need(a, patch, "status", JSON_OBJECT), "conditions", list); /* merged by type */
	send_call(c, "PATCH", kube_path(a, "v1", "pods", v.meta.ns, v.meta.name, "status"),
	        "application/strategic-merge-patch+json", patch);
}

void bind_cancel_all(struct scheduler *s)
{
	LIST_FOREACH (it, &s->calls) {
		struct call *c = CONTAINER_OF(it, struct call, link);
		closing_hold(&s->close);
		if (!c->binder)
			client_cancel(s->client, &c->request);
		/* else extenders_close() gives it up */
	}
}
