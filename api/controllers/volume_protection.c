/* Claims and volumes that are in use are not gone before they are out of it: a finalizer holds them (admission gives it
 * to new ones, this to older), and is taken off a dying claim that no pod on a node mounts, and off a dying volume that
 * is bound to no claim. A pod that has ended counts until it is deleted: its node may hold the volume still.
 *
 * Two controllers in one file, for they do the same; keys are claims, or volumes.
 *
 * Upstream: pkg/controller/volume/pvcprotection, pkg/controller/volume/pvprotection. */
#include "api/controllers/controllers_int.h"

struct protection {
	struct controllers *c;
	struct shared_informer *objects, *pods; /* pods: NULL of volumes */
	struct informer_index *pods_by_namespace;
	struct work_queue *queue;
	const char *plural, *finalizer;
};

static void changed(void *arg, struct informer_object *o)
{
	struct protection *s = arg;
	work_queue_add(s->queue, o->key);
}

static void updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	changed(arg, o);
}

/* ---- use ---- */

static struct slice claim_of(const struct json *volume)
{
	return json_str(json_path(volume, "persistentVolumeClaim", "claimName", NULL));
}

/* A claim for a volume of its own has the pod's name and the volume's. */
static bool is_own_claim(const struct json *volume, struct slice pod, struct slice claim)
{
	struct slice name = json_get_str(volume, "name");
	return json_get(volume, "ephemeral") && claim.len == pod.len + 1 + name.len &&
	       memcmp(claim.ptr, pod.ptr, pod.len) == 0 && claim.ptr[pod.len] == '-' &&
	       memcmp(claim.ptr + pod.len + 1, name.ptr, name.len) == 0;
}

static bool uses(struct arena *a, struct informer_object *o, struct slice claim)
{
	struct json *pod = informer_parse(a, o), *spec = json_get(pod, "spec");
	struct slice name = json_str(json_path(pod, "metadata", "name", NULL));
	if (!json_get_str(spec, "nodeName").len) /* kubelets start none with a claim that is dying */
		return false;
	JSON_FOREACH (it, json_get(spec, "volumes"))
		if (slice_eq(claim_of(it), claim) || is_own_claim(it, name, claim))
			return true;
	return false;
}

static bool is_in_use(struct protection *s, struct work *w, const struct json *object)
{
	if (!s->pods)
		return slice_is(json_str(json_path(object, "status", "phase", NULL)), "Bound");
	INFORMER_GROUP_FOREACH(pod, informer_index_group(s->pods_by_namespace, w->ns))
	if (uses(&w->arena, pod, w->name))
		return true;
	return false;
}

/* Whatever it used may go now. */
static void pod_deleted(void *arg, struct informer_object *o)
{
	struct protection *s = arg;
	struct arena a = ARENA_INIT;
	struct json *pod = informer_parse(&a, o), *meta = json_get(pod, "metadata");
	JSON_FOREACH (it, json_path(pod, "spec", "volumes", NULL)) {
		struct slice claim = claim_of(it), name = json_get_str(meta, "name"),
		             ns = json_get_str(meta, "namespace");
		if (json_get(it, "ephemeral"))
			claim = slice_of(
			        arena_printf(&a, "%.*s-%.*s", SLICE_FMT(name), SLICE_FMT(json_get_str(it, "name"))));
		if (claim.len)
			work_queue_add(
			        s->queue, slice_of(arena_printf(&a, "%.*s/%.*s", SLICE_FMT(ns), SLICE_FMT(claim))));
	}
	arena_release(&a);
}

/* ---- the finalizer ---- */

static struct json *find(struct json *list, const char *text)
{
	JSON_FOREACH (it, list)
		if (slice_is(json_str(it), text))
			return it;
	return NULL;
}

static void run(struct work *w)
{
	struct protection *s = w->arg;
	struct informer_object *o = informer_get(shared_informer_base(s->objects), w->key);
	struct json *object = o ? informer_parse(&w->arena, o) : NULL, *meta = json_get(object, "metadata");
	struct json *list = json_get(meta, "finalizers"), *ours = find(list, s->finalizer);
	bool is_dying = json_get_str(meta, "deletionTimestamp").len > 0;
	if (!object || is_dying != (ours != NULL) || (is_dying && is_in_use(s, w, object)))
		return;
	if (is_dying)
		json_remove(list, ours);
	else
		json_append(
		        json_need(&w->arena, meta, "finalizers", JSON_ARRAY), json_new_cstr(&w->arena, s->finalizer));
	work_send(w, "PUT", kube_path(&w->arena, "v1", s->plural, w->ns, w->name, NULL), object,
	        work_done_ignore_missing);
}

/* ---- life ---- */

void *claim_protection_start(struct controllers *c)
{
	struct protection *s = xcalloc(1, sizeof *s);
	*s = (struct protection){
	        .c = c, .plural = "persistentvolumeclaims", .finalizer = "kubernetes.io/pvc-protection"};
	s->queue = controllers_queue(c, "pvcprotection", 2, run, s);
	s->objects = controllers_listen(
	        c, CLAIMS, &(struct informer_handler){.added = changed, .updated = updated, .arg = s});
	s->pods = controllers_listen(c, PODS, &(struct informer_handler){.deleted = pod_deleted, .arg = s});
	s->pods_by_namespace = informer_index_get(s->pods, "namespace", informer_index_namespace);
	return s;
}

void claim_protection_release(void *state)
{
	free(state);
}

void *volume_protection_start(struct controllers *c)
{
	struct protection *s = xcalloc(1, sizeof *s);
	*s = (struct protection){.c = c, .plural = "persistentvolumes", .finalizer = "kubernetes.io/pv-protection"};
	s->queue = controllers_queue(c, "pvprotection", 1, run, s);
	s->objects = controllers_listen(
	        c, VOLUMES, &(struct informer_handler){.added = changed, .updated = updated, .arg = s});
	return s;
}

void volume_protection_release(void *state)
{
	free(state);
}
