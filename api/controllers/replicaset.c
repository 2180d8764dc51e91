/* Replica sets and replication controllers, which differ in their names and in how they write a selector: as many
 * active pods as spec.replicas says, all matching the selector and made from the template.
 *
 *     an event of the set or of one of its pods --> the set's key
 *     run: claim pods --> expectations met? create (in batches of 1, 2, 4, ...) or delete what differs --> write status
 *
 * What can go wrong: the informer lags behind our own creations (expectations hold the numbers still until it has
 * caught up); creations fail (the rest of the batch is not tried, a condition and an event say why, the key comes
 * again); a pod becomes available only by time passing (work_again). Upstream:
 * pkg/controller/replicaset/replica_set.go. */
#include "api/controllers/children.h"
#include "api/controllers/claim.h"
#include "api/controllers/controllers_int.h"
#include "api/controllers/pod_control.h"
#include "api/controllers/ranking.h"

/* What the two kinds do not share. */
struct variant {
	const char *api_version, *kind, *plural, *path;
	const char *queue, *component;
	bool selector_is_map; /* spec.selector is a map of labels */
};

static const struct variant replica_set = {.api_version = "apps/v1",
        .kind = "ReplicaSet",
        .plural = "replicasets",
        .path = REPLICASETS,
        .queue = "replicaset",
        .component = "replicaset-controller"};
static const struct variant replication_controller = {.api_version = "v1",
        .kind = "ReplicationController",
        .plural = "replicationcontrollers",
        .path = REPLICATION_CONTROLLERS,
        .queue = "replicationcontroller",
        .component = "replication-controller",
        .selector_is_map = true};

struct replica_sets {
	const struct variant *variant;
	struct controllers *c;
	struct children children;
	struct informer_index *sets_by_owner;
	struct work_queue *queue;
	struct recorder *recorder;
	struct expectations expectations;
};

/* One run. */
struct sync {
	struct replica_sets *s;
	struct work *work;
	struct meta meta;
	struct json *set;
	int64_t want, min_ready_s;
	struct pod_view *pods; /* active */
	size_t count;
	struct pod_batch batch;
	struct slice pod_text;
};

/* ---- status ---- */

static int64_t status_int(const struct json *status, const char *name)
{
	return json_get_int(status, name, 0);
}

static bool same_status(const struct json *a, const struct json *b)
{
	static const char *const counts[] = {
	        "replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration"};
	for (size_t i = 0; i < COUNT_OF(counts); i++)
		if (status_int(a, counts[i]) != status_int(b, counts[i]))
			return false;
	return true;
}

/* The labels of the template as a selector that a pod's labels must match. */
static void labels_selector(struct arena *a, const struct json *labels, struct label_selector *out)
{
	bool nothing;
	if (label_selector_from_json(a, children_selector_of_map(a, labels), out, &nothing, NULL) != 0)
		*out = (struct label_selector){0};
}

static void count_pods(struct sync *y, struct json *status)
{
	struct arena *a = &y->work->arena;
	struct json *labels = json_path(y->set, "spec", "template", "metadata", "labels", NULL);
	struct label_selector selector;
	int64_t labeled = 0, ready = 0, available = 0, now_s = kube_time_now_s();
	labels_selector(a, labels, &selector);
	for (size_t i = 0; i < y->count; i++) {
		int64_t wait_s;
		labeled += label_selector_matches(&selector, y->pods[i].meta.labels);
		ready += y->pods[i].is_ready;
		available += pod_view_is_available(&y->pods[i], y->min_ready_s, now_s, &wait_s);
		if (wait_s)
			work_again(y->work, wait_s * 1000);
	}
	json_set_int(a, status, "replicas", (int64_t)y->count);
	json_set_int(a, status, "fullyLabeledReplicas", labeled);
	json_set_int(a, status, "readyReplicas", ready);
	json_set_int(a, status, "availableReplicas", available);
	json_set_int(a, status, "observedGeneration", y->meta.generation);
}

