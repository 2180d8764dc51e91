/* The binder: claims get volumes, and volumes that lost their claim are released.
 *
 * What to do is in binder_plan.c; here is the world it looks at, and its hands. A run makes one write after the other
 * until the plan has nothing left:
 *
 *     plan --> write --answer--> (remembered) --> plan --> ... --> done
 *
 * Informers lag behind our own writes, so the answers are remembered until the informer has caught up with them: the
 * next claim must not see as free a volume that was just given away. A write that comes too late all the same carries
 * the version that was read, fails with a conflict, and the key comes again.
 *
 * What wakes whom: a claim its volumes, a volume the claim it points to, a volume that is free the claims of its class
 * that have none, a class all of these, and a pod without a node the claims it waits with. */
#include "api/controllers/binder_plan.h"
#include "api/controllers/controllers_int.h"

enum { WRITES_MAX = 16, LAG_MS = 200 };

struct binder {
	struct shared_informer *claims, *volumes, *classes, *pods;
	struct informer_index
	        *wanting;            /* claims by class ("/CLASS") while they have no volume, then by it ("=VOLUME") */
	struct informer_index *free; /* volumes by class ("/CLASS") while they have no claim */
	struct informer_index *pointing; /* volumes by the claim they point to, "ns/name" */
	struct informer_index *unplaced; /* pods without a node, by namespace */
	struct work_queue *claim_queue, *volume_queue;
	struct recorder *recorder;
	struct map written_claims, written_volumes; /* struct written, by key */
};

/* ---- indexes ---- */

static void index_wanting(struct slice object, struct strbuf *out)
{
	struct claim_view c;
	claim_view_read(object, &c);
	strbuf_addc(out, c.volume.len ? '=' : '/');
	strbuf_add_slice(out, c.volume.len ? c.volume : c.class);
}

static void index_unplaced(struct slice object, struct strbuf *out)
{
	if (!json_find(object, "spec", "nodeName", NULL).len)
		strbuf_add_slice(out, json_find(object, "metadata", "namespace", NULL));
}

static struct slice class_key(struct arena *a, struct slice class)
{
	return slice_of(arena_printf(a, "/%.*s", SLICE_FMT(class)));
}

static struct slice named_key(struct arena *a, struct slice ns, struct slice name)
{
	return slice_of(arena_printf(a, "%.*s/%.*s", SLICE_FMT(ns), SLICE_FMT(name)));
}

/* ---- our own writes, until the informer shows them ---- */

struct written {
	struct slice key;
	struct rcbuf *json;
	int64_t revision;
};

static void forget(struct map *written, struct slice key, int64_t revision)
{
	struct written *w = map_get(written, key);
	if (!w || w->revision > revision)
		return;
	map_del(written, key);
	rcbuf_unref(w->json);
	free(w);
}

static void remember(struct map *written, struct informer *inf, struct slice key, struct rcbuf *json)
{
	int64_t revision = 0;
	struct slice text = {json->data, json->len};
	struct informer_object *o = informer_get(inf, key);
	slice_to_i64(json_find(text, "metadata", "resourceVersion", NULL), &revision);
	forget(written, key, INT64_MAX);
	if (!o || o->revision >= revision)
		return; /* gone again, or shown already */
	struct written *w = MAP_ENTRY_NEW(struct written, key, key);
	w->json = rcbuf_ref(json);
	w->revision = revision;
	map_put(written, w->key, w);
}

static struct slice newest(const struct map *written, struct informer *inf, struct slice key)
{
	struct written *w = map_get(written, key);
	struct informer_object *o = informer_get(inf, key);
	if (!o)
		return SLICE_NULL;
	return w && w->revision > o->revision ? (struct slice){w->json->data, w->json->len} : informer_text(o);
}

static void release_written(struct map *written)
{
	MAP_FOREACH (slot, written) {
		struct written *w = slot->value;
		rcbuf_unref(w->json);
		free(w);
	}
	map_release(written);
}

