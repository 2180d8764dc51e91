/* Daemon sets: a pod on every node that fits, each tied to its node by affinity and bound by the scheduler.
 *
 *     an event of the set, of its pods or revisions, or of a node that fits otherwise than before --> the set's key
 *     run: history settled? --> claim pods --> judge nodes --> make what is missing and delete what is too much; when
 *     nothing is, one step of the update --> status
 *
 * What can go wrong: the informer lags behind our own pods (expectations hold everything but the status still);
 * creations fail (the rest of the batch is not tried, the key comes again); a pod fails again and again (deleted with a
 * back-off per node, 1 s to 15 min); a pod becomes available only by time passing (work_again). The decisions are
 * daemon.c's, the templates' history is history.c's. Upstream: pkg/controller/daemon. */
#include "api/controllers/children.h"
#include "api/controllers/controllers_int.h"
#include "api/controllers/daemon.h"
#include "api/controllers/history.h"
#include "api/controllers/pod_control.h"

#include <inttypes.h>

enum { BURST_PODS = 250, BACKOFFS_KEPT = 256 };

#define TEMPLATE_GENERATION "deprecated.daemonset.template.generation"

struct daemon_sets {
	struct controllers *c;
	struct children children, revisions;
	struct shared_informer *nodes;
	struct work_queue *queue;
	struct recorder *recorder;
	struct expectations expectations;
	struct map backoffs; /* "UID/GENERATION/NODE" --> struct backoff_row */
};

struct backoff_row {
	struct slice key;
	struct daemon_backoff backoff;
};

/* One run. */
struct sync {
	struct daemon_sets *s;
	struct work *work;
	struct meta meta;
	struct json *set, *spec, *template; /* the template as pods get it */
	struct label_selector selector;
	struct history history;
	int64_t min_ready_s;
	struct daemon_pod *pods;
	size_t n_pods;
	struct daemon_node *nodes;
	size_t n_nodes;
	bool observes; /* the status may claim this generation */
	/* under way */
	struct pod_batch making, deleting;
	struct slice *targets; /* names of nodes that get a pod */
	int batches;
};

static const char api_version[] = "apps/v1", kind[] = "DaemonSet";

/* ---- events of nodes ---- */

static struct json *pod_template_of(struct arena *a, const struct informer_object *set)
{
	struct json *template = json_path(informer_parse(a, set), "spec", "template", NULL);
	if (template)
		daemon_tolerate(a, json_need(a, template, "spec", JSON_OBJECT));
	return template;
}

/* Wakes the sets that judge the node otherwise than before; `before` empty: there was none. */
static void wake_sets(struct daemon_sets *s, struct slice node, struct slice before)
{
	struct arena a = ARENA_INIT;
	INFORMER_FOREACH(o, shared_informer_base(s->children.owners))
	{
		struct json *spec = json_get(pod_template_of(&a, o), "spec");
		struct daemon_verdict now = daemon_judge_node(spec, node), was = {false, false};
		if (before.len)
			was = daemon_judge_node(spec, before);
		if (now.runs != was.runs || now.stays != was.stays)
			work_queue_add(s->queue, o->key);
		arena_reset(&a);
	}
	arena_release(&a);
}

static void node_added(void *arg, struct informer_object *o)
{
	wake_sets(arg, informer_text(o), SLICE_NULL);
}

static void node_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	struct slice now = informer_text(o), was = {before->data, before->len};
	if (!slice_eq(json_find(now, "metadata", "labels", NULL), json_find(was, "metadata", "labels", NULL)) ||
	        !slice_eq(json_find(now, "spec", "taints", NULL), json_find(was, "spec", "taints", NULL)))
		wake_sets(arg, now, was);
}

static void node_deleted(void *arg, struct informer_object *o)
{
	node_added(arg, o); /* those that had a pod on it */
}

/* ---- loading ---- */

