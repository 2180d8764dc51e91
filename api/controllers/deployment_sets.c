/* The replica sets of a deployment: which is the new one, making it, sizes, annotations, history. */
#include "api/controllers/deployment_int.h"

#include <inttypes.h>

static const char api_version[] = "apps/v1";

int64_t deployment_annotation_int(const struct json *object, const char *name)
{
	int64_t v = 0;
	slice_to_i64(json_get_str(json_path(object, "metadata", "annotations", NULL), name), &v);
	return v;
}

/* ---- finding ---- */

static int by_age(const void *x, const void *y)
{
	const struct child_set *a = x, *b = y;
	if (a->created_s != b->created_s)
		return a->created_s < b->created_s ? -1 : 1;
	return slice_cmp(a->meta.name, b->meta.name);
}

static void read_set(struct arena *a, struct informer_object *o, struct child_set *set)
{
	rcbuf_unref_with(a, rcbuf_ref(o->json));
	set->tree = informer_parse(a, o);
	meta_read(informer_text(o), &set->meta);
	struct json *status = json_get(set->tree, "status");
	set->replicas = json_int(json_path(set->tree, "spec", "replicas", NULL), 1);
	set->status_replicas = json_get_int(status, "replicas", 0);
	set->ready = json_get_int(status, "readyReplicas", 0);
	set->available = json_get_int(status, "availableReplicas", 0);
	set->observed = json_get_int(status, "observedGeneration", 0);
	set->revision = deployment_annotation_int(set->tree, REVISION);
	set->created_s = kube_time_parse(set->meta.creation_timestamp);
}

void deployment_find_sets(struct rollout *y, struct informer_object **objects, size_t n)
{
	struct arena *a = &y->work->arena;
	y->sets = ARENA_ARRAY(a, struct child_set, n + 1);
	y->count = n;
	for (size_t i = 0; i < n; i++)
		read_set(a, objects[i], &y->sets[i]);
	qsort(y->sets, n, sizeof *y->sets, by_age);
	for (size_t i = 0; i < n && !y->fresh; i++)
		if (rollout_same_template(a, y->template, json_path(y->sets[i].tree, "spec", "template", NULL)))
			y->fresh = &y->sets[i];
}

static int64_t next_revision(struct rollout *y)
{
	int64_t highest = 0;
	for (size_t i = 0; i < y->count; i++)
		if (&y->sets[i] != y->fresh && y->sets[i].revision > highest)
			highest = y->sets[i].revision;
	return highest + 1;
}

static int64_t total_replicas(struct rollout *y)
{
	int64_t n = 0;
	for (size_t i = 0; i < y->count; i++)
		n += y->sets[i].replicas;
	return n;
}

/* ---- annotations ---- */

static bool is_own_annotation(struct slice key)
{
	static const char *const own[] = {"kubectl.kubernetes.io/last-applied-configuration", REVISION,
	        REVISION_HISTORY, DESIRED_REPLICAS, MAX_REPLICAS, "deprecated.deployment.rollback.to"};
	for (size_t i = 0; i < COUNT_OF(own); i++)
		if (slice_is(key, own[i]))
			return true;
	return false;
}

static void set_int_annotation(struct arena *a, struct json *annotations, const char *name, int64_t v)
{
	json_set_cstr(a, annotations, name, arena_printf(a, "%" PRId64, v));
}

/* A member that is not there yet. */
static void set_copy(struct arena *a, struct json *out, const struct json *from)
{
	struct json *v = json_copy(a, from);
	v->key = (struct slice){arena_memdup(a, from->key.ptr, from->key.len), from->key.len};
	json_append(out, v);
}

/* What differs from `have` (NULL: a set to be made) into `out`. */
static bool wanted_annotations(struct rollout *y, const struct child_set *have, struct json *out)
{
	struct arena *a = &y->work->arena;
	struct json *old = have ? json_path(have->tree, "metadata", "annotations", NULL) : NULL;
	struct json_index had;
	int64_t revision = next_revision(y);
	json_index_init(&had, old);
	JSON_FOREACH (it, json_path(y->object, "metadata", "annotations", NULL))
		if (!is_own_annotation(it->key) && !slice_eq(json_str(json_index_get(&had, it->key)), json_str(it)))
			set_copy(a, out, it);
	json_index_release(&had);
	if (!have || have->revision < revision) {
		set_int_annotation(a, out, REVISION, revision);
		struct slice past = json_get_str(old, REVISION_HISTORY);
		if (have && have->revision > 0)
			json_set_cstr(a, out, REVISION_HISTORY,
			        past.len ? arena_printf(a, "%.*s,%" PRId64, SLICE_FMT(past), have->revision)
			                 : arena_printf(a, "%" PRId64, have->revision));
	}
	return out->first != NULL;
}

