/* Binding the claims that waited for a pod, once the pod has its node.
 *
 *     choices --> writes: a volume gets its claim, or a claim its node (for its provisioner)
 *             --> waits until the binder says that all are bound
 *             --> the pod is bound
 *
 * Meanwhile the pod counts as placed, its volumes as taken, and its claims as decided. A write that fails, a claim that
 * goes or is bound elsewhere, a provisioner that takes the node off the claim (it cannot make it there), and
 * too long without an end (ten minutes, or the profile's bindTimeoutSeconds) undo all that: the pod backs off and is
 * tried again, on whatever node fits then. What was written stays: a volume that points to its claim is the claim's.
 * After a restart of ours the pod is simply tried again, and finds what was written.
 *
 * Upstream: pkg/scheduler/framework/plugins/volumebinding/binder.go (AssumePodVolumes, BindPodVolumes). */
#include "api/scheduler/scheduler_int.h"

#include "api/machinery/rules/volume_binding.h"
#include "base/log.h"

struct wait_claim {
	struct slice key, name, volume; /* volume empty: one is made */
	bool was_seen;                  /* the claim has shown its node */
};

struct volume_wait {
	struct list_link link;
	struct arena arena;
	struct slice key, ns, node;
	uint64_t serial, deadline_ms;
	unsigned open; /* writes */
	const char *failure;
	struct wait_claim *claims;
	size_t n_claims;
};

/* ---- what waits counts ---- */

static const struct wait_claim *find(
        const struct scheduler *s, struct slice claim, struct slice volume, struct slice *node)
{
	for (struct list_link *it = s->volume_waits.next; it && it != &s->volume_waits; it = it->next) {
		struct volume_wait *w = CONTAINER_OF(it, struct volume_wait, link);
		for (size_t i = 0; i < w->n_claims; i++)
			if ((claim.len && slice_eq(w->claims[i].key, claim)) ||
			        (volume.len && slice_eq(w->claims[i].volume, volume))) {
				*node = w->node;
				return &w->claims[i];
			}
	}
	return NULL;
}

struct slice volume_bind_taken_by(const struct scheduler *s, struct slice volume)
{
	struct slice node;
	const struct wait_claim *c = find(s, SLICE_NULL, volume, &node);
	return c ? c->key : SLICE_NULL;
}

struct slice volume_bind_node_of(const struct scheduler *s, struct slice claim)
{
	struct slice node;
	const struct wait_claim *c = find(s, claim, SLICE_NULL, &node);
	return c && !c->volume.len ? node : SLICE_NULL;
}

static void wait_free(struct volume_wait *w)
{
	list_del(&w->link);
	arena_release(&w->arena);
	free(w);
}

void volume_bind_release(struct scheduler *s)
{
	LIST_FOREACH (it, &s->volume_waits)
		wait_free(CONTAINER_OF(it, struct volume_wait, link));
}

/* ---- the end ---- */

static bool is_still_queued(struct scheduler *s, const struct volume_wait *w)
{
	struct queued_pod *q = queue_find(&s->queue, w->key);
	return q && q->serial == w->serial && q->state == QUEUED_BUSY;
}

/* The pod's candidate again: time has passed since the decision. */
static bool read_pod(struct scheduler *s, const struct volume_wait *w, struct candidate *p)
{
	struct informer_object *o = informer_get(shared_informer_base(s->pods), w->key);
	if (o && candidate_read(&s->cache, p, w->key, o->json))
		return true;
	if (o)
		candidate_release(p);
	return false;
}