/* ---- the world ---- */

struct view {
	struct binder *s;
	struct arena *arena;
};

static struct slice world_claim(void *arg, struct slice ns, struct slice name)
{
	struct view *v = arg;
	return newest(&v->s->written_claims, shared_informer_base(v->s->claims), named_key(v->arena, ns, name));
}

static struct slice world_volume(void *arg, struct slice name)
{
	struct view *v = arg;
	return newest(&v->s->written_volumes, shared_informer_base(v->s->volumes), name);
}

static struct slice world_class(void *arg, struct slice name)
{
	struct view *v = arg;
	struct informer_object *o = informer_get(shared_informer_base(v->s->classes), name);
	return o ? informer_text(o) : SLICE_NULL;
}

static bool is_default(struct slice meta)
{
	struct slice marks = json_find(meta, "annotations", NULL);
	return slice_is(json_find(marks, "storageclass.kubernetes.io/is-default-class", NULL), "true") ||
	       slice_is(json_find(marks, "storageclass.beta.kubernetes.io/is-default-class", NULL), "true");
}

/* Of several the newest; of those the first by name. */
static struct slice world_default_class(void *arg)
{
	struct view *v = arg;
	struct slice best = SLICE_NULL, made = SLICE_NULL;
	INFORMER_FOREACH(o, shared_informer_base(v->s->classes))
	{
		struct slice meta = json_find(informer_text(o), "metadata", NULL);
		struct slice at = json_find(meta, "creationTimestamp", NULL);
		int newer = best.len ? slice_cmp(at, made) : 1;
		if (!is_default(meta) || newer < 0 || (newer == 0 && slice_cmp(o->key, best) > 0))
			continue;
		best = o->key;
		made = at;
	}
	return best;
}

static void offer_group(struct view *v, const struct informer_group *group, struct volume_search *search)
{
	INFORMER_GROUP_FOREACH(o, group)
	{
		struct volume_view volume;
		volume_view_read(world_volume(v, o->key), &volume);
		volume_search_offer(search, &volume);
	}
}

static void world_offer(void *arg, struct volume_search *search)
{
	struct view *v = arg;
	const struct claim_view *c = search->claim;
	offer_group(v, informer_index_group(v->s->pointing, named_key(v->arena, c->ns, c->name)), search);
	offer_group(v, informer_index_group(v->s->free, class_key(v->arena, c->class)), search);
}

static bool uses(struct arena *a, struct informer_object *pod, const struct claim_view *c)
{
	struct json *list = json_parse(a, json_find(informer_text(pod), "spec", "volumes", NULL), NULL, NULL);
	struct slice pod_name = json_find(informer_text(pod), "metadata", "name", NULL);
	JSON_FOREACH (it, list) {
		struct slice name = json_str(json_path(it, "persistentVolumeClaim", "claimName", NULL));
		if (json_get(it, "ephemeral"))
			name = slice_of(
			        arena_printf(a, "%.*s-%.*s", SLICE_FMT(pod_name), SLICE_FMT(json_get_str(it, "name"))));
		if (slice_eq(name, c->name))
			return true;
	}
	return false;
}

static const char *world_waiting_pods(void *arg, struct arena *a, const struct claim_view *c, size_t *count)
{
	struct view *v = arg;
	const char *names = "";
	*count = 0;
	INFORMER_GROUP_FOREACH(pod, informer_index_group(v->s->unplaced, c->ns))
	{
		struct slice name = json_find(informer_text(pod), "metadata", "name", NULL);
		if (!uses(a, pod, c))
			continue;
		names = arena_printf(a, "%s%s%.*s", names, *count ? "," : "", SLICE_FMT(name));
		(*count)++;
	}
	return names;
}