static bool load(struct sync *y)
{
	struct arena *a = &y->work->arena;
	struct informer_object *o = informer_get(shared_informer_base(y->s->children.owners), y->work->key);
	bool nothing;
	if (!o)
		return false;
	rcbuf_unref_with(a, rcbuf_ref(o->json));
	y->set = informer_parse(a, o);
	meta_read(informer_text(o), &y->meta);
	y->spec = json_get(y->set, "spec");
	y->min_ready_s = json_get_int(y->spec, "minReadySeconds", 0);
	if (!json_get(y->spec, "template") ||
	        label_selector_from_json(a, json_get(y->spec, "selector"), &y->selector, &nothing, NULL) != 0 ||
	        nothing)
		return false;
	if (y->selector.count)
		return !y->meta.deletion_timestamp.len;
	struct recorder_subject about = recorder_about(api_version, kind, &y->meta);
	recorder_event(y->s->recorder, &about, "Warning", "SelectingAll",
	        "This daemon set is selecting all pods. A non-empty selector is required.");
	return false;
}

static bool settle_history(struct sync *y)
{
	y->history = (struct history){
	        .work = y->work,
	        .kind = kind,
	        .plural = "daemonsets",
	        .hash_label = REVISION_HASH,
	        .owner = y->meta,
	        .object = y->set,
	        .selector = &y->selector,
	        .by_owner = y->s->revisions.by_owner,
	        .collisions = json_int(json_path(y->set, "status", "collisionCount", NULL), 0),
	};
	return history_load(&y->history) && history_settle(&y->history);
}

static struct slice hash_of(const struct daemon_pod *p)
{
	return json_find(p->view.meta.labels, REVISION_HASH, NULL);
}

static bool read_pod(struct sync *y, struct informer_object *o, struct daemon_pod *p)
{
	int64_t wait_s;
	pod_view_read(informer_text(o), &p->view);
	bool has_ended = slice_is(p->view.phase, "Failed") || slice_is(p->view.phase, "Succeeded");
	p->node = daemon_node_of(&y->work->arena, informer_text(o));
	if (!p->node.len || (has_ended && p->view.meta.deletion_timestamp.len))
		return false;
	rcbuf_unref_with(&y->work->arena, rcbuf_ref(o->json));
	p->is_new = slice_eq(hash_of(p), y->history.fresh->hash);
	p->is_available = pod_view_is_available(&p->view, y->min_ready_s, kube_time_now_s(), &wait_s);
	if (wait_s)
		work_again(y->work, wait_s * 1000);
	return true;
}

static bool claim_pods(struct sync *y)
{
	bool changes;
	size_t n;
	struct claim c = {.work = y->work,
	        .api_version = api_version,
	        .kind = kind,
	        .child_api_version = "v1",
	        .child_plural = "pods",
	        .owner = y->meta,
	        .selector = &y->selector,
	        .by_owner = y->s->children.by_owner};
	struct informer_object **objects = claim_children(&c, &n, &changes);
	y->pods = ARENA_ARRAY(&y->work->arena, struct daemon_pod, n + 1);
	for (size_t i = 0; i < n; i++)
		y->n_pods += read_pod(y, objects[i], &y->pods[y->n_pods]);
	daemon_sort(y->pods, y->n_pods);
	return !changes;
}

/* ---- nodes ---- */

static int by_name(const void *x, const void *y)
{
	return slice_cmp(((const struct daemon_node *)x)->name, ((const struct daemon_node *)y)->name);
}

static void add_nodes(struct sync *y)
{
	struct json *spec = json_get(y->template, "spec");
	struct informer *nodes = shared_informer_base(y->s->nodes);
	y->nodes = ARENA_ARRAY(&y->work->arena, struct daemon_node, informer_count(nodes) + y->n_pods + 1);
	INFORMER_FOREACH(o, nodes)
	{
		rcbuf_unref_with(&y->work->arena, rcbuf_ref(o->json));
		y->nodes[y->n_nodes++] =
		        (struct daemon_node){.name = json_find(informer_text(o), "metadata", "name", NULL),
		                .verdict = daemon_judge_node(spec, informer_text(o)),
		                .exists = true};
	}
	qsort(y->nodes, y->n_nodes, sizeof *y->nodes, by_name);
}

