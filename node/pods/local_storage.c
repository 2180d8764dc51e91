/* See local_storage.h. Every LOOK_MS, when any pod here has such a limit:
 *
 *     loop:  which volumes and logs to measure -> the runtime: how large are the containers' layers
 *     pool:  measure                            -> loop: pods that exceed (storage_limits.c) are evicted
 *
 * One round at a time: a large tree takes as long as it takes. What can go wrong: the runtime does not tell (the round
 * goes without layers); a file vanishes while it is measured (it counts nothing). Static pods and those of a
 * system-critical priority are left alone, as upstream does. */
#include "node/pods/local_storage.h"

#include "base/check.h"
#include "base/log.h"
#include "node/ground/errand.h"
#include "node/ground/files.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_map.h"
#include "node/ground/pod_record.h"
#include "node/pods/storage_limits_int.h"
#include "node/runtime/cri.h"
#include "node/volume/volume.h"
#include "node/worker/pod_worker.h"

#include <stdlib.h>

enum { LOOK_MS = 10000, CALL_MS = 30000, EVICTION_GRACE_S = 1, SYSTEM_CRITICAL_PRIORITY = 2000000000 };

struct local_storage {
	struct node *n;
	uv_timer_t timer;
	struct round *round; /* NULL: none is under way */
	bool closed;
};

/* What is to be measured: a folder, and what it belongs to. */
struct measure {
	const char *uid, *path;
	struct storage_use use;
};

struct round {
	struct local_storage *of;
	struct node *n;
	struct errand errand;
	struct arena arena;
	struct measure *measures;
	size_t count, cap;
};

static struct measure *add(struct round *r)
{
	if (r->count == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 64;
		struct measure *more = ARENA_ARRAY(&r->arena, struct measure, cap);
		if (r->count)
			memcpy(more, r->measures, r->count * sizeof *more);
		r->measures = more;
		r->cap = cap;
	}
	return &r->measures[r->count++];
}

static bool is_watched(const struct pod *p)
{
	return p->spec && pod_state(p) == POD_RUNNING && p->is_admitted && !p->is_deleting && !p->is_static &&
	       json_get_int(p->spec, "priority", 0) < SYSTEM_CRITICAL_PRIORITY && storage_has_limits(p->spec);
}

static void add_pod(struct round *r, const struct pod *p)
{
	struct arena *a = &r->arena;
	const char *uid = arena_strdup(a, p->uid);
	bool read_only;
	JSON_FOREACH (v, json_get(p->spec, "volumes"))
		if (storage_is_local(v))
			*add(r) = (struct measure){uid, volume_host_path(p, a, json_get_str(v, "name"), &read_only),
			        {true, json_cstr(a, json_get(v, "name")), 0}};
	for (size_t i = 0; i < p->slots_count; i++)
		*add(r) = (struct measure){uid, arena_printf(a, "%s/%s", pod_log_dir(p, a), p->slots[i].name),
		        {false, arena_strdup(a, p->slots[i].name), 0}};
}

static void round_end(struct round *r)
{
	CHECK(r->of->round == r);
	struct local_storage *s = r->of;
	s->round = NULL;
	if (s->closed)
		free(s);
	arena_release(&r->arena);
	free(r);
}

/* The measures of one pod stand together. */
static void judge(struct round *r, size_t from, size_t to)
{
	struct pod *p = node_pod(r->n, slice_of(r->measures[from].uid));
	struct storage_use *uses = ARENA_ARRAY(&r->arena, struct storage_use, to - from);
	for (size_t i = from; i < to; i++)
		uses[i - from] = r->measures[i].use;
	const char *why = p && is_watched(p) ? storage_excess(&r->arena, p->spec, uses, to - from) : NULL;
	if (!why)
		return;
	log_info("node", "a pod is evicted", "pod=%s/%s reason=\"%s\"", p->ns, p->name, why);
	pod_evict(p, why, EVICTION_GRACE_S);
}

static void measured(struct errand *e)
{
	struct round *r = CONTAINER_OF(e, struct round, errand);
	LOOP_CHECK_OWNER(r->n->loop);
	for (size_t from = 0, to; from < r->count && !r->n->closing; from = to) {
		for (to = from + 1; to < r->count && strcmp(r->measures[to].uid, r->measures[from].uid) == 0;)
			to++;
		judge(r, from, to);
	}
	round_end(r);
}

static void measure_on_pool(struct errand *e)
{
	struct round *r = CONTAINER_OF(e, struct round, errand);
	for (size_t i = 0; i < r->count; i++)
		if (r->measures[i].path)
			r->measures[i].use.bytes += file_disk_usage(r->measures[i].path);
}

static const char *label(const CRI(ContainerStats) * s, const char *key)
{
	for (size_t i = 0; s->attributes && i < s->attributes->n_labels; i++)
		if (strcmp(s->attributes->labels[i]->key, key) == 0)
			return s->attributes->labels[i]->value;
	return "";
}

static void take_layer(struct round *r, const CRI(ContainerStats) * s)
{
	const char *uid = label(s, "io.kubernetes.pod.uid"), *name = label(s, "io.kubernetes.container.name");
	const CRI(UInt64Value) *used = s->writable_layer ? s->writable_layer->used_bytes : NULL;
	for (size_t i = 0; used && i < r->count; i++) {
		struct measure *m = &r->measures[i];
		if (!m->use.is_volume && strcmp(m->uid, uid) == 0 && strcmp(m->use.name, name) == 0)
			m->use.bytes += used->value < INT64_MAX / 2 ? (int64_t)used->value : 0;
	}
}

static void layers_told(void *arg, const void *answer, const struct err *err)
{
	struct round *r = arg;
	const CRI(ListContainerStatsResponse) *list = answer;
	for (size_t i = 0; list && i < list->n_stats; i++)
		take_layer(r, list->stats[i]);
	if (r->n->closing || !errand_start(r->n, &r->errand, measure_on_pool, measured))
		round_end(r);
}

static void look(uv_timer_t *t)
{
	struct local_storage *s = t->data;
	struct node *n = s->n;
	LOOP_CHECK_OWNER(n->loop);
	if (s->round || n->closing || !n->cri)
		return;
	struct round *r = xcalloc(1, sizeof *r);
	*r = (struct round){.of = s, .n = n};
	MAP_FOREACH (it, &n->pods)
		if (is_watched(it->value))
			add_pod(r, it->value);
	s->round = r;
	if (!r->count) {
		round_end(r);
		return;
	}
	CRI(ListContainerStatsRequest) q = RUNTIME__V1__LIST_CONTAINER_STATS_REQUEST__INIT;
	cri_call(n->cri, "RuntimeService/ListContainerStats", &q.base,
	        &runtime__v1__list_container_stats_response__descriptor, CALL_MS, layers_told, r);
}

struct local_storage *local_storage_new(struct node *n)
{
	struct local_storage *s = xcalloc(1, sizeof *s);
	s->n = n;
	uv_timer_init(loop_uv(n->loop), &s->timer);
	s->timer.data = s;
	uv_timer_start(&s->timer, look, LOOK_MS, LOOK_MS);
	return s;
}

static void timer_closed(uv_handle_t *h)
{
	struct local_storage *s = h->data;
	s->closed = true;
	if (!s->round)
		free(s);
}

void local_storage_close(struct local_storage *s)
{
	LOOP_CHECK_OWNER(s->n->loop);
	uv_close((uv_handle_t *)&s->timer, timer_closed);
}