static struct binder_world world_of(struct view *v)
{
	return (struct binder_world){.arg = v,
	        .claim = world_claim,
	        .volume = world_volume,
	        .storage_class = world_class,
	        .default_class = world_default_class,
	        .offer = world_offer,
	        .waiting_pods = world_waiting_pods};
}

/* ---- hands ---- */

/* A run: of a claim or of a volume. */
struct run {
	struct binder *s;
	struct work *work;
	bool is_volume, claim_is_gone;
	int writes;
	struct binder_step step;
	struct slice claim, volume; /* texts at the time of the plan, copied: whom events are about */
};

static void next(struct run *r);

static void tell(struct run *r)
{
	for (size_t i = 0; i < r->step.n_events; i++) {
		const struct binder_event *e = &r->step.events[i];
		struct slice text = e->about_volume ? r->volume : r->claim;
		struct meta m;
		if (!text.ptr)
			continue;
		meta_read(text, &m);
		struct recorder_subject about =
		        recorder_about("v1", e->about_volume ? "PersistentVolume" : "PersistentVolumeClaim", &m);
		recorder_event(
		        r->s->recorder, &about, e->is_warning ? "Warning" : "Normal", e->reason, "%s", e->message);
	}
}

static void wrote(struct work_call *call)
{
	struct run *r = call->arg;
	struct binder *s = r->s;
	struct slice text = work_call_text(call);
	bool is_volume = r->step.kind == BINDER_VOLUME || r->step.kind == BINDER_VOLUME_STATUS;
	if (call->request.err.code) {
		if (call->request.err.code != ERR_NOT_FOUND)
			work_fail(r->work, &call->request.err);
		return;
	}
	struct meta m;
	meta_read(text, &m);
	if (is_volume)
		remember(&s->written_volumes, shared_informer_base(s->volumes), m.name, call->request.response);
	else
		remember(&s->written_claims, shared_informer_base(s->claims), named_key(&r->work->arena, m.ns, m.name),
		        call->request.response);
	tell(r);
	next(r);
}

static void write_object(struct run *r)
{
	struct arena *a = &r->work->arena;
	enum binder_step_kind kind = r->step.kind;
	bool is_volume = kind == BINDER_VOLUME || kind == BINDER_VOLUME_STATUS;
	bool is_status = kind == BINDER_CLAIM_STATUS || kind == BINDER_VOLUME_STATUS;
	struct json *meta = json_get(r->step.object, "metadata");
	work_send(r->work, "PUT",
	        kube_path(a, "v1", is_volume ? "persistentvolumes" : "persistentvolumeclaims",
	                json_get_str(meta, "namespace"), json_get_str(meta, "name"), is_status ? "status" : NULL),
	        r->step.object, wrote)
	        ->arg = r;
}

static void asked(struct work_call *call)
{
	struct run *r = call->arg;
	const struct err *err = &call->request.err;
	struct slice uid = err->code ? SLICE_NULL : json_find(work_call_text(call), "metadata", "uid", NULL);
	if (err->code && err->code != ERR_NOT_FOUND) {
		work_fail(r->work, err);
	} else if (slice_eq(uid, json_find(r->volume, "spec", "claimRef", "uid", NULL))) {
		work_again(r->work, LAG_MS); /* it is there: the informer has yet to say so */
	} else {
		r->claim_is_gone = true;
		next(r);
	}
}

static void act(struct run *r)
{
	struct arena *a = &r->work->arena;
	struct slice ref = r->volume.ptr ? json_find(r->volume, "spec", "claimRef", NULL) : SLICE_NULL;
	struct slice ns = json_find(ref, "namespace", NULL), name = json_find(ref, "name", NULL);
	struct err err = ERR_INIT;
	switch (r->step.kind) {
	case BINDER_CLAIM:
	case BINDER_CLAIM_STATUS:
	case BINDER_VOLUME:
	case BINDER_VOLUME_STATUS:
		if (r->writes++ < WRITES_MAX) {
			write_object(r);
			return;
		}
		err_set(&err, ERR_BUSY, "%.*s: %d writes and no end: others write too", SLICE_FMT(r->work->key),
		        WRITES_MAX);
		work_fail(r->work, &err);
		return;
	case BINDER_ASK_CLAIM:
		work_send(r->work, "GET", kube_path(a, "v1", "persistentvolumeclaims", ns, name, NULL), NULL, asked)
		        ->arg = r;
		return;
	case BINDER_WAKE_CLAIM:
		work_queue_add(r->s->claim_queue, named_key(a, ns, name));
		return;
	case BINDER_DONE:
		tell(r);
		return;
	}
}

