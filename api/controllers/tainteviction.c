/* Pods that do not tolerate a NoExecute taint of their node leave it: at once, or when tolerationSeconds are over,
 * counted from the taint's timeAdded. Keys are pods; nothing waits for pods on nodes without such taints. Pods whose
 * node is gone are podgc.c's.
 *
 * Upstream: pkg/controller/tainteviction. */
#include "api/controllers/controllers_int.h"
#include "api/machinery/schema/node_selector.h"

struct evictions {
	struct controllers *c;
	struct shared_informer *nodes, *pods;
	struct informer_index *pods_by_node;
	struct work_queue *queue;
	struct recorder *recorder;
	struct map waiting; /* pods that go when their time is over: key -> a copy of it, owned */
};

/* ---- events ---- */

static bool has_no_execute(struct slice node_text)
{
	struct slice taints = json_find(node_text, "spec", "taints", NULL);
	return taints.len && memmem(taints.ptr, taints.len, "\"NoExecute\"", 11) != NULL;
}

static void wake_pods(struct evictions *s, struct slice node)
{
	INFORMER_GROUP_FOREACH(o, informer_index_group(s->pods_by_node, node))
	work_queue_add(s->queue, o->key);
}

static void node_changed(void *arg, struct informer_object *o)
{
	if (has_no_execute(informer_text(o)))
		wake_pods(arg, o->key);
}

static void node_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	struct slice old = {before->data, before->len};
	if (slice_eq(json_find(informer_text(o), "spec", "taints", NULL), json_find(old, "spec", "taints", NULL)))
		return;
	if (has_no_execute(old))
		wake_pods(arg, o->key); /* those that wait may stay now */
	else
		node_changed(arg, o);
}

static void pod_changed(void *arg, struct informer_object *o)
{
	struct evictions *s = arg;
	struct slice node = json_find(informer_text(o), "spec", "nodeName", NULL);
	struct informer_object *n = node.len ? informer_get(shared_informer_base(s->nodes), node) : NULL;
	if (n && has_no_execute(informer_text(n)))
		work_queue_add(s->queue, o->key);
}

static void pod_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	struct slice text = informer_text(o), old = {before->data, before->len};
	bool same = slice_eq(json_find(text, "spec", NULL), json_find(old, "spec", NULL)) &&
	            json_find(text, "metadata", "deletionTimestamp", NULL).len ==
	                    json_find(old, "metadata", "deletionTimestamp", NULL).len;
	if (!same)
		pod_changed(arg, o);
}

static void forget(struct evictions *s, struct slice key)
{
	free(map_del(&s->waiting, key));
}

static void pod_deleted(void *arg, struct informer_object *o)
{
	forget(arg, o->key);
}

/* ---- tolerations ---- */

static bool tolerates(const struct json *t, const struct json *taint)
{
	return toleration_covers(t, json_get_str(taint, "key"), json_get_str(taint, "value"), SLICE("NoExecute"));
}

/* Seconds since 1970 when the pod must go; 0: at once, -1: it may stay. The shortest of the tolerations that are used
 * counts. */
static int64_t leave_at(const struct json *taints, const struct json *tolerations)
{
	int64_t leave = -1;
	JSON_FOREACH (taint, taints) {
		bool tolerated = false;
		int64_t since = kube_time_parse(json_get_str(taint, "timeAdded"));
		if (!slice_is(json_get_str(taint, "effect"), "NoExecute"))
			continue;
		JSON_FOREACH (t, tolerations) {
			struct json *seconds = json_get(t, "tolerationSeconds");
			if (!tolerates(t, taint))
				continue;
			tolerated = true;
			int64_t limit = seconds ? json_int(seconds, 0) : -1,
			        at = (since ? since : kube_time_now_s()) + limit;
			if (limit >= 0 && (leave < 0 || at < leave))
				leave = limit > 0 ? at : 0;
		}
		if (!tolerated)
			return 0;
	}
	return leave;
}

/* ---- leaving ---- */

struct leaver {
	struct evictions *s;
	struct work *work;
	struct meta meta;
};

static void delete_pod(struct leaver *l)
{
	struct arena *a = &l->work->arena;
	struct json *options = json_new(a, JSON_OBJECT);
	json_set_str(a, json_need(a, options, "preconditions", JSON_OBJECT), "uid", l->meta.uid);
	work_send(l->work, "DELETE", kube_path(a, "v1", "pods", l->meta.ns, l->meta.name, NULL), options,
	        work_done_ignore_missing);
}

static void marked(struct work_call *call)
{
	struct leaver *l = call->arg;
	if (call->request.err.code)
		work_done_ignore_missing(call);
	else
		delete_pod(l);
}

