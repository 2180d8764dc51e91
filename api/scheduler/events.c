/* What the informers tell, made to changes of the cache and of the queue, and to hints for those that wait. See
 * scheduler_int.h.
 *
 * The cache is changed first, so that a hint sees what is there after the event. Nodes tell of themselves often and say
 * little: what does not matter for a placement wakes nobody. */
#include "api/scheduler/scheduler_int.h"

#include "api/machinery/rules/volume_binding.h"

void scheduler_tell(struct scheduler *s, const struct cluster_event *e)
{
	consult_disturb(s);
	if (s->queue.refused.count && refused_event(s, e, scheduler_now_ms(s)))
		scheduler_wake(s);
}

/* ---- pods ---- */

void scheduler_forget_pod(struct scheduler *s, struct slice key)
{
	struct pod_info *p = cache_pod_take(&s->cache, key);
	if (!p)
		return;
	scheduler_tell(s, &(struct cluster_event){.kind = EVENT_POD_GONE, .pod = p});
	cache_pod_free(&s->cache, p);
}

/* An object's parts, found in one pass. */
struct parts {
	struct slice metadata, spec, status;
};

static struct parts parts_of(struct slice text)
{
	struct parts p = {0};
	struct json_scan s;
	json_scan_init(&s, text);
	if (json_scan_next(&s) != JSON_TOKEN_OBJECT)
		return p;
	while (json_scan_member(&s)) {
		struct slice key = s.key;
		if (!json_scan_skip(&s))
			break;
		if (slice_is(key, "metadata"))
			p.metadata = s.text;
		else if (slice_is(key, "spec"))
			p.spec = s.text;
		else if (slice_is(key, "status"))
			p.status = s.text;
	}
	return p;
}

/* What stands in the status, of an earlier run or of another scheduler; our own of this run is known already. */
static void nomination_read(struct scheduler *s, struct informer_object *o, const struct parts *p)
{
	struct slice node = json_find(p->status, "nominatedNodeName", NULL);
	if (node.len && !nominee_node(s, o->key).len)
		nominee_set(s, o->key, node, o->json);
}

static void pod_has_node(struct scheduler *s, struct informer_object *o, struct slice node)
{
	struct pod_info *p = cache_pod(&s->cache, o->key);
	struct rcbuf *before = p ? rcbuf_ref(p->json) : NULL;
	struct cluster_event e = {.kind = EVENT_POD_CHANGED};
	bool is_new = !p || p->assumed;
	if (before) {
		e.labels_before = json_find((struct slice){before->data, before->len}, "metadata", "labels", NULL);
		e.was_dying = p->is_dying;
	}
	bool shrunk = cache_pod_set(&s->cache, o->key, node, o->json, false);
	e.pod = cache_pod(&s->cache, o->key);
	if (is_new)
		e.kind = EVENT_POD_PLACED;
	if (is_new || e.was_dying != e.pod->is_dying || !slice_eq(e.labels_before, e.pod->labels))
		scheduler_tell(s, &e);
	if (shrunk)
		scheduler_tell(s, &(struct cluster_event){.kind = EVENT_POD_SHRUNK, .pod = e.pod});
	rcbuf_unref(before);
}

static void pod_is_out(struct scheduler *s, struct slice key)
{
	queue_remove(&s->queue, key);
	nominee_forget(s, key, SLICE_NULL);
}

static void pod_changed(void *arg, struct informer_object *o)
{
	struct scheduler *s = arg;
	struct parts p = parts_of(informer_text(o));
	struct slice node = json_find(p.spec, "nodeName", NULL), phase = json_find(p.status, "phase", NULL);
	bool ended = slice_is(phase, "Succeeded") || slice_is(phase, "Failed");
	consult_pod_changed(s, o->key);
	if (node.len && !ended) {
		queue_remove(&s->queue, o->key);
		pod_has_node(s, o, node);
		nominee_forget(s, o->key, node);
		return;
	}
	if (ended) {
		pod_is_out(s, o->key);
		scheduler_forget_pod(s, o->key);
		return;
	}
	if (!scheduler_profile_of(s, json_find(p.spec, "schedulerName", NULL)) ||
	        json_find(p.metadata, "deletionTimestamp", NULL).len) {
		pod_is_out(s, o->key);
		return;
	}
	int64_t priority = 0;
	nomination_read(s, o, &p);
	struct slice gates = json_find(p.spec, "schedulingGates", NULL);
	slice_to_i64(json_find(p.spec, "priority", NULL), &priority);
	queue_add(&s->queue, o->key, (int32_t)priority, gates.len > 2, scheduler_now_ms(s));
	scheduler_wake(s);
}

/* A pod that waits, and whose own condition changed, or another's part of its status: no reason to try again. */
static bool waits_as_before(struct informer_object *o, struct rcbuf *before)
{
	struct parts now = parts_of(informer_text(o)), old = parts_of((struct slice){before->data, before->len});
	struct slice phase = json_find(now.status, "phase", NULL);
	return slice_eq(now.spec, old.spec) &&
	       slice_eq(json_find(now.metadata, "labels", NULL), json_find(old.metadata, "labels", NULL)) &&
	       !json_find(now.metadata, "deletionTimestamp", NULL).len && (slice_is(phase, "Pending") || !phase.len);
}

static void pod_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	struct scheduler *s = arg;
	if (!queue_find(&s->queue, o->key) || !waits_as_before(o, before))
		pod_changed(arg, o);
}

