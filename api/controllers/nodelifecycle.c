/* Node lifecycle: noticing nodes that have gone silent, and saying by taints what their conditions mean.
 *
 * A node is alive while its lease is renewed or its Ready condition's heartbeat moves. The time of the last such change
 * is kept by our own clock, so that clocks need not agree. A node's key comes once per grace period, not once per
 * heartbeat: when it comes too early it is put off for what is left.
 *
 *     silent for node_grace_s --> its conditions become Unknown, its pods not ready
 *     Ready False             --> taints not-ready:NoSchedule and :NoExecute
 *     Ready Unknown           --> taints unreachable:NoSchedule and :NoExecute
 *     Ready True              --> neither; pressure conditions and cordons have NoSchedule taints of their own
 *
 * NoExecute taints, which cost a node its pods, come one after the other, as fast as the node's zone allows
 * (node_zones.h). When every zone is down none is given and those there are are taken back; when one is up again all
 * nodes have a whole grace period anew, for it may have been us who heard nothing.
 *
 * Upstream: pkg/controller/nodelifecycle. Pods are evicted by tainteviction.c. */
#include "api/controllers/controllers_int.h"
#include "api/controllers/node_zones.h"

#include "base/log.h"

#define LEASES "/apis/coordination.k8s.io/v1/leases"

enum { STARTUP_GRACE_S = 60 };

struct health {
	struct slice name;
	uint64_t alive_ms;
	bool was_ready;
	bool are_marked; /* its pods, as not ready; not known after a start of ours, and so done again */
	bool may_evict;  /* its zone has let it have a NoExecute taint */
	struct node_place place;
};

struct lifecycle {
	struct controllers *c;
	struct shared_informer *nodes, *leases, *pods;
	struct informer_index *pods_by_node;
	struct work_queue *queue;
	struct recorder *recorder;
	struct map health;
	struct node_zones zones;
	bool was_up, told_down; /* some node was ready; it was told that none is */
};

struct sync {
	struct lifecycle *s;
	struct work *work;
	struct meta meta;
	struct json *node;
	struct health *health; /* valid while run() runs */
	bool silent;
	unsigned marking; /* pods whose answer is to come */
	bool mark_failed;
};

/* ---- events ---- */

static struct health *health_need(struct lifecycle *s, struct slice name)
{
	struct health *h = map_get(&s->health, name);
	if (h)
		return h;
	h = MAP_ENTRY_NEW(struct health, name, name);
	h->alive_ms = controllers_now_ms(s->c);
	map_put(&s->health, h->name, h);
	return h;
}

static uint64_t grace_ms(const struct lifecycle *s)
{
	return (uint64_t)s->c->node_grace_s * 1000;
}

static void alive(struct lifecycle *s, struct slice name)
{
	health_need(s, name)->alive_ms = controllers_now_ms(s->c);
	work_queue_add_after(s->queue, name, grace_ms(s));
}

/* The whole condition Ready of a node's text. */
static struct slice ready_condition(struct slice text)
{
	struct slice list = json_find(text, "status", "conditions", NULL);
	struct json_scan s;
	json_scan_init(&s, list);
	if (!list.len || json_scan_next(&s) != JSON_TOKEN_ARRAY)
		return SLICE_NULL;
	while (json_scan_element(&s)) {
		if (!json_scan_skip(&s))
			break;
		if (slice_is(json_find(s.text, "type", NULL), "Ready"))
			return s.text;
	}
	return SLICE_NULL;
}

/* ---- zones ---- */

/* Nodes that are coming up are no news. */
static void tell_zones(struct lifecycle *s, unsigned news)
{
	if (news & NODE_ZONES_ALL_DOWN && s->was_up) {
		s->told_down = true;
		log_warn("nodelifecycle", "no zone has a node that is ready: no pods are evicted", "nodes=%zu",
		        s->health.count);
	}
	if (news & NODE_ZONES_ANY_UP && s->told_down) {
		s->told_down = false;
		log_info("nodelifecycle", "nodes are ready again", "nodes=%zu", s->health.count);
	}
}

static void take_news(struct lifecycle *s, unsigned news)
{
	tell_zones(s, news);
	MAP_FOREACH (slot, &s->health) {
		struct health *h = slot->value;
		if (news & NODE_ZONES_ANY_UP)
			h->alive_ms = controllers_now_ms(s->c);
		if (news)
			work_queue_add(s->queue, h->name);
	}
}