static void write_status(struct sync *y)
{
	struct arena *a = &y->work->arena;
	const struct variant *v = y->s->variant;
	struct json *old = json_get(y->set, "status");
	struct json *patch = patch_new(a, y->meta.resource_version),
	            *status = json_need(a, patch, "status", JSON_OBJECT);
	struct json *conditions =
	        json_get(old, "conditions") ? json_copy(a, json_get(old, "conditions")) : json_new(a, JSON_ARRAY);
	const char *failure = y->batch.failure_reason; /* NULL: all went well */
	/* One that is there stays: its message names a pod, another with each try, and what is written brings the next.
	 */
	bool is_told = failure && condition_find(conditions, "ReplicaFailure");
	bool changed = is_told   ? false
	               : failure ? condition_set(a, conditions, "ReplicaFailure", "True", failure,
	                                   y->batch.failure_message, NULL)
	                         : condition_drop(conditions, "ReplicaFailure");
	count_pods(y, status);
	if (!changed && old && same_status(old, status))
		return;
	json_set(a, status, "conditions", conditions);
	work_patch(y->work, kube_path(a, v->api_version, v->plural, y->meta.ns, y->meta.name, "status"), merge_patch,
	        patch, work_done_ignore_missing);
}

/* ---- creating and deleting ---- */

static void batch_done(struct pod_batch *b)
{
	write_status(b->arg);
}

static struct slice pod_text(struct pod_batch *b, int64_t i)
{
	struct sync *y = b->arg;
	return y->pod_text; /* all are alike */
}

static struct pod_batch *batch(struct sync *y)
{
	y->batch = (struct pod_batch){.work = y->work,
	        .recorder = y->s->recorder,
	        .expectations = &y->s->expectations,
	        .api_version = y->s->variant->api_version,
	        .kind = y->s->variant->kind,
	        .owner = &y->meta,
	        .now_ms = controllers_now_ms(y->s->c),
	        .text_of = pod_text,
	        .done = batch_done,
	        .arg = y};
	return &y->batch;
}

static void create_pods(struct sync *y, int64_t n)
{
	y->pod_text = pod_control_text(y->work, json_path(y->set, "spec", "template", NULL), y->s->variant->api_version,
	        y->s->variant->kind, &y->meta);
	pod_control_create(batch(y), n);
}

static void count_neighbours_of(struct sync *y, struct ranked_pod *ranked, struct slice set_uid)
{
	INFORMER_GROUP_FOREACH(o, informer_index_group(y->s->children.by_owner, set_uid))
	{
		struct pod_view p;
		pod_view_read(informer_text(o), &p);
		if (!pod_view_is_active(&p) || !p.node.len)
			continue;
		for (size_t i = 0; i < y->count; i++)
			ranked[i].neighbours += slice_eq(ranked[i].pod.node, p.node);
	}
}

/* Pods of the same family: of this set and of its siblings under the same owner. */
static void count_neighbours(struct sync *y, struct ranked_pod *ranked)
{
	struct owner_ref owner;
	if (!owner_ref_controller(y->meta.owners, &owner)) {
		count_neighbours_of(y, ranked, y->meta.uid);
		return;
	}
	INFORMER_GROUP_FOREACH(sibling, informer_index_group(y->s->sets_by_owner, owner.uid))
	count_neighbours_of(y, ranked, json_find(informer_text(sibling), "metadata", "uid", NULL));
}

static void delete_pods(struct sync *y, int64_t n)
{
	struct arena *a = &y->work->arena;
	struct ranked_pod *ranked = ARENA_ARRAY(a, struct ranked_pod, y->count + 1);
	const struct meta **victims = ARENA_ARRAY(a, const struct meta *, y->count + 1);
	for (size_t i = 0; i < y->count; i++) {
		ranked[i].pod = y->pods[i];
		ranked[i].deletion_cost = ranking_deletion_cost(y->pods[i].meta.annotations);
	}
	if ((size_t)n < y->count) {
		count_neighbours(y, ranked);
		ranking_sort(ranked, y->count, kube_time_now_s());
	}
	for (size_t i = 0; i < y->count; i++)
		victims[i] = &ranked[i].pod.meta;
	pod_control_delete(batch(y), victims, n);
}

