/* Deployments: replica sets made from templates, old ones shrinking while the new one grows.
 *
 *     an event of the deployment, of its sets (or, for Recreate, of their pods) --> the deployment's key
 *     run: claim sets --> paused or scaled? sizes only --> else one step of the rollout --> status
 *
 * Each run takes the step that the present state asks for; the events of what it wrote bring the next one. Every write
 * names the resourceVersion it was decided on, so that a stale informer leads to a conflict and another run, never to a
 * wrong number. Upstream: pkg/controller/deployment. */
#include "api/controllers/deployment_int.h"

#include "api/controllers/claim.h"

static const char api_version[] = "apps/v1", kind[] = "Deployment";

/* ---- events ---- */

/* Recreate waits for the last old pod. */
static void pod_deleted(void *arg, struct informer_object *o)
{
	struct deployments *s = arg;
	struct meta m;
	struct owner_ref ref;
	meta_read(informer_text(o), &m);
	if (!owner_ref_controller(m.owners, &ref) || !slice_is(ref.kind, "ReplicaSet"))
		return;
	struct informer_object *set = informer_get_named(shared_informer_base(s->children.children), m.ns, ref.name);
	if (!set)
		return;
	meta_read(informer_text(set), &m);
	struct informer_object *d =
	        owner_ref_controller(m.owners, &ref) ? children_owner(&s->children, m.ns, &ref) : NULL;
	if (d && slice_is(json_find(informer_text(d), "spec", "strategy", "type", NULL), "Recreate"))
		work_queue_add(s->queue, d->key);
}

/* ---- one run ---- */

static bool load(struct rollout *y)
{
	struct arena *a = &y->work->arena;
	struct informer_object *o = informer_get(shared_informer_base(y->s->children.owners), y->work->key);
	if (!o)
		return false;
	rcbuf_unref_with(a, rcbuf_ref(o->json));
	y->object = informer_parse(a, o);
	meta_read(informer_text(o), &y->meta);
	y->spec = json_get(y->object, "spec");
	y->template = json_get(y->spec, "template");
	y->replicas = json_get_int(y->spec, "replicas", 1);
	y->is_recreate = slice_is(json_str(json_path(y->spec, "strategy", "type", NULL)), "Recreate");
	y->collisions = json_int(json_path(y->object, "status", "collisionCount", NULL), 0);
	rollout_fenceposts(json_get(y->spec, "strategy"), y->replicas, &y->surge, &y->unavailable);
	return y->object && y->template;
}

/* False: wait for the events of what was sent. */
static bool claim(struct rollout *y)
{
	struct label_selector selector;
	bool nothing, changes;
	size_t n;
	if (label_selector_from_json(&y->work->arena, json_get(y->spec, "selector"), &selector, &nothing, NULL) != 0 ||
	        nothing)
		return false;
	if (selector.count == 0) {
		struct recorder_subject about = recorder_about(api_version, kind, &y->meta);
		recorder_event(y->s->recorder, &about, "Warning", "SelectingAll",
		        "This deployment is selecting all pods. A non-empty selector is required.");
		return false;
	}
	struct claim c = {.work = y->work,
	        .api_version = api_version,
	        .kind = kind,
	        .child_api_version = api_version,
	        .child_plural = "replicasets",
	        .owner = y->meta,
	        .selector = &selector,
	        .by_owner = y->s->children.by_owner,
	        .adopts_inactive = true};
	struct informer_object **objects = claim_children(&c, &n, &changes);
	deployment_find_sets(y, objects, n);
	return !changes;
}

static bool old_pods_remain(struct rollout *y)
{
	for (size_t i = 0; i < y->count; i++) {
		struct child_set *set = &y->sets[i];
		if (set == y->fresh)
			continue;
		if (set->status_replicas > 0)
			return true;
		INFORMER_GROUP_FOREACH(o, informer_index_group(y->s->pods_by_owner, set->meta.uid))
		{
			struct slice phase = json_find(informer_text(o), "status", "phase", NULL);
			if (!slice_is(phase, "Failed") && !slice_is(phase, "Succeeded"))
				return true;
		}
	}
	return false;
}

static void recreate(struct rollout *y)
{
	bool shrunk = false;
	for (size_t i = 0; i < y->count; i++)
		if (&y->sets[i] != y->fresh && y->sets[i].replicas > 0)
			shrunk = deployment_scale_set(y, &y->sets[i], 0) || shrunk;
	if (shrunk || old_pods_remain(y)) {
		deployment_write_status(y);
		return;
	}
	if (!y->fresh) {
		deployment_create_set(y);
		return;
	}
	if (deployment_refresh_set(y))
		return;
	if (!deployment_scale_set(y, y->fresh, y->replicas) && deployment_is_complete(y))
		deployment_clean_up(y);
	deployment_write_status(y);
}

static void roll(struct rollout *y)
{
	if (!y->fresh) {
		deployment_create_set(y);
		return;
	}
	if (deployment_refresh_set(y))
		return;
	if (!deployment_roll(y) && deployment_is_complete(y))
		deployment_clean_up(y);
	deployment_write_status(y);
}

static void run(struct work *w)
{
	struct deployments *s = w->arg;
	struct rollout *y = ARENA_NEW(&w->arena, struct rollout);
	y->s = s;
	y->work = w;
	if (!load(y) || !claim(y))
		return;
	bool paused = json_get_bool(y->spec, "paused", false);
	if (y->meta.deletion_timestamp.len) {
		deployment_write_status(y);
	} else if (deployment_note_pause(y)) {
		return; /* its event brings us back */
	} else if (paused || deployment_is_scaling(y)) {
		deployment_scale_all(y);
		if (paused && deployment_is_complete(y))
			deployment_clean_up(y);
		deployment_write_status(y);
	} else {
		y->judge_progress = true;
		if (y->is_recreate)
			recreate(y);
		else
			roll(y);
	}
}

/* ---- life ---- */

void *deployment_controller_start(struct controllers *c)
{
	struct deployments *s = xcalloc(1, sizeof *s);
	s->c = c;
	s->recorder = controllers_recorder(c, "deployment-controller");
	s->queue = controllers_queue(c, "deployment", 8, run, s);
	s->children = (struct children){.kind = kind, .queue = s->queue};
	children_follow(c, &s->children, DEPLOYMENTS, REPLICASETS);
	struct shared_informer *pods =
	        controllers_listen(c, PODS, &(struct informer_handler){.deleted = pod_deleted, .arg = s});
	s->pods_by_owner = informer_index_get(pods, "owner", informer_index_owner);
	return s;
}

void deployment_controller_release(void *state)
{
	free(state);
}
