/* Replica sets: as many active pods as spec.replicas says, all matching the selector and made from the template.
 *
 *     an event of the set or of one of its pods --> the set's key
 *     run: claim pods --> expectations met? create (in batches of 1, 2, 4, ...) or delete what differs --> write status
 *
 * What can go wrong: the informer lags behind our own creations (expectations hold the numbers still until it has
 * caught up); creations fail (the rest of the batch is not tried, a condition and an event say why, the key comes
 * again); a pod becomes available only by time passing (work_again). Upstream:
 * pkg/controller/replicaset/replica_set.go. */
#include "api/controllers/claim.h"
#include "api/controllers/controllers_int.h"
#include "api/controllers/ranking.h"
#include "api/controllers/slow_start.h"

enum { BURST = 500 };

struct replica_sets {
	struct controllers *c;
	struct shared_informer *sets, *pods;
	struct informer_index *sets_by_namespace, *sets_by_owner, *pods_by_owner;
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
	const char *failure; /* reason of the condition ReplicaFailure, NULL: none */
	const char *failure_message;
	struct slow_start create;
	struct slice pod_text;
	const char *pods_path;
};

static const char api_version[] = "apps/v1", kind[] = "ReplicaSet";

/* ---- events ---- */

static void set_changed(void *arg, struct informer_object *o)
{
	struct replica_sets *s = arg;
	work_queue_add(s->queue, o->key);
}

static void set_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	set_changed(arg, o);
}

static void set_deleted(void *arg, struct informer_object *o)
{
	struct replica_sets *s = arg;
	expectations_forget(&s->expectations, o->key);
	work_queue_add(s->queue, o->key);
}

/* The set that a reference means, if it is still the same one. */
static struct informer_object *resolve(struct replica_sets *s, struct slice ns, const struct owner_ref *ref)
{
	if (!slice_is(ref->kind, kind))
		return NULL;
	struct informer_object *o = informer_get_named(shared_informer_base(s->sets), ns, ref->name);
	return o && slice_eq(json_find(informer_text(o), "metadata", "uid", NULL), ref->uid) ? o : NULL;
}

/* Sets that might adopt an orphan. */
static void wake_matching(struct replica_sets *s, const struct meta *pod)
{
	struct arena a = ARENA_INIT;
	if (!pod->labels.len)
		return;
	INFORMER_GROUP_FOREACH(o, informer_index_group(s->sets_by_namespace, pod->ns))
	{
		struct label_selector selector;
		bool nothing = true;
		struct slice text = json_find(informer_text(o), "spec", "selector", NULL);
		struct json *tree = text.len ? json_parse(&a, text, NULL, NULL) : NULL;
		if (label_selector_from_json(&a, tree, &selector, &nothing, NULL) == 0 && !nothing &&
		        label_selector_matches(&selector, pod->labels))
			work_queue_add(s->queue, o->key);
		arena_reset(&a);
	}
	arena_release(&a);
}

static void pod_deleted(void *arg, struct informer_object *o)
{
	struct replica_sets *s = arg;
	struct meta m;
	struct owner_ref ref;
	meta_read(informer_text(o), &m);
	struct informer_object *set = owner_ref_controller(m.owners, &ref) ? resolve(s, m.ns, &ref) : NULL;
	if (!set)
		return;
	expectations_delete_seen(&s->expectations, set->key, m.uid);
	work_queue_add(s->queue, set->key);
}

static void pod_added(void *arg, struct informer_object *o)
{
	struct replica_sets *s = arg;
	struct meta m;
	struct owner_ref ref;
	meta_read(informer_text(o), &m);
	if (m.deletion_timestamp.len) {
		pod_deleted(arg, o);
		return;
	}
	if (!owner_ref_controller(m.owners, &ref)) {
		wake_matching(s, &m);
		return;
	}
	struct informer_object *set = resolve(s, m.ns, &ref);
	if (!set)
		return;
	expectations_create_seen(&s->expectations, set->key);
	work_queue_add(s->queue, set->key);
}

static void pod_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	struct replica_sets *s = arg;
	struct meta m, old;
	struct owner_ref ref, old_ref = {0};
	meta_read(informer_text(o), &m);
	meta_read((struct slice){before->data, before->len}, &old);
	bool owned = owner_ref_controller(m.owners, &ref), was_owned = owner_ref_controller(old.owners, &old_ref);
	if (was_owned && (!owned || !slice_eq(ref.uid, old_ref.uid))) {
		struct informer_object *set = resolve(s, old.ns, &old_ref);
		if (set)
			work_queue_add(s->queue, set->key);
	}
	if (owned) {
		struct informer_object *set = resolve(s, m.ns, &ref);
		if (!set)
			return;
		if (m.deletion_timestamp.len)
			expectations_delete_seen(&s->expectations, set->key, m.uid);
		work_queue_add(s->queue, set->key);
	} else if (was_owned || !slice_eq(m.labels, old.labels)) {
		wake_matching(s, &m);
	}
}

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