static void count_node(struct lifecycle *s, struct informer_object *o)
{
	struct meta m;
	char zone[640] = "/";
	meta_read(informer_text(o), &m);
	struct slice status = json_find(ready_condition(informer_text(o)), "status", NULL);
	enum node_count count = slice_is(status, "True") ? NODE_COUNTED_READY : NODE_COUNTED_NOT_READY;
	s->was_up = s->was_up || count == NODE_COUNTED_READY;
	if (!status.len || (m.labels.len && json_find(m.labels, "node.kubernetes.io/exclude-disruption", NULL).ptr))
		count = NODE_NOT_COUNTED;
	if (m.labels.len)
		snprintf(zone, sizeof zone, "%.*s/%.*s",
		        SLICE_FMT(json_find(m.labels, "topology.kubernetes.io/region", NULL)),
		        SLICE_FMT(json_find(m.labels, "topology.kubernetes.io/zone", NULL)));
	take_news(s, node_zones_set(&s->zones, &health_need(s, o->key)->place, slice_of(zone), count));
}

static void tell_of_node(
        struct lifecycle *s, struct slice name, const char *reason, const char *before, const char *after)
{
	struct recorder_subject about = {.api_version = "v1", .kind = "Node", .name = name, .uid = name};
	recorder_event(s->recorder, &about, "Normal", reason, "Node %.*s event: %s Node %.*s %s Controller",
	        SLICE_FMT(name), before, SLICE_FMT(name), after);
}

static void node_added(void *arg, struct informer_object *o)
{
	struct lifecycle *s = arg;
	tell_of_node(s, o->key, "RegisteredNode", "Registered", "in");
	count_node(s, o);
	alive(s, o->key);
	work_queue_add(s->queue, o->key);
}

static struct slice ready_heartbeat(struct slice text)
{
	return json_find(ready_condition(text), "lastHeartbeatTime", NULL);
}

static void node_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	struct lifecycle *s = arg;
	struct slice old = {before->data, before->len};
	count_node(s, o);
	if (!slice_eq(ready_heartbeat(informer_text(o)), ready_heartbeat(old)))
		alive(s, o->key);
	work_queue_add(s->queue, o->key);
}

static void node_deleted(void *arg, struct informer_object *o)
{
	struct lifecycle *s = arg;
	struct health *h = map_del(&s->health, o->key);
	tell_of_node(s, o->key, "RemovingNode", "Removing", "from");
	if (h)
		take_news(s, node_zones_set(&s->zones, &h->place, SLICE_NULL, NODE_NOT_COUNTED));
	free(h);
}

static void lease_added(void *arg, struct informer_object *o)
{
	struct lifecycle *s = arg;
	struct slice name = o->key, ns = slice_cut(&name, '/');
	if (slice_is(ns, "kube-node-lease") && map_get(&s->health, name))
		alive(s, name);
}

/* The first renewal of a node that was given up is news; all others only move its clock. */
static void lease_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	lease_added(arg, o);
}

/* ---- conditions ---- */

static struct json *ready_of(struct sync *y)
{
	return condition_find(json_path(y->node, "status", "conditions", NULL), "Ready");
}

/* True when the conditions had to be changed: the node's next event goes on from there. */
static bool mark_unknown(struct sync *y)
{
	static const char *const types[] = {"Ready", "MemoryPressure", "DiskPressure", "PIDPressure"};
	struct arena *a = &y->work->arena;
	struct json *have = json_path(y->node, "status", "conditions", NULL);
	struct json *list = have ? json_copy(a, have) : json_new(a, JSON_ARRAY);
	bool changed = false;
	for (size_t i = 0; i < COUNT_OF(types); i++) {
		struct json *c = condition_find(list, types[i]);
		if (c && slice_is(json_get_str(c, "status"), "Unknown"))
			continue;
		changed |= c ? condition_set(a, list, types[i], "Unknown", "NodeStatusUnknown",
		                       "Kubelet stopped posting node status.", NULL)
		             : condition_set(a, list, types[i], "Unknown", "NodeStatusNeverUpdated",
		                       "Kubelet never posted node status.", NULL);
	}
	if (!changed)
		return false;
	log_warn("nodelifecycle", "node has gone silent", "node=%.*s", SLICE_FMT(y->meta.name));
	struct json *patch = patch_new(a, y->meta.resource_version);
	json_set(a, json_need(a, patch, "status", JSON_OBJECT), "conditions", list);
	work_patch(y->work, kube_path(a, "v1", "nodes", SLICE_NULL, y->meta.name, "status"), merge_patch, patch,
	        work_done_ignore_missing);
	return true;
}

/* ---- taints ---- */