static void size_annotations(struct rollout *y, struct json *annotations)
{
	struct arena *a = &y->work->arena;
	set_int_annotation(a, annotations, DESIRED_REPLICAS, y->replicas);
	set_int_annotation(a, annotations, MAX_REPLICAS, y->replicas + y->surge);
}

bool deployment_refresh_set(struct rollout *y)
{
	struct arena *a = &y->work->arena;
	struct child_set *set = y->fresh;
	struct json *patch = patch_new(a, set->meta.resource_version), *meta = json_get(patch, "metadata");
	bool differs = wanted_annotations(y, set, json_need(a, meta, "annotations", JSON_OBJECT));
	int64_t min_ready = json_get_int(y->spec, "minReadySeconds", 0);
	if (json_int(json_path(set->tree, "spec", "minReadySeconds", NULL), 0) != min_ready) {
		json_set_int(a, json_need(a, patch, "spec", JSON_OBJECT), "minReadySeconds", min_ready);
		differs = true;
	}
	if (differs)
		work_patch(y->work, kube_path(a, api_version, "replicasets", y->meta.ns, set->meta.name, NULL),
		        merge_patch, patch, NULL);
	return differs;
}

/* ---- making ---- */

static struct json *new_set(struct rollout *y, const char *hash)
{
	struct arena *a = &y->work->arena;
	struct json *set = json_new(a, JSON_OBJECT), *meta = json_need(a, set, "metadata", JSON_OBJECT);
	struct json *spec = json_need(a, set, "spec", JSON_OBJECT), *template = json_copy(a, y->template);
	struct json *labels = json_need(a, json_need(a, template, "metadata", JSON_OBJECT), "labels", JSON_OBJECT);
	struct json *annotations = json_need(a, meta, "annotations", JSON_OBJECT);
	struct json *selector = json_copy(a, json_get(y->spec, "selector"));
	json_set_cstr(a, labels, "pod-template-hash", hash);
	json_set_cstr(a, json_need(a, selector, "matchLabels", JSON_OBJECT), "pod-template-hash", hash);
	json_set_cstr(a, meta, "name", arena_printf(a, "%.*s-%s", SLICE_FMT(y->meta.name), hash));
	json_set(a, meta, "labels", json_copy(a, labels));
	json_append(json_need(a, meta, "ownerReferences", JSON_ARRAY),
	        owner_ref_new(a, api_version, "Deployment", y->meta.name, y->meta.uid));
	wanted_annotations(y, NULL, annotations);
	size_annotations(y, annotations);
	json_set_int(
	        a, spec, "replicas", rollout_new_replicas(y->replicas, y->surge, total_replicas(y), 0, y->is_recreate));
	json_set_int(a, spec, "minReadySeconds", json_get_int(y->spec, "minReadySeconds", 0));
	json_set(a, spec, "selector", selector);
	json_set(a, spec, "template", template);
	return set;
}

/* A set of that name is there: ours and the same (its event is on the way), or a collision of the hash. */
static void existing_read(struct work_call *call)
{
	struct rollout *y = call->arg;
	struct arena *a = &y->work->arena;
	struct owner_ref ref;
	struct meta m;
	if (call->request.err.code) {
		work_fail(y->work, &call->request.err);
		return;
	}
	struct json *tree = json_parse(a, work_call_text(call), NULL, NULL);
	meta_read(work_call_text(call), &m);
	bool ours = owner_ref_controller(m.owners, &ref) && slice_eq(ref.uid, y->meta.uid);
	if (ours && rollout_same_template(a, y->template, json_path(tree, "spec", "template", NULL)))
		return;
	y->collisions++;
	deployment_write_status(y);
	work_again(y->work, 5);
}