static void fail(struct scheduler *s, struct volume_wait *w)
{
	struct pod_info *info = cache_pod(&s->cache, w->key);
	struct candidate p;
	if (info && info->assumed)
		scheduler_forget_pod(s, w->key);
	if (read_pod(s, w, &p)) {
		const char *message = arena_printf(
		        &p.arena, "running PreBind plugin \"VolumeBinding\": binding volumes: %s", w->failure);
		queue_put_back(&s->queue, queue_find(&s->queue, w->key), false, scheduler_now_ms(s));
		bind_tell_unschedulable(s, &p, "SchedulerError", message, NULL);
		candidate_release(&p);
	} else {
		queue_remove(&s->queue, w->key);
	}
	wait_free(w);
	scheduler_tell(s, &(struct cluster_event){.kind = EVENT_VOLUME}); /* those that it had chosen are free */
}

static void succeed(struct scheduler *s, struct volume_wait *w)
{
	struct node_info *n = map_get(&s->cache.nodes, w->node);
	struct candidate p;
	if (!n || !n->json) {
		w->failure = arena_printf(&w->arena, "node \"%.*s\" not found", SLICE_FMT(w->node));
		fail(s, w);
		return;
	}
	if (read_pod(s, w, &p)) {
		bind_send(s, &p, n);
		candidate_release(&p);
	}
	wait_free(w);
}

/* ---- waiting ---- */

/* True when the claim is bound; sets the failure when it will not be. */
static bool is_bound(struct scheduler *s, struct volume_wait *w, struct wait_claim *c)
{
	struct informer_object *o = informer_get(shared_informer_base(s->claims), c->key);
	struct claim_view claim;
	struct volume_view volume;
	struct arena *a = &w->arena;
	if (!o) {
		w->failure = arena_printf(a, "persistentvolumeclaim \"%.*s\" not found", SLICE_FMT(c->name));
		return false;
	}
	claim_view_read(informer_text(o), &claim);
	bool has_node = slice_eq(claim.selected_node, w->node);
	if (!c->volume.len && c->was_seen && !has_node && !claim.was_bound)
		w->failure = arena_printf(a, "provisioning failed for PVC \"%.*s\"", SLICE_FMT(c->name));
	c->was_seen = c->was_seen || has_node;
	if (!claim.was_bound || !claim.volume.len)
		return false;
	struct informer_object *v = informer_get(shared_informer_base(s->volumes), claim.volume);
	struct node_info *n = map_get(&s->cache.nodes, w->node);
	if (!v)
		return false; /* its informer lags */
	volume_view_read(informer_text(v), &volume);
	if (n && n->json && !volume_reaches_node(&volume, n->name, n->labels))
		w->failure = arena_printf(a, "pv \"%.*s\" node affinity doesn't match node \"%.*s\"",
		        SLICE_FMT(volume.name), SLICE_FMT(w->node));
	return !w->failure;
}

static void check(struct scheduler *s, struct volume_wait *w)
{
	bool all = true;
	if (!is_still_queued(s, w)) {
		if (!w->open)
			wait_free(w); /* the pod is gone, or has a node from elsewhere */
		return;
	}
	for (size_t i = 0; i < w->n_claims && !w->failure; i++)
		all = is_bound(s, w, &w->claims[i]) && all;
	if (!w->failure && scheduler_now_ms(s) >= w->deadline_ms)
		w->failure = "context deadline exceeded";
	if (w->open)
		return;
	if (w->failure)
		fail(s, w);
	else if (all)
		succeed(s, w);
}

void volume_bind_check(struct scheduler *s)
{
	s->waits_are_stale = false;
	LIST_FOREACH (it, &s->volume_waits)
		check(s, CONTAINER_OF(it, struct volume_wait, link));
}

uint64_t volume_bind_deadline_ms(const struct scheduler *s)
{
	uint64_t first = 0;
	for (struct list_link *it = s->volume_waits.next; it && it != &s->volume_waits; it = it->next) {
		uint64_t at = CONTAINER_OF(it, struct volume_wait, link)->deadline_ms;
		first = !first || at < first ? at : first;
	}
	return first;
}

/* ---- writing ---- */