static const struct {
	const char *key, *effect;
	const char *condition, *status; /* that give it */
} taint_rows[] = {
        {"node.kubernetes.io/not-ready", "NoSchedule", "Ready", "False"},
        {"node.kubernetes.io/not-ready", "NoExecute", "Ready", "False"},
        {"node.kubernetes.io/unreachable", "NoSchedule", "Ready", "Unknown"},
        {"node.kubernetes.io/unreachable", "NoExecute", "Ready", "Unknown"},
        {"node.kubernetes.io/memory-pressure", "NoSchedule", "MemoryPressure", "True"},
        {"node.kubernetes.io/disk-pressure", "NoSchedule", "DiskPressure", "True"},
        {"node.kubernetes.io/pid-pressure", "NoSchedule", "PIDPressure", "True"},
        {"node.kubernetes.io/network-unavailable", "NoSchedule", "NetworkUnavailable", "True"},
        {"node.kubernetes.io/unschedulable", "NoSchedule", NULL, NULL},
};

static struct json *taint_find(struct json *list, const char *key, const char *effect)
{
	JSON_FOREACH (t, list)
		if (slice_is(json_get_str(t, "key"), key) && slice_is(json_get_str(t, "effect"), effect))
			return t;
	return NULL;
}

/* A node without any Ready condition keeps the not-ready taint that admission gave it. */
static bool taint_wanted(struct sync *y, size_t row)
{
	if (!taint_rows[row].condition)
		return json_bool(json_path(y->node, "spec", "unschedulable", NULL), false);
	struct json *c = condition_find(json_path(y->node, "status", "conditions", NULL), taint_rows[row].condition);
	if (!c && row == 0)
		return true;
	return c && slice_is(json_get_str(c, "status"), taint_rows[row].status);
}

/* One of ours: which of the two it is changes with the condition, at once. */
static bool has_no_execute(struct json *taints)
{
	return taint_find(taints, taint_rows[1].key, "NoExecute") || taint_find(taints, taint_rows[3].key, "NoExecute");
}

/* Its zone lets one node after the other lose its pods. What was granted once stays so until the node is ready. */
static bool may_evict(struct sync *y, struct json *taints)
{
	int64_t wait_ms = -1;
	struct health *h = y->health;
	if (!h->may_evict && !has_no_execute(taints))
		h->may_evict = node_zones_may_taint(&y->s->zones, &h->place, controllers_now_ms(y->s->c), &wait_ms);
	else
		h->may_evict = true;
	if (wait_ms >= 0)
		work_again(y->work, wait_ms + 1);
	return h->may_evict;
}

static bool fix_taints(struct sync *y)
{
	struct arena *a = &y->work->arena;
	struct json *have = json_path(y->node, "spec", "taints", NULL);
	struct json *list = have ? json_copy(a, have) : json_new(a, JSON_ARRAY);
	bool changed = false, evicts = false;
	for (size_t i = 0; i < COUNT_OF(taint_rows); i++) {
		struct json *t = taint_find(list, taint_rows[i].key, taint_rows[i].effect);
		bool wanted = taint_wanted(y, i);
		if (strcmp(taint_rows[i].effect, "NoExecute") == 0 && wanted) {
			wanted = !node_zones_all_down(&y->s->zones) && may_evict(y, have);
			evicts = evicts || wanted;
		}
		if (wanted == (t != NULL))
			continue;
		changed = true;
		if (t) {
			json_remove(list, t);
			continue;
		}
		t = json_new(a, JSON_OBJECT);
		json_set_cstr(a, t, "key", taint_rows[i].key);
		json_set_cstr(a, t, "effect", taint_rows[i].effect);
		json_set_cstr(a, t, "timeAdded", kube_time_text(a, 0));
		json_append(list, t);
	}
	if (!evicts)
		y->health->may_evict = false;
	if (!changed)
		return false;
	struct json *patch = patch_new(a, y->meta.resource_version);
	json_set(a, json_need(a, patch, "spec", JSON_OBJECT), "taints", list);
	work_patch(y->work, kube_path(a, "v1", "nodes", SLICE_NULL, y->meta.name, NULL), merge_patch, patch,
	        work_done_ignore_missing);
	return true;
}

/* ---- pods of a node that is no longer ready ---- */

/* Only when all of them are marked the node has been dealt with: what failed is tried again. */
static void pods_marked(struct sync *y)
{
	struct health *h = map_get(&y->s->health, y->work->key); /* the node may be gone by now */
	if (h && !y->mark_failed)
		h->are_marked = true;
}

static void pod_marked(struct work_call *call)
{
	struct sync *y = call->arg;
	int code = call->request.err.code;
	work_done_ignore_missing(call);
	y->mark_failed = y->mark_failed || (code && code != ERR_NOT_FOUND);
	if (--y->marking == 0)
		pods_marked(y);
}

