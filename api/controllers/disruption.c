/* Pod disruption budgets: their status says how many pods may be evicted, and condition DisruptionAllowed whether any.
 *
 *     an event of the budget, or of a pod it selects --> the budget's key
 *     run: count its pods, ask their owners how many there should be --> status
 *
 * Evictions compute the same anew from the watch cache when they are asked (api/server/verbs/disruption.h), so the
 * status is for those who read it: kubectl, autoscalers, and the eviction's draw, which it must not undo. Both write
 * against the revision they have read. A pod that was evicted (status.disruptedPods) counts as gone until it dies or
 * two minutes are over; then it is dropped from there, and an event says that it was not deleted.
 *
 * What can go wrong: a pod's owner is not known or has no scale. Then nothing is allowed, and the condition says why.
 */
#include "api/controllers/budget.h"
#include "api/controllers/controllers_int.h"
#include "api/machinery/schema/selector.h"

struct disruptions {
	struct controllers *c;
	struct shared_informer *budgets, *pods;
	struct informer_index *budgets_by_namespace, *pods_by_namespace;
	struct shared_informer *owners[4]; /* as in `owner_kinds` */
	struct work_queue *queue;
	struct recorder *recorder;
};

/* One run. */
struct budget_sync {
	struct disruptions *s;
	struct work *work;
	struct meta meta;
	struct json *budget, *spec, *old; /* old: the status */
	struct label_selector selector;
	struct budget_counts k;
	struct json *disrupted; /* status.disruptedPods as it is to be */
	struct map seen;        /* uids of owners that were counted */
	int64_t n_pods, unmanaged;
	struct err why; /* the numbers are not known */
};

static const struct {
	const char *kind, *api_version, *path;
} owner_kinds[] = {
        {"ReplicaSet", "apps/v1", REPLICASETS},
        {"Deployment", "apps/v1", DEPLOYMENTS},
        {"StatefulSet", "apps/v1", STATEFULSETS},
        {"ReplicationController", "v1", REPLICATION_CONTROLLERS},
};
_Static_assert(COUNT_OF(owner_kinds) == COUNT_OF(((struct disruptions *)0)->owners), "an informer for each");

static const char api_version[] = "policy/v1", kind[] = "PodDisruptionBudget";

/* ---- events ---- */

static void budget_changed(void *arg, struct informer_object *o)
{
	struct disruptions *s = arg;
	work_queue_add(s->queue, o->key);
}

static void budget_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	budget_changed(arg, o);
}

static void wake_budgets(struct disruptions *s, struct slice ns, struct slice labels)
{
	struct arena a = ARENA_INIT;
	INFORMER_GROUP_FOREACH(o, informer_index_group(s->budgets_by_namespace, ns))
	{
		struct label_selector selector;
		bool nothing = true;
		struct slice text = json_find(informer_text(o), "spec", "selector", NULL);
		struct json *tree = text.len ? json_parse(&a, text, NULL, NULL) : NULL;
		if (label_selector_from_json(&a, tree, &selector, &nothing, NULL) == 0 && !nothing &&
		        label_selector_matches(&selector, labels))
			work_queue_add(s->queue, o->key);
		arena_reset(&a);
	}
	arena_release(&a);
}

static void pod_changed(void *arg, struct informer_object *o)
{
	struct meta m;
	meta_read(informer_text(o), &m);
	wake_budgets(arg, m.ns, m.labels);
}

static void pod_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	struct pod_view now, was;
	pod_view_read(informer_text(o), &now);
	pod_view_read((struct slice){before->data, before->len}, &was);
	bool relabelled = !slice_eq(now.meta.labels, was.meta.labels);
	if (relabelled)
		wake_budgets(arg, was.meta.ns, was.meta.labels);
	if (relabelled || now.is_ready != was.is_ready || !slice_eq(now.meta.owners, was.meta.owners) ||
	        now.meta.deletion_timestamp.len != was.meta.deletion_timestamp.len)
		wake_budgets(arg, now.meta.ns, now.meta.labels);
}

/* ---- how many there should be ---- */

static struct informer_object *find_owner(struct budget_sync *y, const struct owner_ref *ref)
{
	for (size_t i = 0; i < COUNT_OF(owner_kinds); i++) {
		if (!slice_is(ref->kind, owner_kinds[i].kind) ||
		        !slice_is(ref->api_version, owner_kinds[i].api_version))
			continue;
		struct informer_object *o =
		        informer_get_named(shared_informer_base(y->s->owners[i]), y->meta.ns, ref->name);
		if (o && slice_eq(json_find(informer_text(o), "metadata", "uid", NULL), ref->uid))
			return o;
	}
	return NULL;
}

static void count_scale(struct budget_sync *y, struct informer_object *owner)
{
	struct slice uid = json_find(informer_text(owner), "metadata", "uid", NULL);
	struct slice text = json_find(informer_text(owner), "spec", "replicas", NULL);
	int64_t replicas = 1;
	if (map_get(&y->seen, uid))
		return;
	slice_to_i64(text, &replicas);
	y->k.expected += replicas;
	rcbuf_unref_with(&y->work->arena, rcbuf_ref(owner->json));
	map_put(&y->seen, uid, y);
}