static struct slice keep(struct arena *a, struct slice text)
{
	return text.ptr ? (struct slice){arena_memdup(a, text.ptr, text.len), text.len} : SLICE_NULL;
}

static void next(struct run *r)
{
	struct arena *a = &r->work->arena;
	struct view v = {r->s, a};
	struct binder_world world = world_of(&v);
	const char *now = kube_time_text(a, 0);
	struct work *w = r->work;
	if (r->is_volume) {
		struct volume_view volume;
		r->volume = keep(a, world_volume(&v, w->key));
		if (!r->volume.ptr)
			return;
		volume_view_read(r->volume, &volume);
		r->claim = volume.has_claim ? keep(a, world_claim(&v, volume.claim_ns, volume.claim_name)) : SLICE_NULL;
		r->step = binder_plan_volume(&world, a, &volume, r->claim_is_gone, now);
	} else {
		struct claim_view claim;
		r->claim = keep(a, world_claim(&v, w->ns, w->name));
		if (!r->claim.ptr)
			return;
		claim_view_read(r->claim, &claim);
		r->step = binder_plan_claim(&world, a, &claim, now);
	}
	act(r);
}

static void run_claim(struct work *w)
{
	struct run *r = ARENA_NEW(&w->arena, struct run);
	*r = (struct run){.s = w->arg, .work = w};
	next(r);
}

static void run_volume(struct work *w)
{
	struct run *r = ARENA_NEW(&w->arena, struct run);
	*r = (struct run){.s = w->arg, .work = w, .is_volume = true};
	next(r);
}

/* ---- events ---- */

static void wake_volumes_of(struct binder *s, struct slice claim_key)
{
	INFORMER_GROUP_FOREACH(o, informer_index_group(s->pointing, claim_key))
	work_queue_add(s->volume_queue, o->key);
}

static void claim_changed(void *arg, struct informer_object *o)
{
	struct binder *s = arg;
	forget(&s->written_claims, o->key, o->revision);
	work_queue_add(s->claim_queue, o->key);
	wake_volumes_of(s, o->key);
}

static void claim_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	claim_changed(arg, o);
}

static void claim_deleted(void *arg, struct informer_object *o)
{
	struct binder *s = arg;
	struct slice volume = json_find(informer_text(o), "spec", "volumeName", NULL);
	forget(&s->written_claims, o->key, INT64_MAX);
	wake_volumes_of(s, o->key);
	if (volume.len)
		work_queue_add(s->volume_queue, volume);
}

static void wake_claim_of(struct binder *s, struct slice volume)
{
	struct strbuf key = STRBUF_INIT;
	volume_index_pointing(volume, &key);
	if (key.len)
		work_queue_add(s->claim_queue, strbuf_slice(&key));
	strbuf_release(&key);
}

static void wake_wanting(struct binder *s, char mark, struct slice what)
{
	struct arena a = ARENA_INIT;
	struct slice key = slice_of(arena_printf(&a, "%c%.*s", mark, SLICE_FMT(what)));
	INFORMER_GROUP_FOREACH(c, informer_index_group(s->wanting, key))
	work_queue_add(s->claim_queue, c->key);
	arena_release(&a);
}