static void mark_pods_not_ready(struct sync *y)
{
	y->marking = 1;
	struct arena *a = &y->work->arena;
	INFORMER_GROUP_FOREACH(o, informer_index_group(y->s->pods_by_node, y->meta.name))
	{
		struct pod_view p;
		pod_view_read(informer_text(o), &p);
		if (!p.is_ready)
			continue;
		struct json *patch = json_new(a, JSON_OBJECT), *c = json_new(a, JSON_OBJECT);
		json_set_str(a, json_need(a, patch, "metadata", JSON_OBJECT), "uid", p.meta.uid);
		json_set_cstr(a, c, "type", "Ready");
		json_set_cstr(a, c, "status", "False");
		json_set_cstr(a, c, "lastTransitionTime", kube_time_text(a, 0));
		json_append(json_need(a, json_need(a, patch, "status", JSON_OBJECT), "conditions", JSON_ARRAY), c);
		y->marking++;
		work_patch(y->work, kube_path(a, "v1", "pods", p.meta.ns, p.meta.name, "status"), strategic_patch,
		        patch, pod_marked)
		        ->arg = y;
		struct recorder_subject about = recorder_about("v1", "Pod", &p.meta);
		recorder_event(y->s->recorder, &about, "Warning", "NodeNotReady", "Node is not ready");
	}
	if (--y->marking == 0)
		pods_marked(y);
}

static void note_readiness(struct sync *y)
{
	const struct json *condition = ready_of(y);
	bool ready = slice_is(json_get_str(condition, "status"), "True");
	struct recorder_subject about = {
	        .api_version = "v1", .kind = "Node", .name = y->meta.name, .uid = y->meta.name};
	if (y->health->was_ready && !ready)
		recorder_event(y->s->recorder, &about, "Normal", "NodeNotReady",
		        "Node %.*s status is now: NodeNotReady", SLICE_FMT(y->meta.name));
	y->health->was_ready = ready;
	y->health->are_marked = y->health->are_marked && !ready;
	if (condition && !ready && !y->health->are_marked)
		mark_pods_not_ready(y);
}

/* ---- one run ---- */

static void run(struct work *w)
{
	struct lifecycle *s = w->arg;
	struct informer_object *o = informer_get(shared_informer_base(s->nodes), w->key);
	if (!o)
		return;
	struct sync *y = ARENA_NEW(&w->arena, struct sync);
	*y = (struct sync){.s = s, .work = w, .node = informer_parse(&w->arena, o), .health = health_need(s, w->key)};
	rcbuf_unref_with(&w->arena, rcbuf_ref(o->json));
	meta_read(informer_text(o), &y->meta);
	uint64_t silent_ms = controllers_now_ms(s->c) - y->health->alive_ms;
	uint64_t limit_ms = ready_of(y) ? grace_ms(s)
	                                : (grace_ms(s) < STARTUP_GRACE_S * 1000 ? STARTUP_GRACE_S * 1000 : grace_ms(s));
	y->silent = silent_ms >= limit_ms;
	if (!y->silent)
		work_again(w, (int64_t)(limit_ms - silent_ms) + 10);
	if (y->silent && mark_unknown(y))
		return;
	note_readiness(y);
	fix_taints(y);
}

void *node_lifecycle_controller_start(struct controllers *c)
{
	struct lifecycle *s = xcalloc(1, sizeof *s);
	s->c = c;
	s->zones = (struct node_zones){.rate = c->eviction_rate,
	        .secondary_rate = c->secondary_eviction_rate,
	        .threshold = c->unhealthy_zone_threshold,
	        .large = c->large_zone_nodes};
	s->recorder = controllers_recorder(c, "node-controller");
	s->queue = controllers_queue(c, "nodelifecycle", 8, run, s);
	s->pods = informer_set_get(c->informers, PODS);
	s->pods_by_node = informer_index_get(s->pods, "node", informer_index_pod_node);
	s->nodes = controllers_listen(c, NODES,
	        &(struct informer_handler){
	                .added = node_added, .updated = node_updated, .deleted = node_deleted, .arg = s});
	s->leases = controllers_listen(
	        c, LEASES, &(struct informer_handler){.added = lease_added, .updated = lease_updated, .arg = s});
	return s;
}

void node_lifecycle_controller_release(void *state)
{
	struct lifecycle *s = state;
	MAP_FOREACH (slot, &s->health)
		free(slot->value);
	map_release(&s->health);
	node_zones_release(&s->zones);
	free(s);
}