static void created(struct work_call *call)
{
	struct rollout *y = call->arg;
	struct arena *a = &y->work->arena;
	struct err *err = &call->request.err;
	struct recorder_subject about = recorder_about(api_version, "Deployment", &y->meta);
	if (err->code == ERR_EXISTS) {
		work_send(y->work, "GET", y->work->data, NULL, existing_read)->arg = y;
		return;
	}
	if (err->code) {
		y->progress_status = "False";
		y->progress_reason = "FailedCreate";
		y->progress_message = arena_printf(a, "Failed to create new replica set: %s", err->msg);
		recorder_event(y->s->recorder, &about, "Warning", "ReplicaSetCreateError", "%s", y->progress_message);
		deployment_write_status(y);
		if (err->code != ERR_TERMINATING)
			work_fail(y->work, err);
		return;
	}
	struct json *set = json_parse(a, work_call_text(call), NULL, NULL);
	struct slice name = json_str(json_path(set, "metadata", "name", NULL));
	int64_t size = json_int(json_path(set, "spec", "replicas", NULL), 0);
	if (size > 0)
		recorder_event(y->s->recorder, &about, "Normal", "ScalingReplicaSet",
		        "Scaled up replica set %.*s from 0 to %" PRId64, SLICE_FMT(name), size);
	y->progress_status = "True";
	y->progress_reason = "NewReplicaSetCreated";
	y->progress_message = arena_printf(a, "Created new replica set \"%.*s\"", SLICE_FMT(name));
	deployment_write_status(y);
}

void deployment_create_set(struct rollout *y)
{
	struct arena *a = &y->work->arena;
	char hash[ROLLOUT_HASH_MAX];
	rollout_template_hash(y->template, y->collisions, hash);
	struct json *set = new_set(y, hash);
	struct slice name = json_str(json_path(set, "metadata", "name", NULL));
	y->work->data = (void *)kube_path(a, api_version, "replicasets", y->meta.ns, name, NULL);
	work_send(y->work, "POST", kube_path(a, api_version, "replicasets", y->meta.ns, SLICE_NULL, NULL), set, created)
	        ->arg = y;
}

/* ---- sizes ---- */

bool deployment_scale_set(struct rollout *y, struct child_set *set, int64_t want)
{
	struct arena *a = &y->work->arena;
	bool size_differs = want != set->replicas;
	bool notes_differ = set->replicas > 0 &&
	                    (deployment_annotation_int(set->tree, DESIRED_REPLICAS) != y->replicas ||
	                            deployment_annotation_int(set->tree, MAX_REPLICAS) != y->replicas + y->surge);
	if (!size_differs && !notes_differ)
		return false;
	struct json *patch = patch_new(a, set->meta.resource_version);
	size_annotations(y, json_need(a, json_get(patch, "metadata"), "annotations", JSON_OBJECT));
	json_set_int(a, json_need(a, patch, "spec", JSON_OBJECT), "replicas", want);
	work_patch(y->work, kube_path(a, api_version, "replicasets", y->meta.ns, set->meta.name, NULL), merge_patch,
	        patch, NULL);
	if (size_differs) {
		struct recorder_subject about = recorder_about(api_version, "Deployment", &y->meta);
		recorder_event(y->s->recorder, &about, "Normal", "ScalingReplicaSet",
		        "Scaled %s replica set %.*s from %" PRId64 " to %" PRId64, want > set->replicas ? "up" : "down",
		        SLICE_FMT(set->meta.name), set->replicas, want);
	}
	return size_differs;
}

static struct rollout_set numbers(const struct child_set *set)
{
	return (struct rollout_set){.replicas = set->replicas,
	        .available = set->available,
	        .created_s = set->created_s,
	        .name = set->meta.name,
	        .max_before = deployment_annotation_int(set->tree, MAX_REPLICAS),
	        .want = set->replicas};
}

static struct child_set *named(struct rollout *y, struct slice name)
{
	for (size_t i = 0; i < y->count; i++)
		if (slice_eq(y->sets[i].meta.name, name))
			return &y->sets[i];
	return NULL;
}