static void volume_changed(void *arg, struct informer_object *o)
{
	struct binder *s = arg;
	struct volume_view v;
	volume_view_read(informer_text(o), &v);
	forget(&s->written_volumes, o->key, o->revision);
	work_queue_add(s->volume_queue, o->key);
	wake_claim_of(s, informer_text(o));
	wake_wanting(s, '=', o->key);
	if (!v.has_claim && slice_is(v.phase, "Available"))
		wake_wanting(s, '/', v.class);
}

/* A claim that it pointed to before has to look again as well. */
static void volume_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	struct binder *s = arg;
	volume_changed(arg, o);
	wake_claim_of(s, (struct slice){before->data, before->len});
}

static void volume_deleted(void *arg, struct informer_object *o)
{
	struct binder *s = arg;
	forget(&s->written_volumes, o->key, INT64_MAX);
	wake_claim_of(s, informer_text(o));
	wake_wanting(s, '=', o->key);
}

static void class_changed(void *arg, struct informer_object *o)
{
	struct binder *s = arg;
	INFORMER_FOREACH(c, shared_informer_base(s->claims))
	if (!json_find(informer_text(c), "spec", "volumeName", NULL).len)
		work_queue_add(s->claim_queue, c->key);
}

static void class_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	class_changed(arg, o);
}

/* What it waits with can be told whom it waits for. */
static void pod_changed(void *arg, struct informer_object *o)
{
	struct binder *s = arg;
	struct slice text = informer_text(o), ns = json_find(text, "metadata", "namespace", NULL),
	             volumes = json_find(text, "spec", "volumes", NULL);
	struct arena a = ARENA_INIT;
	struct json *list = volumes.len ? json_parse(&a, volumes, NULL, NULL) : NULL;
	JSON_FOREACH (it, list) {
		struct slice name = json_str(json_path(it, "persistentVolumeClaim", "claimName", NULL));
		struct informer_object *claim =
		        name.len ? informer_get_named(shared_informer_base(s->claims), ns, name) : NULL;
		if (claim && !json_find(informer_text(claim), "spec", "volumeName", NULL).len)
			work_queue_add(s->claim_queue, claim->key);
	}
	arena_release(&a);
}

/* ---- life ---- */

void *binder_start(struct controllers *c)
{
	struct binder *s = xcalloc(1, sizeof *s);
	s->recorder = controllers_recorder(c, "persistentvolume-controller");
	s->claim_queue = controllers_queue(c, "pv-binder-claims", 1, run_claim, s);
	s->volume_queue = controllers_queue(c, "pv-binder-volumes", 1, run_volume, s);
	s->claims = informer_set_get(c->informers, CLAIMS);
	s->volumes = informer_set_get(c->informers, VOLUMES);
	s->classes = informer_set_get(c->informers, STORAGE_CLASSES);
	s->pods = informer_set_get(c->informers, PODS);
	s->wanting = informer_index_get(s->claims, "wanting", index_wanting);
	s->free = informer_index_get(s->volumes, "free-by-class", volume_index_free);
	s->pointing = informer_index_get(s->volumes, "by-claim", volume_index_pointing);
	s->unplaced = informer_index_get(s->pods, "unplaced", index_unplaced);
	controllers_listen(c, CLAIMS,
	        &(struct informer_handler){
	                .added = claim_changed, .updated = claim_updated, .deleted = claim_deleted, .arg = s});
	controllers_listen(c, VOLUMES,
	        &(struct informer_handler){
	                .added = volume_changed, .updated = volume_updated, .deleted = volume_deleted, .arg = s});
	controllers_listen(c, STORAGE_CLASSES,
	        &(struct informer_handler){.added = class_changed, .updated = class_updated, .arg = s});
	controllers_listen(c, PODS, &(struct informer_handler){.added = pod_changed, .arg = s});
	return s;
}

void binder_release(void *state)
{
	struct binder *s = state;
	release_written(&s->written_claims);
	release_written(&s->written_volumes);
	free(s);
}