/* Gives each node its pods; nodes that pods are on and that are gone stand at the end. */
static void place_pods(struct sync *y)
{
	size_t known = y->n_nodes;
	for (size_t i = 0, n; i < y->n_pods; i += n) {
		struct daemon_node key = {.name = y->pods[i].node};
		struct daemon_node *node = bsearch(&key, y->nodes, known, sizeof *y->nodes, by_name);
		for (n = 1; i + n < y->n_pods && slice_eq(y->pods[i + n].node, key.name);)
			n++;
		if (!node) {
			node = &y->nodes[y->n_nodes++];
			*node = key;
		}
		node->pods = &y->pods[i];
		node->count = n;
	}
}

static void build_template(struct sync *y)
{
	struct arena *a = &y->work->arena;
	y->template = json_copy(a, json_get(y->spec, "template"));
	daemon_tolerate(a, json_need(a, y->template, "spec", JSON_OBJECT));
	struct json *meta = json_need(a, y->template, "metadata", JSON_OBJECT);
	struct json *labels = json_need(a, meta, "labels", JSON_OBJECT);
	struct slice generation = json_get_str(json_path(y->set, "metadata", "annotations", NULL), TEMPLATE_GENERATION);
	json_set_str(a, labels, REVISION_HASH, y->history.fresh->hash);
	if (generation.len)
		json_set_str(a, labels, "pod-template-generation", generation);
}

/* ---- history of pods ---- */

/* Revisions that hold the same template become one: pods that name another are relabelled, then it goes. True when
 * something was sent. */
static bool merge_revisions(struct sync *y)
{
	struct arena *a = &y->work->arena;
	bool sent = false;
	for (size_t i = 0; i < y->history.count; i++) {
		struct revision *r = &y->history.list[i];
		if (r == y->history.fresh || !r->data || !json_equal(r->data, y->history.data))
			continue;
		bool named = false;
		for (size_t j = 0; j < y->n_pods; j++) {
			struct meta *m = &y->pods[j].view.meta;
			if (!slice_eq(hash_of(&y->pods[j]), r->hash))
				continue;
			struct json *patch = patch_new(a, SLICE_NULL), *meta = json_get(patch, "metadata");
			json_set_str(a, meta, "uid", m->uid);
			json_set_str(
			        a, json_need(a, meta, "labels", JSON_OBJECT), REVISION_HASH, y->history.fresh->hash);
			work_patch(y->work, kube_path(a, "v1", "pods", m->ns, m->name, NULL), strategic_patch, patch,
			        work_done_ignore_missing);
			named = true;
		}
		if (!named)
			history_delete(&y->history, r);
		sent = true;
	}
	return sent;
}

static void cut_history(struct sync *y)
{
	for (size_t i = 0; i < y->history.count; i++)
		for (size_t j = 0; j < y->n_pods && !y->history.list[i].is_live; j++)
			y->history.list[i].is_live = slice_eq(hash_of(&y->pods[j]), y->history.list[i].hash);
	history_truncate(&y->history, json_get_int(y->spec, "revisionHistoryLimit", 10));
}

/* ---- failed pods ---- */

static void sweep_backoffs(struct daemon_sets *s, uint64_t now_ms)
{
	struct map kept = MAP_INIT;
	MAP_FOREACH (slot, &s->backoffs) {
		struct backoff_row *row = slot->value;
		if (daemon_backoff_is_over(&row->backoff, now_ms))
			free(row);
		else
			map_put(&kept, row->key, row);
	}
	map_release(&s->backoffs);
	s->backoffs = kept;
}