static size_t collect(struct rollout *y, struct rollout_set **out, bool with_fresh, bool active_only)
{
	size_t n = 0;
	*out = ARENA_ARRAY(&y->work->arena, struct rollout_set, y->count + 1);
	for (size_t i = 0; i < y->count; i++)
		if ((with_fresh || &y->sets[i] != y->fresh) && (!active_only || y->sets[i].replicas > 0))
			(*out)[n++] = numbers(&y->sets[i]);
	return n;
}

bool deployment_roll(struct rollout *y)
{
	struct rollout_set *old, fresh = numbers(y->fresh);
	int64_t want = rollout_new_replicas(y->replicas, y->surge, total_replicas(y), y->fresh->replicas, false);
	if (deployment_scale_set(y, y->fresh, want))
		return true;
	size_t n = collect(y, &old, false, false);
	bool changed = rollout_shrink_old(old, n, &fresh, y->replicas, y->unavailable);
	for (size_t i = 0; changed && i < n; i++)
		if (old[i].want != old[i].replicas)
			deployment_scale_set(y, named(y, old[i].name), old[i].want);
	return changed;
}

bool deployment_is_scaling(struct rollout *y)
{
	for (size_t i = 0; i < y->count; i++) {
		struct json *annotations = json_path(y->sets[i].tree, "metadata", "annotations", NULL);
		if (y->sets[i].replicas > 0 && json_get(annotations, DESIRED_REPLICAS) &&
		        deployment_annotation_int(y->sets[i].tree, DESIRED_REPLICAS) != y->replicas)
			return true;
	}
	return false;
}

/* The one set that counts: the only active one, or with none active the newest. NULL when several are active. */
static struct child_set *only_set(struct rollout *y)
{
	struct child_set *active = NULL;
	for (size_t i = 0; i < y->count; i++) {
		if (y->sets[i].replicas == 0)
			continue;
		if (active)
			return NULL;
		active = &y->sets[i];
	}
	if (active || y->fresh)
		return active ? active : y->fresh;
	return y->count ? &y->sets[y->count - 1] : NULL;
}

void deployment_scale_all(struct rollout *y)
{
	struct rollout_set *active;
	struct child_set *only = only_set(y), *fresh = y->fresh;
	size_t n = collect(y, &active, true, true);
	if (only || !n) {
		if (only)
			deployment_scale_set(y, only, y->replicas);
		return;
	}
	bool saturated = fresh && fresh->replicas == y->replicas && fresh->available == y->replicas &&
	                 deployment_annotation_int(fresh->tree, DESIRED_REPLICAS) == y->replicas;
	if (!saturated && y->is_recreate)
		return;
	if (!saturated)
		rollout_scale(active, n, y->replicas, y->surge,
		        json_int(json_path(y->object, "status", "replicas", NULL), 0));
	for (size_t i = 0; i < n; i++) {
		struct child_set *set = named(y, active[i].name);
		if (!saturated)
			deployment_scale_set(y, set, active[i].want);
		else if (set != fresh)
			deployment_scale_set(y, set, 0);
	}
}

/* ---- history ---- */

static int by_revision(const void *x, const void *y)
{
	const struct child_set *a = *(struct child_set *const *)x, *b = *(struct child_set *const *)y;
	return a->revision != b->revision ? (a->revision < b->revision ? -1 : 1) : by_age(a, b);
}

void deployment_clean_up(struct rollout *y)
{
	struct arena *a = &y->work->arena;
	struct child_set **old = ARENA_ARRAY(a, struct child_set *, y->count + 1);
	int64_t limit = json_get_int(y->spec, "revisionHistoryLimit", 10);
	size_t n = 0;
	for (size_t i = 0; i < y->count; i++)
		if (&y->sets[i] != y->fresh && !y->sets[i].meta.deletion_timestamp.len)
			old[n++] = &y->sets[i];
	qsort(old, n, sizeof *old, by_revision);
	for (size_t i = 0; (int64_t)i < (int64_t)n - limit; i++) {
		struct child_set *set = old[i];
		if (set->status_replicas || set->replicas || set->meta.generation > set->observed)
			continue;
		work_send(y->work, "DELETE", kube_path(a, api_version, "replicasets", y->meta.ns, set->meta.name, NULL),
		        NULL, work_done_ignore_missing);
	}
}