static void written(struct scheduler *s, struct slice key, uint64_t serial, const struct err *err, struct slice answer)
{
	LIST_FOREACH (it, &s->volume_waits) {
		struct volume_wait *w = CONTAINER_OF(it, struct volume_wait, link);
		if (w->serial != serial || !slice_eq(w->key, key))
			continue;
		w->open--;
		if (err->code && !w->failure)
			w->failure = arena_strdup(&w->arena, err->msg);
		check(s, w);
		return;
	}
}

/* The volume points to its claim: from here on nobody else gets it. */
static void write_volume(struct scheduler *s, struct candidate *p, struct volume_wait *w, struct wait_claim *c)
{
	struct arena *a = &p->arena;
	struct informer_object *v = informer_get(shared_informer_base(s->volumes), c->volume),
	                       *claim = informer_get(shared_informer_base(s->claims), c->key);
	struct volume_view volume;
	struct claim_view view;
	volume_view_read(informer_text(v), &volume);
	claim_view_read(informer_text(claim), &view);
	if (volume_is_for(&volume, &view) && slice_eq(volume.claim_uid, view.uid))
		return; /* a try before this one did it */
	w->open++;
	bind_put(s, p, kube_path(a, "v1", "persistentvolumes", SLICE_NULL, c->volume, NULL),
	        volume_point_to_claim(a, &volume, &view), written);
}

/* The claim names its node: its provisioner may begin. */
static void write_claim(struct scheduler *s, struct candidate *p, struct volume_wait *w, struct wait_claim *c)
{
	struct arena *a = &p->arena;
	struct informer_object *o = informer_get(shared_informer_base(s->claims), c->key);
	struct json *object = informer_parse(a, o), *meta = json_need(a, object, "metadata", JSON_OBJECT);
	struct json *marks = json_need(a, meta, "annotations", JSON_OBJECT);
	if (slice_eq(json_get_str(marks, VOLUME_SELECTED_NODE), w->node)) {
		c->was_seen = true;
		return;
	}
	json_set_str(a, marks, VOLUME_SELECTED_NODE, w->node);
	w->open++;
	bind_put(s, p, kube_path(a, "v1", "persistentvolumeclaims", w->ns, c->name, NULL), object, written);
}

static struct slice copy(struct arena *a, struct slice t)
{
	return t.len ? (struct slice){arena_memdup(a, t.ptr, t.len), t.len} : SLICE_NULL;
}

void volume_bind_start(
        struct scheduler *s, struct candidate *p, const struct node_info *n, const struct volume_choice *choices)
{
	struct volume_wait *w = xcalloc(1, sizeof *w);
	struct arena *a = &w->arena;
	size_t count = 0;
	for (const struct volume_choice *x = choices; x; x = x->next)
		count++;
	w->key = copy(a, p->key);
	w->ns = copy(a, p->meta.ns);
	w->node = copy(a, n->name);
	w->serial = queue_find(&s->queue, p->key)->serial;
	w->deadline_ms = scheduler_now_ms(s) + p->profile->volume_timeout_ms;
	w->claims = ARENA_ARRAY(a, struct wait_claim, count);
	for (const struct volume_choice *x = choices; x; x = x->next)
		w->claims[w->n_claims++] = (struct wait_claim){
		        .key = slice_of(arena_printf(a, "%.*s/%.*s", SLICE_FMT(w->ns), SLICE_FMT(x->claim))),
		        .name = copy(a, x->claim),
		        .volume = copy(a, x->volume)};
	list_push_back(&s->volume_waits, &w->link);
	cache_pod_set(&s->cache, p->key, n->name, p->json, true);
	for (size_t i = 0; i < w->n_claims; i++)
		if (w->claims[i].volume.len)
			write_volume(s, p, w, &w->claims[i]);
		else
			write_claim(s, p, w, &w->claims[i]);
	log_debug("scheduler", "binds volumes", "pod=%.*s node=%.*s claims=%zu", SLICE_FMT(w->key), SLICE_FMT(w->node),
	        w->n_claims);
}
