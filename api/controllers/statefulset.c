/* Stateful sets: pods that keep their names, their claims and their order.
 *
 *     an event of the set, of its pods or revisions, or the end of a claim --> the set's key
 *     run: history settled? --> claim pods --> plan (stateful.c) --> carry out (statefulset_act.c) --> status
 *
 * Names are given, not generated, so that an informer that lags leads to the same name a second time and never to one
 * pod too many: there are no expectations. What can go wrong: a name is a stranger's (tried again, later and later); a
 * claim of an earlier pod is still going away (its end brings the key). No volume is bound here: pods wait for their
 * claims. Upstream: pkg/controller/statefulset. */
#include "api/controllers/statefulset_int.h"

/* Ordinals looked at beyond the pods that are there. */
enum { AHEAD_MAX = 500 };

static const char api_version[] = "apps/v1", kind[] = "StatefulSet";

/* ---- events of claims ---- */

/* A set that wants the name may have waited for it. */
static void claim_deleted(void *arg, struct informer_object *o)
{
	struct stateful_sets *s = arg;
	struct slice ns = json_find(informer_text(o), "metadata", "namespace", NULL);
	INFORMER_GROUP_FOREACH(set, informer_index_group(s->children.owners_by_namespace, ns))
	if (json_find(informer_text(set), "spec", "volumeClaimTemplates", NULL).len)
		work_queue_add(s->queue, set->key);
}

/* ---- loading ---- */

static bool load(struct stateful_sync *y)
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
	y->claim_templates = json_get(y->spec, "volumeClaimTemplates");
	y->retention = json_get(y->spec, "persistentVolumeClaimRetentionPolicy");
	y->min_ready_s = json_get_int(y->spec, "minReadySeconds", 0);
	return json_get(y->spec, "template") &&
	       label_selector_from_json(a, json_get(y->spec, "selector"), &y->selector, &nothing, NULL) == 0 &&
	       !nothing;
}

/* The revisions of the present template and of the one before, while an update is under way. */
static bool settle_history(struct stateful_sync *y)
{
	struct json *status = json_get(y->set, "status");
	y->history = (struct history){
	        .work = y->work,
	        .kind = kind,
	        .plural = "statefulsets",
	        .hash_label = "controller.kubernetes.io/hash",
	        .owner = y->meta,
	        .object = y->set,
	        .selector = &y->selector,
	        .by_owner = y->s->revisions.by_owner,
	        .collisions = json_get_int(status, "collisionCount", 0),
	};
	if (!history_load(&y->history) || (!y->meta.deletion_timestamp.len && !history_settle(&y->history)))
		return false;
	y->fresh = y->history.fresh;
	y->current = history_named(&y->history, json_get_str(status, "currentRevision"));
	if (!y->current || !y->current->data)
		y->current = y->fresh;
	return y->fresh != NULL;
}

static void set_rules(struct stateful_sync *y)
{
	struct json *strategy = json_get(y->spec, "updateStrategy");
	int64_t replicas = json_get_int(y->spec, "replicas", 1);
	y->rules = (struct stateful_rules){.replicas = replicas,
	        .start = json_int(json_path(y->spec, "ordinals", "start", NULL), 0),
	        .partition = json_int(json_path(strategy, "rollingUpdate", "partition", NULL), 0),
	        .is_ordered = !slice_is(json_get_str(y->spec, "podManagementPolicy"), "Parallel"),
	        .rolls = slice_is(json_get_str(strategy, "type"), "RollingUpdate"),
	        .current = y->current->meta.name,
	        .updated = y->fresh->meta.name};
}

/* ---- pods ---- */

static bool is_member(const struct claim *c, const struct meta *child)
{
	return stateful_ordinal(c->owner.name, child->name) >= 0;
}

static void read_pod(struct stateful_sync *y, struct informer_object *o, struct stateful_pod *p)
{
	int64_t wait_s, index = -1;
	rcbuf_unref_with(&y->work->arena, rcbuf_ref(o->json));
	pod_view_read(informer_text(o), &p->view);
	struct slice labels = p->view.meta.labels;
	p->exists = true;
	p->ordinal = stateful_ordinal(y->meta.name, p->view.meta.name);
	p->revision = json_find(labels, REVISION_HASH, NULL);
	p->is_available = pod_view_is_available(&p->view, y->min_ready_s, kube_time_now_s(), &wait_s);
	p->is_itself = slice_eq(json_find(labels, POD_NAME_LABEL, NULL), p->view.meta.name) &&
	               slice_to_i64(json_find(labels, POD_INDEX_LABEL, NULL), &index) && index == p->ordinal;
	if (wait_s)
		work_again(y->work, wait_s * 1000);
}

static int highest_first(const void *x, const void *y)
{
	const struct stateful_pod *a = x, *b = y;
	return (a->ordinal < b->ordinal) - (a->ordinal > b->ordinal);
}

