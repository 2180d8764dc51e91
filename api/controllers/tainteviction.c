/* Pods that have to leave: those that do not tolerate a NoExecute taint of their node (at once, or when
 * tolerationSeconds are over, counted from the taint's timeAdded), those whose node is gone (after 40 s, in case it
 * comes back), and dying ones that never had a node. Keys are pods; nothing waits for pods on nodes without such
 * taints.
 *
 * Upstream: pkg/controller/tainteviction, pkg/controller/podgc. */
#include "api/controllers/controllers_int.h"
#include "api/machinery/schema/node_selector.h"

enum { GONE_NODE_MS = 40 * 1000 };

struct evictions {
	struct controllers *c;
	struct shared_informer *nodes, *pods;
	struct informer_index *pods_by_node;
	struct work_queue *queue;
	struct recorder *recorder;
	struct map missing; /* nodes that pods name and that are not there: while there are such pods */
};

struct missing {
	struct slice name;
	uint64_t since_ms;
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
	struct evictions *s = arg;
	free(map_del(&s->missing, o->key));
	if (has_no_execute(informer_text(o)))
		wake_pods(arg, o->key);
}

static void node_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	struct slice old = {before->data, before->len};
	if (!slice_eq(json_find(informer_text(o), "spec", "taints", NULL), json_find(old, "spec", "taints", NULL)))
		node_changed(arg, o);
}

static void node_deleted(void *arg, struct informer_object *o)
{
	wake_pods(arg, o->key);
}

static void pod_changed(void *arg, struct informer_object *o)
{
	struct evictions *s = arg;
	struct slice text = informer_text(o), node = json_find(text, "spec", "nodeName", NULL);
	if (!node.len) {
		if (json_find(text, "metadata", "deletionTimestamp", NULL).len)
			work_queue_add(s->queue, o->key);
		return;
	}
	struct informer_object *n = informer_get(shared_informer_base(s->nodes), node);
	if (!n || has_no_execute(informer_text(n)))
		work_queue_add(s->queue, o->key);
}

/* The last pod of a node that is missing takes its entry along. */
static void pod_deleted(void *arg, struct informer_object *o)
{
	struct evictions *s = arg;
	struct slice node = json_find(informer_text(o), "spec", "nodeName", NULL);
	if (node.len && !informer_index_group(s->pods_by_node, node))
		free(map_del(&s->missing, node));
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
	bool at_once; /* grace 0: nobody is left to do it gently */
};

static void delete_pod(struct leaver *l)
{
	struct arena *a = &l->work->arena;
	struct json *options = json_new(a, JSON_OBJECT);
	json_set_str(a, json_need(a, options, "preconditions", JSON_OBJECT), "uid", l->meta.uid);
	if (l->at_once)
		json_set_int(a, options, "gracePeriodSeconds", 0);
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

/* The condition DisruptionTarget says why before the pod goes; pods of lost nodes end as Failed, for their jobs' sake.
 */
static void send_away(struct leaver *l, const char *reason, const char *message, bool fails)
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
	if (fails)
		json_set_cstr(a, status, "phase", "Failed");
	work_patch(
	        l->work, kube_path(a, "v1", "pods", l->meta.ns, l->meta.name, "status"), strategic_patch, patch, marked)
	        ->arg = l;
}

static void node_asked(struct work_call *call)
{
	struct leaver *l = call->arg;
	if (call->request.err.code == ERR_NOT_FOUND)
		send_away(l, "DeletionByPodGC", "PodGC: node no longer exists", true);
	else if (call->request.err.code)
		work_fail(l->work, &call->request.err);
}

/* Since when a node is missing; the first look starts the time. */
static uint64_t missing_since_ms(struct evictions *s, struct slice node)
{
	struct missing *m = map_get(&s->missing, node);
	if (!m) {
		m = MAP_ENTRY_NEW(struct missing, name, node);
		m->since_ms = controllers_now_ms(s->c);
		map_put(&s->missing, m->name, m);
	}
	return m->since_ms;
}

/* 40 s later, and after a last look, it is over. */
static void node_gone(struct leaver *l, struct slice node)
{
	uint64_t gone_ms = controllers_now_ms(l->s->c) - missing_since_ms(l->s, node);
	if (gone_ms < GONE_NODE_MS) {
		work_again(l->work, (int64_t)(GONE_NODE_MS - gone_ms));
		return;
	}
	work_send(l->work, "GET", kube_path(&l->work->arena, "v1", "nodes", SLICE_NULL, node, NULL), NULL, node_asked)
	        ->arg = l;
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
	if (leave < 0)
		return;
	if (leave > now_s) {
		work_again(l->work, (leave - now_s) * 1000);
		return;
	}
	struct recorder_subject about = recorder_about("v1", "Pod", &l->meta);
	recorder_event(l->s->recorder, &about, "Normal", "TaintManagerEviction", "Marking for deletion Pod %.*s",
	        SLICE_FMT(l->work->key));
	send_away(l, "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint", false);
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
	if (!node.len || !n) {
		l->at_once = true;
		if (node.len)
			node_gone(l, node);
		else if (l->meta.deletion_timestamp.len)
			delete_pod(l);
		return;
	}
	if (l->meta.deletion_timestamp.len)
		return;
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
	s->nodes = controllers_listen(c, NODES,
	        &(struct informer_handler){
	                .added = node_changed, .updated = node_updated, .deleted = node_deleted, .arg = s});
	return s;
}

void taint_eviction_controller_release(void *state)
{
	struct evictions *s = state;
	MAP_FOREACH (slot, &s->missing)
		free(slot->value);
	map_release(&s->missing);
	free(s);
}
