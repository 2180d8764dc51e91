/* The collection of pods that nobody looks after any more:
 *
 *     its node is gone             after 40 s, in case it comes back, and a last look at the API
 *     dying, and never had a node  at once
 *     dying, on a node that is out of service (a taint that an administrator sets) and not ready     at once
 *     ended, and there are more than terminated_pods_max of those    the oldest, evicted ones first, every 20 s
 *
 * They become Failed before they go, unless they have ended, so that their jobs count them; DisruptionTarget says why,
 * where somebody else is the cause. Keys are pods, and "ended" in a queue of its own for all of the last kind: how many
 * there are is counted as they come and go.
 *
 * Upstream: pkg/controller/podgc. */
#include "api/controllers/controllers_int.h"
#include "api/controllers/terminated.h"

enum { GONE_NODE_MS = 40 * 1000, ENDED_MS = 20 * 1000 };

#define OUT_OF_SERVICE "\"node.kubernetes.io/out-of-service\""

static const char reason[] = "DeletionByPodGC";

struct pod_gc {
	struct controllers *c;
	struct shared_informer *nodes, *pods;
	struct informer_index *pods_by_node;
	struct work_queue *queue, *ended;
	struct map missing; /* nodes that pods name and that are not there: while there are such pods */
	size_t n_ended;
};

struct missing {
	struct slice name;
	uint64_t since_ms;
};

/* ---- nodes ---- */

static bool is_out_of_service(struct slice node)
{
	struct slice taints = json_find(node, "spec", "taints", NULL);
	return taints.len && memmem(taints.ptr, taints.len, OUT_OF_SERVICE, strlen(OUT_OF_SERVICE)) != NULL;
}

static void wake_pods(struct pod_gc *s, struct slice node)
{
	INFORMER_GROUP_FOREACH(o, informer_index_group(s->pods_by_node, node))
	work_queue_add(s->queue, o->key);
}

static void node_added(void *arg, struct informer_object *o)
{
	struct pod_gc *s = arg;
	free(map_del(&s->missing, o->key));
	if (is_out_of_service(informer_text(o)))
		wake_pods(s, o->key);
}

static void node_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	if (is_out_of_service(informer_text(o)))
		wake_pods(arg, o->key);
}

static void node_deleted(void *arg, struct informer_object *o)
{
	wake_pods(arg, o->key);
}

/* ---- pods ---- */

static bool has_ended(struct slice pod)
{
	struct slice phase = json_find(pod, "status", "phase", NULL);
	return slice_is(phase, "Succeeded") || slice_is(phase, "Failed");
}

static void count_ended(struct pod_gc *s, bool was, bool is)
{
	s->n_ended += (size_t)is - (size_t)was;
	if (is && terminated_excess(s->n_ended, s->c->terminated_pods_max))
		work_queue_add_after(s->ended, SLICE("ended"), ENDED_MS);
}

static void look_at(struct pod_gc *s, struct informer_object *o)
{
	struct slice text = informer_text(o), node = json_find(text, "spec", "nodeName", NULL);
	bool is_dying = json_find(text, "metadata", "deletionTimestamp", NULL).len;
	struct informer_object *n = node.len ? informer_get(shared_informer_base(s->nodes), node) : NULL;
	if (n ? is_dying && is_out_of_service(informer_text(n)) : is_dying || node.len)
		work_queue_add(s->queue, o->key);
}

static void pod_added(void *arg, struct informer_object *o)
{
	count_ended(arg, false, has_ended(informer_text(o)));
	look_at(arg, o);
}

static void pod_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	struct slice text = informer_text(o), old = {before->data, before->len};
	count_ended(arg, has_ended(old), has_ended(text));
	if (json_find(text, "metadata", "deletionTimestamp", NULL).len !=
	                json_find(old, "metadata", "deletionTimestamp", NULL).len ||
	        !slice_eq(json_find(text, "spec", "nodeName", NULL), json_find(old, "spec", "nodeName", NULL)))
		look_at(arg, o);
}

/* The last pod of a node that is missing takes its entry along. */
static void pod_deleted(void *arg, struct informer_object *o)
{
	struct pod_gc *s = arg;
	struct slice node = json_find(informer_text(o), "spec", "nodeName", NULL);
	count_ended(s, has_ended(informer_text(o)), false);
	if (node.len && !informer_index_group(s->pods_by_node, node))
		free(map_del(&s->missing, node));
}

/* ---- going ---- */

struct leaver {
	struct pod_gc *s;
	struct work *work;
	struct meta meta;
	bool has_ended;
};

static void leave_now(struct leaver *l)
{
	struct arena *a = &l->work->arena;
	struct json *options = json_new(a, JSON_OBJECT);
	json_set_str(a, json_need(a, options, "preconditions", JSON_OBJECT), "uid", l->meta.uid);
	json_set_int(a, options, "gracePeriodSeconds", 0);
	work_send(l->work, "DELETE", kube_path(a, "v1", "pods", l->meta.ns, l->meta.name, NULL), options,
	        work_done_ignore_missing);
}

static void failed(struct work_call *call)
{
	if (call->request.err.code)
		work_done_ignore_missing(call);
	else
		leave_now(call->arg);
}

