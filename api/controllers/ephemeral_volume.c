/* Generic ephemeral volumes: a pod's volume with a claim template gets a claim of its own, called POD-VOLUME, which the
 * pod owns, so that it goes with it. A claim of that name that is not the pod's is never taken: the pod waits, and an
 * event says why. Keys are pods. Upstream: pkg/controller/volume/ephemeral. */
#include "api/controllers/controllers_int.h"

struct ephemeral {
	struct shared_informer *pods, *claims;
	struct work_queue *queue;
	struct recorder *recorder;
};

struct making {
	struct ephemeral *s;
	struct meta pod;
	struct slice volume;
	const char *claim;
};

static void tell(struct making *m, const char *problem)
{
	struct recorder_subject about = recorder_about("v1", "Pod", &m->pod);
	recorder_event(m->s->recorder, &about, "Warning", "FailedBinding", "ephemeral volume %.*s: %s",
	        SLICE_FMT(m->volume), problem);
}

static void made(struct work_call *call)
{
	struct making *m = call->arg;
	const struct err *err = &call->request.err;
	if (!err->code || err->code == ERR_TERMINATING)
		return;
	if (err->code != ERR_EXISTS) /* the informer lags, or a stranger's: the next look knows */
		tell(m, arena_printf(&call->work->arena, "create PVC %s: %s", m->claim, err->msg));
	work_fail(call->work, err);
}

static bool is_of(struct informer_object *claim, const struct meta *pod)
{
	struct meta m;
	struct owner_ref owner;
	meta_read(informer_text(claim), &m);
	return owner_ref_controller(m.owners, &owner) && slice_eq(owner.uid, pod->uid);
}

static struct json *new_claim(struct arena *a, const struct making *m, const struct json *template)
{
	struct json *claim = json_new(a, JSON_OBJECT), *meta = json_need(a, claim, "metadata", JSON_OBJECT);
	struct json *given = json_get(template, "metadata");
	static const char *const taken[] = {"labels", "annotations"};
	json_set_cstr(a, meta, "name", m->claim);
	for (size_t i = 0; i < COUNT_OF(taken); i++)
		if (json_get(given, taken[i]))
			json_set(a, meta, taken[i], json_copy(a, json_get(given, taken[i])));
	json_append(json_need(a, meta, "ownerReferences", JSON_ARRAY),
	        owner_ref_new(a, "v1", "Pod", m->pod.name, m->pod.uid));
	if (json_get(template, "spec"))
		json_set(a, claim, "spec", json_copy(a, json_get(template, "spec")));
	return claim;
}

static void ensure(struct work *w, const struct meta *pod, const struct json *volume)
{
	struct ephemeral *s = w->arg;
	struct arena *a = &w->arena;
	struct making *m = ARENA_NEW(a, struct making);
	*m = (struct making){.s = s, .pod = *pod, .volume = json_get_str(volume, "name")};
	m->claim = arena_printf(a, "%.*s-%.*s", SLICE_FMT(pod->name), SLICE_FMT(m->volume));
	struct informer_object *have = informer_get_named(shared_informer_base(s->claims), pod->ns, slice_of(m->claim));
	if (have && is_of(have, pod))
		return;
	if (have) {
		struct err err = ERR_INIT;
		err_set(&err, ERR_EXISTS, "PVC %.*s/%s was not created for pod %.*s/%.*s (pod is not owner)",
		        SLICE_FMT(pod->ns), m->claim, SLICE_FMT(pod->ns), SLICE_FMT(pod->name));
		tell(m, err.msg);
		work_fail(w, &err);
		return;
	}
	const struct json *template = json_path(volume, "ephemeral", "volumeClaimTemplate", NULL);
	work_send(w, "POST", kube_path(a, "v1", "persistentvolumeclaims", pod->ns, SLICE_NULL, NULL),
	        new_claim(a, m, template), made)
	        ->arg = m;
}

static void run(struct work *w)
{
	struct ephemeral *s = w->arg;
	struct informer_object *o = informer_get(shared_informer_base(s->pods), w->key);
	struct meta pod;
	if (!o)
		return;
	struct slice text = {arena_memdup(&w->arena, o->json->data, o->json->len), o->json->len};
	meta_read(text, &pod);
	if (pod.deletion_timestamp.len)
		return;
	JSON_FOREACH (it, json_path(json_parse(&w->arena, text, NULL, NULL), "spec", "volumes", NULL))
		if (json_get(it, "ephemeral"))
			ensure(w, &pod, it);
}

static void pod_changed(void *arg, struct informer_object *o)
{
	struct ephemeral *s = arg;
	struct arena a = ARENA_INIT;
	struct slice volumes = json_find(informer_text(o), "spec", "volumes", NULL);
	JSON_FOREACH (it, volumes.len ? json_parse(&a, volumes, NULL, NULL) : NULL)
		if (json_get(it, "ephemeral")) {
			work_queue_add(s->queue, o->key);
			break;
		}
	arena_release(&a);
}

/* Its pod may want another, or the one that was in the way is gone. */
static void claim_deleted(void *arg, struct informer_object *o)
{
	struct ephemeral *s = arg;
	struct meta m;
	struct owner_ref owner;
	meta_read(informer_text(o), &m);
	if (!owner_ref_controller(m.owners, &owner) || !slice_is(owner.kind, "Pod"))
		return;
	char key[2 * 254];
	int len = snprintf(key, sizeof key, "%.*s/%.*s", SLICE_FMT(m.ns), SLICE_FMT(owner.name));
	work_queue_add(s->queue, (struct slice){key, (size_t)len});
}

void *ephemeral_volume_start(struct controllers *c)
{
	struct ephemeral *s = xcalloc(1, sizeof *s);
	s->recorder = controllers_recorder(c, "ephemeral_volume");
	s->queue = controllers_queue(c, "ephemeral-volume", 4, run, s);
	s->pods = controllers_listen(c, PODS, &(struct informer_handler){.added = pod_changed, .arg = s});
	s->claims = controllers_listen(c, CLAIMS, &(struct informer_handler){.deleted = claim_deleted, .arg = s});
	return s;
}

void ephemeral_volume_release(void *state)
{
	free(state);
}