/* ---- the run ---- */

/* The set's own text, so that the slices outlive the informer's next event. */
static bool load(struct sync *y)
{
	struct arena *a = &y->work->arena;
	struct informer_object *o = informer_get(shared_informer_base(y->s->children.owners), y->work->key);
	if (!o)
		return false;
	rcbuf_unref_with(a, rcbuf_ref(o->json));
	y->set = informer_parse(a, o);
	meta_read(informer_text(o), &y->meta);
	y->want = json_int(json_path(y->set, "spec", "replicas", NULL), 1);
	y->min_ready_s = json_int(json_path(y->set, "spec", "minReadySeconds", NULL), 0);
	return y->set != NULL;
}

static bool claim(struct sync *y)
{
	struct arena *a = &y->work->arena;
	struct label_selector selector;
	struct json *written = json_path(y->set, "spec", "selector", NULL);
	bool nothing, changes;
	size_t n;
	if (written && y->s->variant->selector_is_map)
		written = children_selector_of_map(a, written);
	if (label_selector_from_json(a, written, &selector, &nothing, NULL) != 0 || nothing)
		return false;
	struct claim c = {.work = y->work,
	        .api_version = y->s->variant->api_version,
	        .kind = y->s->variant->kind,
	        .child_api_version = "v1",
	        .child_plural = "pods",
	        .owner = y->meta,
	        .selector = &selector,
	        .by_owner = y->s->children.by_owner};
	struct informer_object **objects = claim_children(&c, &n, &changes);
	y->pods = ARENA_ARRAY(a, struct pod_view, n + 1);
	for (size_t i = 0; i < n; i++) {
		struct pod_view *p = &y->pods[y->count];
		pod_view_read(informer_text(objects[i]), p);
		if (!pod_view_is_active(p))
			continue;
		rcbuf_unref_with(a, rcbuf_ref(objects[i]->json));
		y->count++;
	}
	return !changes; /* else the numbers are about to change */
}

static void run(struct work *w)
{
	struct replica_sets *s = w->arg;
	struct sync *y = ARENA_NEW(&w->arena, struct sync);
	y->s = s;
	y->work = w;
	if (!load(y) || !claim(y))
		return;
	int64_t have = (int64_t)y->count;
	int64_t wait_ms;
	bool is_known = expectations_fulfilled(&s->expectations, w->key, controllers_now_ms(s->c), &wait_ms);
	if (!is_known)
		work_again(w, wait_ms);
	bool may_act = is_known && !y->meta.deletion_timestamp.len;
	if (may_act && have < y->want)
		create_pods(y, y->want - have);
	else if (may_act && have > y->want)
		delete_pods(y, have - y->want);
	else
		write_status(y);
}

/* ---- life ---- */

static struct replica_sets *start(struct controllers *c, const struct variant *v)
{
	struct replica_sets *s = xcalloc(1, sizeof *s);
	s->variant = v;
	s->c = c;
	expectations_init(&s->expectations);
	s->recorder = controllers_recorder(c, v->component);
	s->queue = controllers_queue(c, v->queue, 16, run, s);
	s->children = (struct children){.kind = v->kind,
	        .queue = s->queue,
	        .expectations = &s->expectations,
	        .selector_is_map = v->selector_is_map};
	children_follow(c, &s->children, v->path, PODS);
	s->sets_by_owner = informer_index_get(s->children.owners, "owner", informer_index_owner);
	return s;
}

void *replica_set_controller_start(struct controllers *c)
{
	return start(c, &replica_set);
}

void *replication_controller_start(struct controllers *c)
{
	return start(c, &replication_controller);
}

void replica_set_controller_release(void *state)
{
	struct replica_sets *s = state;
	expectations_release(&s->expectations);
	free(s);
}

void replication_controller_release(void *state)
{
	replica_set_controller_release(state);
}