static bool has_template_labels(const struct json *template_labels, struct slice labels)
{
	JSON_FOREACH (it, template_labels) {
		char key[320];
		snprintf(key, sizeof key, "%.*s", SLICE_FMT(it->key));
		if (!slice_eq(json_find(labels, key, NULL), json_str(it)))
			return false;
	}
	return true;
}

static void count_pods(struct sync *y, struct json *status)
{
	struct arena *a = &y->work->arena;
	struct json *labels = json_path(y->set, "spec", "template", "metadata", "labels", NULL);
	int64_t labeled = 0, ready = 0, available = 0, now_s = kube_time_now_s();
	for (size_t i = 0; i < y->count; i++) {
		int64_t wait_s;
		labeled += has_template_labels(labels, y->pods[i].meta.labels);
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
	struct json *old = json_get(y->set, "status");
	struct json *patch = patch_new(a, y->meta.resource_version),
	            *status = json_need(a, patch, "status", JSON_OBJECT);
	struct json *conditions =
	        json_get(old, "conditions") ? json_copy(a, json_get(old, "conditions")) : json_new(a, JSON_ARRAY);
	bool changed = y->failure ? condition_set(a, conditions, "ReplicaFailure", "True", y->failure,
	                                    y->failure_message, NULL)
	                          : condition_drop(conditions, "ReplicaFailure");
	count_pods(y, status);
	if (!changed && old && same_status(old, status))
		return;
	json_set(a, status, "conditions", conditions);
	work_patch(y->work, kube_path(a, api_version, "replicasets", y->meta.ns, y->meta.name, "status"), merge_patch,
	        patch, work_done_ignore_missing);
}

/* ---- creating ---- */

static struct slice pod_text(struct sync *y)
{
	struct arena *a = &y->work->arena;
	struct json *template = json_path(y->set, "spec", "template", NULL), *from = json_get(template, "metadata");
	struct json *pod = json_new(a, JSON_OBJECT), *meta = json_need(a, pod, "metadata", JSON_OBJECT);
	static const char *const copied[] = {"labels", "annotations", "finalizers"};
	json_set_cstr(a, meta, "generateName", arena_printf(a, "%.*s-", SLICE_FMT(y->meta.name)));
	for (size_t i = 0; i < COUNT_OF(copied); i++)
		if (json_get(from, copied[i]))
			json_set(a, meta, copied[i], json_copy(a, json_get(from, copied[i])));
	json_append(json_need(a, meta, "ownerReferences", JSON_ARRAY),
	        owner_ref_new(a, api_version, kind, y->meta.name, y->meta.uid));
	json_set(a, pod, "spec", json_copy(a, json_get(template, "spec")));
	return work_text(y->work, pod);
}

static struct recorder_subject subject(struct sync *y)
{
	return recorder_about(api_version, kind, &y->meta);
}

static void send_batch(struct sync *y);

static void batch_done(struct sync *y)
{
	slow_start_next(&y->create);
	if (y->create.skipped) {
		for (int64_t i = 0; i < y->create.skipped; i++)
			expectations_create_seen(&y->s->expectations, y->work->key);
	} else if (y->create.batch) {
		send_batch(y);
		return;
	}
	write_status(y);
}

static void created(struct work_call *call)
{
	struct sync *y = call->arg;
	struct recorder_subject about = subject(y);
	struct err *err = &call->request.err;
	if (err->code) {
		expectations_create_seen(&y->s->expectations, y->work->key);
		y->failure = "FailedCreate";
		y->failure_message = arena_strdup(&y->work->arena, err->msg);
		bool dying = strstr(err->msg, "because it is being terminated") != NULL;
		if (!dying) {
			recorder_event(
			        y->s->recorder, &about, "Warning", "FailedCreate", "Error creating: %s", err->msg);
			work_fail(y->work, err);
		}
	} else {
		struct slice name = json_find(work_call_text(call), "metadata", "name", NULL);
		recorder_event(
		        y->s->recorder, &about, "Normal", "SuccessfulCreate", "Created pod: %.*s", SLICE_FMT(name));
	}
	if (slow_start_answer(&y->create, err->code != 0))
		batch_done(y);
}

static void send_batch(struct sync *y)
{
	for (int64_t i = 0, n = y->create.batch; i < n; i++)
		work_send_text(y->work, "POST", y->pods_path, y->pod_text, created)->arg = y;
}

static void create_pods(struct sync *y, int64_t n)
{
	struct arena *a = &y->work->arena;
	n = n < BURST ? n : BURST;
	expectations_raise_creates(&y->s->expectations, y->work->key, n, controllers_now_ms(y->s->c));
	y->pod_text = pod_text(y);
	y->pods_path = kube_path(a, "v1", "pods", y->meta.ns, SLICE_NULL, NULL);
	slow_start_init(&y->create, n);
	send_batch(y);
}

/* ---- deleting ---- */

struct victim {
	struct sync *y;
	struct slice name, uid;
};

static void deleted(struct work_call *call)
{
	struct victim *v = call->arg;
	struct sync *y = v->y;
	struct recorder_subject about = subject(y);
	struct err *err = &call->request.err;
	if (err->code) {
		expectations_delete_seen(&y->s->expectations, y->work->key, v->uid);
		if (err->code != ERR_NOT_FOUND) {
			recorder_event(
			        y->s->recorder, &about, "Warning", "FailedDelete", "Error deleting: %s", err->msg);
			y->failure = "FailedDelete";
			y->failure_message = arena_strdup(&y->work->arena, err->msg);
			work_fail(y->work, err);
		}
	} else {
		recorder_event(
		        y->s->recorder, &about, "Normal", "SuccessfulDelete", "Deleted pod: %.*s", SLICE_FMT(v->name));
	}
	if (--y->create.waiting == 0)
		write_status(y);
}

static void count_neighbours_of(struct sync *y, struct ranked_pod *ranked, struct slice set_uid)
{
	INFORMER_GROUP_FOREACH(o, informer_index_group(y->s->pods_by_owner, set_uid))
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
	n = n < BURST ? n : BURST;
	for (size_t i = 0; i < y->count; i++) {
		ranked[i].pod = y->pods[i];
		ranked[i].deletion_cost = ranking_deletion_cost(y->pods[i].meta.annotations);
	}
	if ((size_t)n < y->count) {
		count_neighbours(y, ranked);
		ranking_sort(ranked, y->count, kube_time_now_s());
	}
	y->create.waiting = n;
	for (int64_t i = 0; i < n; i++) {
		struct meta *m = &ranked[i].pod.meta;
		struct victim *v = ARENA_NEW(a, struct victim);
		struct json *options = json_new(a, JSON_OBJECT);
		*v = (struct victim){y, {arena_memdup(a, m->name.ptr, m->name.len), m->name.len},
		        {arena_memdup(a, m->uid.ptr, m->uid.len), m->uid.len}};
		json_set_str(a, json_need(a, options, "preconditions", JSON_OBJECT), "uid", m->uid);
		expectations_raise_delete(&y->s->expectations, y->work->key, m->uid, controllers_now_ms(y->s->c));
		work_send(y->work, "DELETE", kube_path(a, "v1", "pods", m->ns, m->name, NULL), options, deleted)->arg =
		        v;
	}
}

/* ---- the run ---- */

/* The set's own text, so that the slices outlive the informer's next event. */
static bool load(struct sync *y)
{
	struct arena *a = &y->work->arena;
	struct informer_object *o = informer_get(shared_informer_base(y->s->sets), y->work->key);
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
	bool nothing, changes;
	size_t n;
	if (label_selector_from_json(a, json_path(y->set, "spec", "selector", NULL), &selector, &nothing, NULL) != 0 ||
	        nothing)
		return false;
	struct claim c = {.work = y->work,
	        .api_version = api_version,
	        .kind = kind,
	        .child_api_version = "v1",
	        .child_plural = "pods",
	        .owner = y->meta,
	        .selector = &selector,
	        .by_owner = y->s->pods_by_owner};
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
	bool may_act = expectations_fulfilled(&s->expectations, w->key, controllers_now_ms(s->c)) &&
	               !y->meta.deletion_timestamp.len;
	if (may_act && have < y->want)
		create_pods(y, y->want - have);
	else if (may_act && have > y->want)
		delete_pods(y, have - y->want);
	else
		write_status(y);
}

/* ---- life ---- */

void *replica_set_controller_start(struct controllers *c)
{
	struct replica_sets *s = xcalloc(1, sizeof *s);
	s->c = c;
	expectations_init(&s->expectations);
	s->recorder = controllers_recorder(c, "replicaset-controller");
	s->queue = controllers_queue(c, "replicaset", 16, run, s);
	s->sets = controllers_listen(c, REPLICASETS,
	        &(struct informer_handler){
	                .added = set_changed, .updated = set_updated, .deleted = set_deleted, .arg = s});
	s->pods = controllers_listen(c, PODS,
	        &(struct informer_handler){
	                .added = pod_added, .updated = pod_updated, .deleted = pod_deleted, .arg = s});
	s->sets_by_namespace = informer_index_get(s->sets, "namespace", informer_index_namespace);
	s->sets_by_owner = informer_index_get(s->sets, "owner", informer_index_owner);
	s->pods_by_owner = informer_index_get(s->pods, "owner", informer_index_owner);
	return s;
}

void replica_set_controller_release(void *state)
{
	struct replica_sets *s = state;
	expectations_release(&s->expectations);
	free(s);
}