static void pod_deleted(void *arg, struct informer_object *o)
{
	struct scheduler *s = arg;
	pod_is_out(s, o->key);
	s->waits_are_stale = true;
	scheduler_wake(s);
	scheduler_forget_pod(s, o->key);
}

/* ---- nodes ---- */

static void node_added(void *arg, struct informer_object *o)
{
	struct scheduler *s = arg;
	cache_node_set(&s->cache, o->key, o->json);
	scheduler_tell(
	        s, &(struct cluster_event){.kind = EVENT_NODE_ADDED, .node = cache_node_need(&s->cache, o->key)});
}

static bool is_same(struct slice now, struct slice before, const char *part, const char *member)
{
	return slice_eq(json_find(now, part, member, NULL), json_find(before, part, member, NULL));
}

static void node_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	struct scheduler *s = arg;
	struct slice now = informer_text(o), old = {before->data, before->len};
	bool same = is_same(now, old, "spec", NULL) && is_same(now, old, "metadata", "labels") &&
	            is_same(now, old, "status", "allocatable") && is_same(now, old, "status", "capacity");
	if (same && is_same(now, old, "status", "images")) {
		cache_node_touch(&s->cache, o->key, o->json);
		return;
	}
	cache_node_set(&s->cache, o->key, o->json);
	if (same || (!s->queue.refused.count && !s->consult))
		return;
	struct node_info was;
	node_info_read(&s->cache, &was, o->key, before);
	scheduler_tell(s,
	        &(struct cluster_event){
	                .kind = EVENT_NODE_CHANGED, .node = cache_node_need(&s->cache, o->key), .node_before = &was});
	node_info_release(&was);
}

/* It tells before the cache forgets it: the hint looks at its labels alone. */
static void node_deleted(void *arg, struct informer_object *o)
{
	struct scheduler *s = arg;
	struct node_info *n = cache_node_need(&s->cache, o->key);
	scheduler_tell(s, &(struct cluster_event){.kind = EVENT_NODE_GONE, .node = n});
	cache_node_remove(&s->cache, o->key);
}

/* ---- claims, volumes, classes, drivers and what they can hold ---- */

static void volume_added(void *arg, struct informer_object *o)
{
	struct followed *f = arg;
	f->s->waits_are_stale = true;
	scheduler_wake(f->s);
	scheduler_tell(f->s, &(struct cluster_event){.kind = f->kind, .object = informer_text(o)});
}

static void volume_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	struct followed *f = arg;
	f->s->waits_are_stale = true;
	scheduler_wake(f->s);
	scheduler_tell(
	        f->s, &(struct cluster_event){
	                      .kind = f->kind, .object = informer_text(o), .before = {before->data, before->len}});
}

/* What is gone helps nobody but those that wait for it to go. */
static void volume_deleted(void *arg, struct informer_object *o)
{
	volume_added(arg, o);
}

/* ---- life ---- */

void scheduler_follow_volumes(struct scheduler *s)
{
	static const struct {
		const char *path;
		enum cluster_event_kind kind;
	} rows[FOLLOWED] = {
	        {"/api/v1/persistentvolumeclaims", EVENT_CLAIM},
	        {"/api/v1/persistentvolumes", EVENT_VOLUME},
	        {"/apis/storage.k8s.io/v1/storageclasses", EVENT_CLASS},
	        {"/apis/storage.k8s.io/v1/csinodes", EVENT_CSI_NODE},
	        {"/apis/storage.k8s.io/v1/csidrivers", EVENT_CSI_DRIVER},
	        {"/apis/storage.k8s.io/v1/csistoragecapacities", EVENT_CAPACITY},
	};
	struct shared_informer **const informers[FOLLOWED] = {
	        &s->claims, &s->volumes, &s->classes, &s->csi_nodes, &s->csi_drivers, &s->capacities};
	for (size_t i = 0; i < FOLLOWED; i++) {
		struct followed *f = &s->followed[i];
		*f = (struct followed){.s = s,
		        .kind = rows[i].kind,
		        .handler = {
		                .added = volume_added, .updated = volume_updated, .deleted = volume_deleted, .arg = f}};
		*informers[i] = informer_set_get(s->informers, rows[i].path);
		informer_set_listen(*informers[i], &f->handler);
	}
	s->free_volumes = informer_index_get(s->volumes, "free-by-class", volume_index_free);
	s->pointing_volumes = informer_index_get(s->volumes, "by-claim", volume_index_pointing);
}

void scheduler_follow(struct scheduler *s)
{
	s->pods = informer_set_get(s->informers, "/api/v1/pods");
	s->nodes = informer_set_get(s->informers, "/api/v1/nodes");
	s->namespaces = informer_set_get(s->informers, "/api/v1/namespaces");
	s->budgets = informer_set_get(s->informers, "/apis/policy/v1/poddisruptionbudgets");
	s->on_nodes = (struct informer_handler){
	        .added = node_added, .updated = node_updated, .deleted = node_deleted, .arg = s};
	s->on_pods = (struct informer_handler){
	        .added = pod_changed, .updated = pod_updated, .deleted = pod_deleted, .arg = s};
	informer_set_listen(s->nodes, &s->on_nodes);
	informer_set_listen(s->pods, &s->on_pods);
	scheduler_follow_volumes(s);
	default_spread_follow(s);
}

void scheduler_ignore(struct scheduler *s)
{
	informer_set_ignore(&s->on_pods);
	informer_set_ignore(&s->on_nodes);
	for (size_t i = 0; i < FOLLOWED; i++)
		informer_set_ignore(&s->followed[i].handler);
}