/* Every ordinal of the range has a place, up to some beyond the pods that are there: the rest is for later runs. */
static void place_pods(struct stateful_sync *y, struct informer_object **objects, size_t n)
{
	struct arena *a = &y->work->arena;
	int64_t most = (int64_t)n + AHEAD_MAX;
	y->n_pods = (size_t)(y->rules.replicas < most ? y->rules.replicas : most);
	y->pods = ARENA_ARRAY(a, struct stateful_pod, y->n_pods + 1);
	y->condemned = ARENA_ARRAY(a, struct stateful_pod, n + 1);
	for (size_t i = 0; i < y->n_pods; i++)
		y->pods[i].ordinal = y->rules.start + (int64_t)i;
	for (size_t i = 0; i < n; i++) {
		struct stateful_pod p = {0};
		read_pod(y, objects[i], &p);
		int64_t at = p.ordinal - y->rules.start;
		if (at < 0 || at >= y->rules.replicas)
			y->condemned[y->n_condemned++] = p;
		else if (at < (int64_t)y->n_pods)
			y->pods[at] = p;
	}
	qsort(y->condemned, y->n_condemned, sizeof *y->condemned, highest_first);
	for (size_t i = 0; y->claim_templates && i < y->n_pods; i++)
		if (!y->pods[i].exists)
			y->pods[i].waits = stateful_must_wait(y, stateful_pod_name(y, y->pods[i].ordinal));
}

static bool claim_pods(struct stateful_sync *y)
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
	        .by_owner = y->s->children.by_owner,
	        .is_member = is_member};
	struct informer_object **objects = claim_children(&c, &n, &changes);
	place_pods(y, objects, n);
	return !changes;
}

/* ---- status ---- */

static void cut_history(struct stateful_sync *y)
{
	for (size_t i = 0; i < y->history.count; i++) {
		struct revision *r = &y->history.list[i];
		r->is_live = r == y->current || r == y->fresh;
		for (size_t j = 0; j < y->n_pods && !r->is_live; j++)
			r->is_live = slice_eq(y->pods[j].revision, r->meta.name);
		for (size_t j = 0; j < y->n_condemned && !r->is_live; j++)
			r->is_live = slice_eq(y->condemned[j].revision, r->meta.name);
	}
	history_truncate(&y->history, json_get_int(y->spec, "revisionHistoryLimit", 10));
}

static bool set_text(struct arena *a, struct json *status, const struct json *old, const char *name, struct slice v)
{
	json_set_str(a, status, name, v);
	return !slice_eq(json_get_str(old, name), v);
}

static void write_status(struct stateful_sync *y)
{
	static const char *const names[] = {"replicas", "readyReplicas", "availableReplicas", "currentReplicas",
	        "updatedReplicas", "observedGeneration"};
	struct arena *a = &y->work->arena;
	struct json *old = json_get(y->set, "status");
	struct stateful_counts k = stateful_count(&y->rules, y->pods, y->n_pods, y->condemned, y->n_condemned);
	const int64_t counts[] = {k.replicas, k.ready, k.available, k.current, k.updated, y->meta.generation};
	struct json *patch = patch_new(a, y->meta.resource_version),
	            *status = json_need(a, patch, "status", JSON_OBJECT);
	bool changed = set_text(a, status, old, "updateRevision", y->fresh->meta.name);
	changed |= set_text(a, status, old, "currentRevision", (k.is_complete ? y->fresh : y->current)->meta.name);
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		changed |= json_get_int(old, names[i], i == 0 ? -1 : 0) != counts[i];
		json_set_int(a, status, names[i], counts[i]);
	}
	if (changed)
		work_patch(y->work, kube_path(a, api_version, "statefulsets", y->meta.ns, y->meta.name, "status"),
		        merge_patch, patch, work_done_ignore_missing);
	cut_history(y);
}

/* ---- the run ---- */

static void run(struct work *w)
{
	struct stateful_sync *y = ARENA_NEW(&w->arena, struct stateful_sync);
	y->s = w->arg;
	y->work = w;
	if (!load(y) || !settle_history(y))
		return;
	set_rules(y);
	if (!claim_pods(y))
		return;
	if (y->meta.deletion_timestamp.len) {
		write_status(y);
		return;
	}
	stateful_plan(&y->rules, y->pods, y->n_pods, y->condemned, y->n_condemned);
	stateful_act(y, write_status);
}

/* ---- life ---- */

void *stateful_set_controller_start(struct controllers *c)
{
	struct stateful_sets *s = xcalloc(1, sizeof *s);
	s->c = c;
	s->recorder = controllers_recorder(c, "statefulset-controller");
	s->queue = controllers_queue(c, "statefulset", 8, run, s);
	s->children = (struct children){.kind = kind, .queue = s->queue};
	s->revisions = (struct children){.kind = kind, .queue = s->queue};
	children_follow(c, &s->children, STATEFULSETS, PODS);
	children_follow_also(c, &s->revisions, STATEFULSETS, REVISIONS);
	s->claims = controllers_listen(c, CLAIMS, &(struct informer_handler){.deleted = claim_deleted, .arg = s});
	return s;
}

void stateful_set_controller_release(void *state)
{
	free(state);
}