/* Adds the replicas of a pod's controller: of the Deployment that a ReplicaSet belongs to. */
static void ask_owner(struct budget_sync *y, const struct meta *pod)
{
	struct owner_ref ref, above;
	struct meta m;
	if (!owner_ref_controller(pod->owners, &ref)) {
		y->unmanaged++;
		return;
	}
	struct informer_object *owner = find_owner(y, &ref);
	if (owner && slice_is(ref.kind, "ReplicaSet")) {
		meta_read(informer_text(owner), &m);
		if (owner_ref_controller(m.owners, &above) && slice_is(above.kind, "Deployment")) {
			ref = above;
			owner = find_owner(y, &ref);
		}
	}
	if (owner)
		count_scale(y, owner);
	else
		err_set(&y->why, ERR_NOT_FOUND,
		        "%.*s \"%.*s\", which controls pod \"%.*s\", is not there or has no scale", SLICE_FMT(ref.kind),
		        SLICE_FMT(ref.name), SLICE_FMT(pod->name));
}

/* ---- how many there are ---- */

/* Whether an eviction has taken the pod already; forgets evictions that came to nothing. */
static bool is_disrupted(struct budget_sync *y, const struct meta *pod)
{
	struct arena *a = &y->work->arena;
	struct json *at = json_get_slice(json_get(y->old, "disruptedPods"), pod->name);
	if (!at || pod->deletion_timestamp.len)
		return false;
	int64_t left_s = budget_disrupted_s_left(kube_time_parse(json_str(at)), kube_time_now_s());
	if (left_s) {
		json_set_slice(a, y->disrupted, at->key, json_copy(a, at));
		work_again(y->work, left_s * 1000);
		return true;
	}
	struct recorder_subject about = recorder_about("v1", "Pod", pod);
	recorder_event(y->s->recorder, &about, "Warning", "NotDeleted",
	        "Pod was expected by PDB %.*s/%.*s to be deleted but it wasn't", SLICE_FMT(y->meta.ns),
	        SLICE_FMT(y->meta.name));
	return false;
}

static void count_pods(struct budget_sync *y)
{
	bool asks = budget_asks_owners(y->spec);
	INFORMER_GROUP_FOREACH(o, informer_index_group(y->s->pods_by_namespace, y->meta.ns))
	{
		struct pod_view p;
		pod_view_read(informer_text(o), &p);
		if (!label_selector_matches(&y->selector, p.meta.labels))
			continue;
		y->n_pods++;
		bool is_gone = is_disrupted(y, &p.meta) || p.meta.deletion_timestamp.len;
		y->k.healthy += p.is_ready && !is_gone;
		if (asks)
			ask_owner(y, &p.meta);
		else
			y->k.expected++;
	}
}

/* As Go prints one. */
static const char *selector_text(struct budget_sync *y)
{
	const struct json *selector = json_get(y->spec, "selector");
	struct strbuf b = STRBUF_INIT;
	strbuf_adds(&b, "&LabelSelector{MatchLabels:map[string]string{");
	JSON_FOREACH (it, json_get(selector, "matchLabels"))
		strbuf_addf(&b, "%.*s: %.*s,", SLICE_FMT(it->key), SLICE_FMT(json_str(it)));
	strbuf_adds(&b, "},MatchExpressions:[]LabelSelectorRequirement{");
	JSON_FOREACH (it, json_get(selector, "matchExpressions")) {
		strbuf_addf(&b, "LabelSelectorRequirement{Key:%.*s,Operator:%.*s,Values:[",
		        SLICE_FMT(json_get_str(it, "key")), SLICE_FMT(json_get_str(it, "operator")));
		const struct json *values = json_get(it, "values");
		JSON_FOREACH (v, values)
			strbuf_addf(&b, "%s%.*s", v == values->first ? "" : " ", SLICE_FMT(json_str(v)));
		strbuf_adds(&b, "],},");
	}
	strbuf_adds(&b, "},}");
	const char *text = arena_strdup(&y->work->arena, strbuf_cstr(&b));
	strbuf_release(&b);
	return text;
}

static void tell(struct budget_sync *y)
{
	struct recorder_subject about = recorder_about(api_version, kind, &y->meta);
	if (!y->n_pods)
		recorder_event(y->s->recorder, &about, "Normal", "NoPods", "No matching pods found");
	if (y->why.code)
		recorder_event(y->s->recorder, &about, "Warning", "CalculateExpectedPodCountFailed",
		        "Failed to calculate the number of expected pods: %s", y->why.msg);
	else if (y->unmanaged)
		recorder_event(y->s->recorder, &about, "Warning", "UnmanagedPods",
		        "Pods selected by this PodDisruptionBudget (selector: %s) were found to be unmanaged. As a "
		        "result, the status of the PDB cannot be calculated correctly, which may result in undefined "
		        "behavior. To account for these pods please set \".spec.minAvailable\" field of the PDB to an "
		        "integer value.",
		        selector_text(y));
}