/* `message` NULL: nobody disrupted it. */
static void fail_and_leave(struct leaver *l, const char *message)
{
	struct arena *a = &l->work->arena;
	struct json *patch = json_new(a, JSON_OBJECT), *status = json_need(a, patch, "status", JSON_OBJECT);
	if (l->has_ended) {
		leave_now(l);
		return;
	}
	json_set_str(a, json_need(a, patch, "metadata", JSON_OBJECT), "uid", l->meta.uid);
	json_set_cstr(a, status, "phase", "Failed");
	if (message)
		condition_set(a, json_need(a, status, "conditions", JSON_ARRAY), "DisruptionTarget", "True", reason,
		        message, NULL);
	work_patch(
	        l->work, kube_path(a, "v1", "pods", l->meta.ns, l->meta.name, "status"), strategic_patch, patch, failed)
	        ->arg = l;
}

/* ---- a pod ---- */

static void node_asked(struct work_call *call)
{
	struct leaver *l = call->arg;
	if (call->request.err.code == ERR_NOT_FOUND)
		fail_and_leave(l, "PodGC: node no longer exists");
	else if (call->request.err.code)
		work_fail(l->work, &call->request.err);
}

/* Since when a node is missing; the first look starts the time. */
static uint64_t missing_since_ms(struct pod_gc *s, struct slice node)
{
	struct missing *m = map_get(&s->missing, node);
	if (!m) {
		m = MAP_ENTRY_NEW(struct missing, name, node);
		m->since_ms = controllers_now_ms(s->c);
		map_put(&s->missing, m->name, m);
	}
	return m->since_ms;
}

static void node_gone(struct leaver *l, struct slice node)
{
	uint64_t gone_ms = controllers_now_ms(l->s->c) - missing_since_ms(l->s, node);
	if (gone_ms < GONE_NODE_MS)
		work_again(l->work, (int64_t)(GONE_NODE_MS - gone_ms));
	else
		work_send(l->work, "GET", kube_path(&l->work->arena, "v1", "nodes", SLICE_NULL, node, NULL), NULL,
		        node_asked)
		        ->arg = l;
}

static bool is_ready(struct arena *a, const struct informer_object *node)
{
	struct json *conditions =
	        json_parse(a, json_find(informer_text(node), "status", "conditions", NULL), NULL, NULL);
	return slice_is(json_get_str(condition_find(conditions, "Ready"), "status"), "True");
}

static void run(struct work *w)
{
	struct pod_gc *s = w->arg;
	struct informer_object *o = informer_get(shared_informer_base(s->pods), w->key);
	if (!o)
		return;
	rcbuf_unref_with(&w->arena, rcbuf_ref(o->json));
	struct leaver *l = ARENA_NEW(&w->arena, struct leaver);
	struct slice text = informer_text(o), node = json_find(text, "spec", "nodeName", NULL);
	*l = (struct leaver){.s = s, .work = w, .has_ended = has_ended(text)};
	meta_read(text, &l->meta);
	struct informer_object *n = node.len ? informer_get(shared_informer_base(s->nodes), node) : NULL;
	if (node.len && !n)
		node_gone(l, node);
	else if (!node.len && l->meta.deletion_timestamp.len)
		fail_and_leave(l, NULL);
	else if (n && l->meta.deletion_timestamp.len && is_out_of_service(informer_text(n)) && !is_ready(&w->arena, n))
		fail_and_leave(l, "PodGC: node is out of service");
}

/* ---- pods that have ended ---- */

static void delete_ended(struct work *w, const struct informer_object *o)
{
	struct leaver *l = ARENA_NEW(&w->arena, struct leaver);
	*l = (struct leaver){.work = w};
	rcbuf_unref_with(&w->arena, rcbuf_ref(o->json));
	meta_read(informer_text(o), &l->meta);
	leave_now(l);
}

/* A thousand at a time: what remains comes right after. */
static void run_ended(struct work *w)
{
	enum { AT_ONCE = 1000 };
	struct pod_gc *s = w->arg;
	struct terminated_pod *pods = ARENA_ARRAY(&w->arena, struct terminated_pod, s->n_ended + 1);
	size_t n = 0, excess = terminated_excess(s->n_ended, s->c->terminated_pods_max);
	if (!excess)
		return;
	INFORMER_FOREACH(o, shared_informer_base(s->pods))
	{
		struct slice text = informer_text(o);
		if (!has_ended(text) || json_find(text, "metadata", "deletionTimestamp", NULL).len || n == s->n_ended)
			continue;
		pods[n++] = (struct terminated_pod){o->key,
		        kube_time_parse(json_find(text, "metadata", "creationTimestamp", NULL)),
		        slice_is(json_find(text, "status", "reason", NULL), "Evicted"), o};
	}
	terminated_sort(pods, n);
	n = n < excess ? n : excess;
	for (size_t i = 0; i < n && i < AT_ONCE; i++)
		delete_ended(w, pods[i].object);
	work_again(w, n > AT_ONCE ? 1 : ENDED_MS);
}

/* ---- life ---- */

void *pod_gc_controller_start(struct controllers *c)
{
	struct pod_gc *s = xcalloc(1, sizeof *s);
	s->c = c;
	s->queue = controllers_queue(c, "podgc", 8, run, s);
	s->ended = controllers_queue(c, "podgc-ended", 1, run_ended, s);
	s->pods = controllers_listen(c, PODS,
	        &(struct informer_handler){
	                .added = pod_added, .updated = pod_updated, .deleted = pod_deleted, .arg = s});
	s->pods_by_node = informer_index_get(s->pods, "node", informer_index_pod_node);
	s->nodes = controllers_listen(c, NODES,
	        &(struct informer_handler){
	                .added = node_added, .updated = node_updated, .deleted = node_deleted, .arg = s});
	return s;
}

void pod_gc_controller_release(void *state)
{
	struct pod_gc *s = state;
	MAP_FOREACH (slot, &s->missing)
		free(slot->value);
	map_release(&s->missing);
	free(s);
}