static bool may_delete(void *arg, const struct daemon_pod *p)
{
	struct sync *y = arg;
	struct daemon_sets *s = y->s;
	uint64_t now_ms = controllers_now_ms(s->c);
	const char *text = arena_printf(&y->work->arena, "%.*s/%" PRId64 "/%.*s", SLICE_FMT(y->meta.uid),
	        y->meta.generation, SLICE_FMT(p->node));
	struct backoff_row *row = map_get(&s->backoffs, slice_of(text));
	if (!row) {
		if (s->backoffs.count && s->backoffs.count % BACKOFFS_KEPT == 0)
			sweep_backoffs(s, now_ms);
		row = MAP_ENTRY_NEW(struct backoff_row, key, slice_of(text));
		map_put(&s->backoffs, row->key, row);
	}
	int64_t wait_ms = daemon_backoff_next(&row->backoff, now_ms);
	if (wait_ms)
		work_again(y->work, wait_ms);
	return !wait_ms;
}

static void tell_ended(struct sync *y, const struct daemon_pod *p)
{
	struct recorder_subject about = recorder_about(api_version, kind, &y->meta);
	if (p->why == DAEMON_FAILED)
		recorder_event(y->s->recorder, &about, "Warning", "FailedDaemonPod",
		        "Found failed daemon pod %.*s/%.*s on node %.*s, will try to kill it", SLICE_FMT(y->meta.ns),
		        SLICE_FMT(p->view.meta.name), SLICE_FMT(p->node));
	else if (p->why == DAEMON_SUCCEEDED)
		recorder_event(y->s->recorder, &about, "Normal", "SucceededDaemonPod",
		        "Found succeeded daemon pod %.*s/%.*s on node %.*s, will try to delete it",
		        SLICE_FMT(y->meta.ns), SLICE_FMT(p->view.meta.name), SLICE_FMT(p->node));
}

/* ---- status ---- */

static void write_status(struct sync *y)
{
	static const char *const names[] = {"desiredNumberScheduled", "currentNumberScheduled", "numberMisscheduled",
	        "numberReady", "updatedNumberScheduled", "numberAvailable", "numberUnavailable", "observedGeneration"};
	struct arena *a = &y->work->arena;
	struct json *old = json_get(y->set, "status");
	struct daemon_counts k = daemon_count(y->nodes, y->n_nodes);
	int64_t observed = y->observes ? y->meta.generation : json_get_int(old, "observedGeneration", 0);
	const int64_t counts[] = {k.desired, k.current, k.misscheduled, k.ready, k.updated, k.available,
	        k.desired - k.available, observed};
	struct json *patch = patch_new(a, y->meta.resource_version),
	            *status = json_need(a, patch, "status", JSON_OBJECT);
	bool changed = false;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		changed = changed || json_get_int(old, names[i], i < 4 ? -1 : 0) != counts[i];
		json_set_int(a, status, names[i], counts[i]);
	}
	if (changed)
		work_patch(y->work, kube_path(a, api_version, "daemonsets", y->meta.ns, y->meta.name, "status"),
		        merge_patch, patch, work_done_ignore_missing);
}

/* ---- making and deleting ---- */

static void batch_done(struct pod_batch *b)
{
	struct sync *y = b->arg;
	if (--y->batches == 0)
		write_status(y);
}

static struct slice pod_text(struct pod_batch *b, int64_t i)
{
	struct sync *y = b->arg;
	struct json *template = json_copy(&y->work->arena, y->template);
	daemon_pin(&y->work->arena, json_get(template, "spec"), y->targets[i]);
	return pod_control_text(y->work, template, api_version, kind, &y->meta);
}

static struct pod_batch batch(struct sync *y)
{
	return (struct pod_batch){.work = y->work,
	        .recorder = y->s->recorder,
	        .expectations = &y->s->expectations,
	        .api_version = api_version,
	        .kind = kind,
	        .owner = &y->meta,
	        .now_ms = controllers_now_ms(y->s->c),
	        .text_of = pod_text,
	        .done = batch_done,
	        .arg = y};
}