/* ---- status ---- */

static bool set_condition(struct budget_sync *y, struct json *list)
{
	struct arena *a = &y->work->arena;
	bool known = !y->why.code, allowed = known && y->k.allowed > 0;
	const char *reason = !known ? "SyncFailed" : allowed ? "SufficientPods" : "InsufficientPods";
	bool changed = condition_set(a, list, "DisruptionAllowed", allowed ? "True" : "False", reason,
	        known ? "" : arena_strdup(a, y->why.msg), NULL);
	struct json *condition = condition_find(list, "DisruptionAllowed");
	changed |= json_get_int(condition, "observedGeneration", 0) != y->meta.generation;
	json_set_int(a, condition, "observedGeneration", y->meta.generation);
	return changed;
}

/* The evicted pods as they are to be, with null for those that a merge patch has to take out. */
static bool set_disrupted(struct budget_sync *y, struct json *status)
{
	struct arena *a = &y->work->arena;
	bool changed = false;
	JSON_FOREACH (it, json_get(y->old, "disruptedPods"))
		if (!json_get_slice(y->disrupted, it->key)) {
			json_set_slice(a, y->disrupted, it->key, json_new(a, JSON_NULL));
			changed = true;
		}
	if (changed)
		json_set(a, status, "disruptedPods", y->disrupted);
	return changed;
}

static void write_status(struct budget_sync *y)
{
	static const char *const names[] = {
	        "disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods", "observedGeneration"};
	struct arena *a = &y->work->arena;
	const int64_t counts[] = {y->k.allowed, y->k.healthy, y->k.desired, y->k.expected, y->meta.generation};
	struct json *patch = patch_new(a, y->meta.resource_version),
	            *status = json_need(a, patch, "status", JSON_OBJECT);
	struct json *had = json_get(y->old, "conditions");
	struct json *list = json_set(a, status, "conditions", had ? json_copy(a, had) : json_new(a, JSON_ARRAY));
	bool changed = set_condition(y, list);
	/* without knowing how many there should be, nothing but that nothing is allowed can be said */
	for (size_t i = 0; i < (y->why.code ? 1 : COUNT_OF(names)); i++) {
		changed |= json_get_int(y->old, names[i], -1) != counts[i];
		json_set_int(a, status, names[i], counts[i]);
	}
	changed |= set_disrupted(y, status);
	if (changed)
		work_patch(y->work,
		        kube_path(a, api_version, "poddisruptionbudgets", y->meta.ns, y->meta.name, "status"),
		        merge_patch, patch, work_done_ignore_missing);
}

/* ---- the run ---- */

static bool load(struct budget_sync *y)
{
	struct arena *a = &y->work->arena;
	struct informer_object *o = informer_get(shared_informer_base(y->s->budgets), y->work->key);
	bool nothing = false;
	if (!o)
		return false;
	rcbuf_unref_with(a, rcbuf_ref(o->json));
	y->budget = informer_parse(a, o);
	meta_read(informer_text(o), &y->meta);
	y->spec = json_get(y->budget, "spec");
	y->old = json_get(y->budget, "status");
	y->disrupted = json_new(a, JSON_OBJECT);
	if (label_selector_from_json(a, json_get(y->spec, "selector"), &y->selector, &nothing, &y->why) == 0 &&
	        !nothing)
		count_pods(y);
	return true;
}

static void run(struct work *w)
{
	struct budget_sync *y = ARENA_NEW(&w->arena, struct budget_sync);
	y->s = w->arg;
	y->work = w;
	map_init(&y->seen);
	bool is_there = load(y);
	map_release(&y->seen);
	if (!is_there)
		return;
	if (y->why.code)
		work_fail(w, &y->why);
	else
		budget_compute(y->spec, &y->k);
	tell(y);
	write_status(y);
}

/* ---- life ---- */

void *disruption_controller_start(struct controllers *c)
{
	struct disruptions *s = xcalloc(1, sizeof *s);
	s->c = c;
	s->recorder = controllers_recorder(c, "controllermanager");
	s->queue = controllers_queue(c, "disruption", 4, run, s);
	s->budgets = controllers_listen(
	        c, BUDGETS, &(struct informer_handler){.added = budget_changed, .updated = budget_updated, .arg = s});
	s->pods = controllers_listen(c, PODS,
	        &(struct informer_handler){
	                .added = pod_changed, .updated = pod_updated, .deleted = pod_changed, .arg = s});
	s->budgets_by_namespace = informer_index_get(s->budgets, "namespace", informer_index_namespace);
	s->pods_by_namespace = informer_index_get(s->pods, "namespace", informer_index_namespace);
	for (size_t i = 0; i < COUNT_OF(owner_kinds); i++)
		s->owners[i] = informer_set_get(c->informers, owner_kinds[i].path);
	return s;
}

void disruption_controller_release(void *state)
{
	free(state);
}