/* The condition DisruptionTarget says why before the pod goes. */
static void send_away(struct leaver *l, const char *reason, const char *message)
{
	struct arena *a = &l->work->arena;
	struct json *patch = json_new(a, JSON_OBJECT), *c = json_new(a, JSON_OBJECT),
	            *status = json_need(a, patch, "status", JSON_OBJECT);
	json_set_str(a, json_need(a, patch, "metadata", JSON_OBJECT), "uid", l->meta.uid);
	json_set_cstr(a, c, "type", "DisruptionTarget");
	json_set_cstr(a, c, "status", "True");
	json_set_cstr(a, c, "reason", reason);
	json_set_cstr(a, c, "message", message);
	json_set_cstr(a, c, "lastTransitionTime", kube_time_text(a, 0));
	json_append(json_need(a, status, "conditions", JSON_ARRAY), c);
	work_patch(
	        l->work, kube_path(a, "v1", "pods", l->meta.ns, l->meta.name, "status"), strategic_patch, patch, marked)
	        ->arg = l;
}

/* It goes later, if nothing comes between. */
static void wait_until(struct leaver *l, int64_t left_s)
{
	struct map *waiting = &l->s->waiting;
	struct slice key = l->work->key;
	work_again(l->work, left_s * 1000);
	if (map_get(waiting, key))
		return;
	char *copy = xmemdup(key.ptr, key.len);
	map_put(waiting, (struct slice){copy, key.len}, copy);
}

static void may_stay(struct leaver *l)
{
	struct recorder_subject about = recorder_about("v1", "Pod", &l->meta);
	if (!map_get(&l->s->waiting, l->work->key))
		return;
	forget(l->s, l->work->key);
	recorder_event(l->s->recorder, &about, "Normal", "TaintManagerEviction", "Cancelling deletion of Pod %.*s",
	        SLICE_FMT(l->work->key));
}

/* Judges a pod whose node is there. */
static void judge(struct leaver *l, struct slice pod, struct slice node)
{
	struct arena *a = &l->work->arena;
	struct slice tolerations = json_find(pod, "spec", "tolerations", NULL);
	struct json *node_spec = json_parse(a, json_find(node, "spec", NULL), NULL, NULL);
	int64_t leave = leave_at(
	        json_get(node_spec, "taints"), tolerations.len ? json_parse(a, tolerations, NULL, NULL) : NULL);
	int64_t now_s = kube_time_now_s();
	if (leave < 0) {
		may_stay(l);
		return;
	}
	if (leave > now_s) {
		wait_until(l, leave - now_s);
		return;
	}
	forget(l->s, l->work->key);
	struct recorder_subject about = recorder_about("v1", "Pod", &l->meta);
	recorder_event(l->s->recorder, &about, "Normal", "TaintManagerEviction", "Marking for deletion Pod %.*s",
	        SLICE_FMT(l->work->key));
	send_away(l, "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint");
}

static void run(struct work *w)
{
	struct evictions *s = w->arg;
	struct arena *a = &w->arena;
	struct informer_object *o = informer_get(shared_informer_base(s->pods), w->key);
	if (!o)
		return;
	rcbuf_unref_with(a, rcbuf_ref(o->json));
	struct leaver *l = ARENA_NEW(a, struct leaver);
	struct slice text = informer_text(o), node = json_find(text, "spec", "nodeName", NULL);
	*l = (struct leaver){.s = s, .work = w};
	meta_read(text, &l->meta);
	struct informer_object *n = node.len ? informer_get(shared_informer_base(s->nodes), node) : NULL;
	if (n && !l->meta.deletion_timestamp.len)
		judge(l, text, informer_text(n));
}

void *taint_eviction_controller_start(struct controllers *c)
{
	struct evictions *s = xcalloc(1, sizeof *s);
	s->c = c;
	s->recorder = controllers_recorder(c, "taint-eviction-controller");
	s->queue = controllers_queue(c, "tainteviction", 8, run, s);
	s->pods = controllers_listen(c, PODS,
	        &(struct informer_handler){
	                .added = pod_changed, .updated = pod_updated, .deleted = pod_deleted, .arg = s});
	s->pods_by_node = informer_index_get(s->pods, "node", informer_index_pod_node);
	s->nodes = controllers_listen(
	        c, NODES, &(struct informer_handler){.added = node_changed, .updated = node_updated, .arg = s});
	return s;
}

void taint_eviction_controller_release(void *state)
{
	struct evictions *s = state;
	MAP_FOREACH (slot, &s->waiting)
		free(slot->value);
	map_release(&s->waiting);
	free(s);
}