/* Carries out what daemon.c has marked; false: nothing. */
static bool act(struct sync *y)
{
	struct arena *a = &y->work->arena;
	const struct meta **victims = ARENA_ARRAY(a, const struct meta *, y->n_pods + 1);
	int64_t n_victims = 0, n_targets = 0;
	y->targets = ARENA_ARRAY(a, struct slice, y->n_nodes + 1);
	for (size_t i = 0; i < y->n_nodes && n_targets < BURST_PODS; i++)
		if (y->nodes[i].makes)
			y->targets[n_targets++] = y->nodes[i].name;
	for (size_t i = 0; i < y->n_pods && n_victims < BURST_PODS; i++) {
		if (!y->pods[i].is_doomed)
			continue;
		tell_ended(y, &y->pods[i]);
		victims[n_victims++] = &y->pods[i].view.meta;
	}
	y->batches = (n_victims > 0) + (n_targets > 0);
	y->making = y->deleting = batch(y);
	if (n_targets)
		pod_control_create(&y->making, n_targets);
	if (n_victims)
		pod_control_delete(&y->deleting, victims, n_victims);
	return n_targets || n_victims;
}

static bool roll(struct sync *y, int64_t surge, int64_t unavailable)
{
	if (!slice_is(json_str(json_path(y->spec, "updateStrategy", "type", NULL)), "RollingUpdate"))
		return false;
	daemon_roll(y->nodes, y->n_nodes, surge, unavailable);
	return act(y);
}

static void manage(struct sync *y)
{
	struct json *strategy = json_get(y->spec, "updateStrategy");
	int64_t surge = 0, unavailable = 1;
	if (slice_is(json_get_str(strategy, "type"), "RollingUpdate"))
		daemon_fenceposts(strategy, daemon_count(y->nodes, y->n_nodes).desired, &surge, &unavailable);
	y->observes = true;
	daemon_manage(y->nodes, y->n_nodes, surge > 0, may_delete, y);
	if (act(y) || roll(y, surge, unavailable))
		return;
	cut_history(y);
	write_status(y);
}

/* ---- the run ---- */

static void run(struct work *w)
{
	struct daemon_sets *s = w->arg;
	struct sync *y = ARENA_NEW(&w->arena, struct sync);
	int64_t wait_ms;
	y->s = s;
	y->work = w;
	if (!load(y) || !settle_history(y) || !claim_pods(y) || merge_revisions(y))
		return;
	build_template(y);
	add_nodes(y);
	place_pods(y);
	if (expectations_fulfilled(&s->expectations, w->key, controllers_now_ms(s->c), &wait_ms)) {
		manage(y);
		return;
	}
	work_again(w, wait_ms);
	write_status(y);
}

/* ---- life ---- */

void *daemon_set_controller_start(struct controllers *c)
{
	struct daemon_sets *s = xcalloc(1, sizeof *s);
	s->c = c;
	expectations_init(&s->expectations);
	s->recorder = controllers_recorder(c, "daemonset-controller");
	s->queue = controllers_queue(c, "daemonset", 2, run, s);
	s->children = (struct children){.kind = kind, .queue = s->queue, .expectations = &s->expectations};
	s->revisions = (struct children){.kind = kind, .queue = s->queue};
	children_follow(c, &s->children, DAEMONSETS, PODS);
	children_follow_also(c, &s->revisions, DAEMONSETS, REVISIONS);
	s->nodes = controllers_listen(c, NODES,
	        &(struct informer_handler){
	                .added = node_added, .updated = node_updated, .deleted = node_deleted, .arg = s});
	return s;
}

void daemon_set_controller_release(void *state)
{
	struct daemon_sets *s = state;
	MAP_FOREACH (slot, &s->backoffs)
		free(slot->value);
	map_release(&s->backoffs);
	expectations_release(&s->expectations);
	free(s);
}
