/* What our containers use, added to what the runtime says of its own. The numbers are in their cgroups: some files for
 * each, read on the pool, for with thousands of them it takes a while. */
#include "node/wasm/wasm_int.h"

#include "base/check.h"
#include "node/cgroup/container_group.h"
#include "node/ground/node_record.h"
#include "node/wasm/protocol/traces.h"

#include <stdlib.h>

enum { CALL_MS = 10000 };

struct measured {
	const char *id, *cgroup;
	struct group_usage usage;
	int64_t at_ns;
	bool is_there;
};

struct stats {
	struct errand errand;
	struct wasm *w;
	struct call *call;
	CRI(ListContainerStatsResponse) * others; /* a copy; NULL: the runtime told nothing */
	struct arena arena;
	struct measured *list;
	size_t count;
	struct err err;
};

static void stats_end(struct stats *s, const void *answer)
{
	struct call *call = s->call;
	struct err err = s->err;
	if (answer)
		wasm_call_answer(call, answer);
	if (s->others)
		protobuf_c_message_free_unpacked(&s->others->base, NULL);
	arena_release(&s->arena);
	free(s);
	if (!answer)
		wasm_call_fail(call, &err);
}

static void measure(struct errand *e)
{
	struct stats *s = CONTAINER_OF(e, struct stats, errand);
	for (size_t i = 0; i < s->count; i++) {
		struct measured *m = &s->list[i];
		m->is_there = container_group_usage(m->cgroup, m->id, &m->usage);
		m->at_ns = wasm_now_ns();
	}
}

static CRI(UInt64Value) * number(struct arena *a, uint64_t v)
{
	CRI(UInt64Value) *n = ARENA_NEW(a, CRI(UInt64Value));
	runtime__v1__uint64_value__init(n);
	n->value = v;
	return n;
}

static CRI(ContainerStats) * item(struct arena *a, const struct measured *m, const struct wasm_container *c)
{
	const CRI(ContainerConfig) *config = c->request->config;
	CRI(ContainerStats) *s = ARENA_NEW(a, CRI(ContainerStats));
	runtime__v1__container_stats__init(s);
	s->attributes = ARENA_NEW(a, CRI(ContainerAttributes));
	runtime__v1__container_attributes__init(s->attributes);
	s->attributes->id = c->id;
	s->attributes->metadata = config->metadata;
	s->attributes->labels = config->labels;
	s->attributes->n_labels = config->n_labels;
	s->cpu = ARENA_NEW(a, CRI(CpuUsage));
	runtime__v1__cpu_usage__init(s->cpu);
	s->cpu->timestamp = m->at_ns;
	s->cpu->usage_core_nano_seconds = number(a, m->usage.cpu_ns);
	s->memory = ARENA_NEW(a, CRI(MemoryUsage));
	runtime__v1__memory_usage__init(s->memory);
	s->memory->timestamp = m->at_ns;
	s->memory->usage_bytes = number(a, m->usage.memory_bytes);
	s->memory->working_set_bytes = number(a, m->usage.working_set_bytes);
	return s;
}

static void is_measured(struct errand *e)
{
	struct stats *s = CONTAINER_OF(e, struct stats, errand);
	CRI(ListContainerStatsResponse) all = *s->others;
	all.stats = ARENA_ARRAY(&s->arena, CRI(ContainerStats) *, all.n_stats + s->count + 1);
	if (all.n_stats)
		memcpy(all.stats, s->others->stats, all.n_stats * sizeof *all.stats);
	for (size_t i = 0; i < s->count; i++) {
		const struct wasm_container *c = container_find(s->w, s->list[i].id);
		if (s->list[i].is_there && c)
			all.stats[all.n_stats++] = item(&s->arena, &s->list[i], c);
	}
	stats_end(s, &all);
}

static void list_ours(struct stats *s)
{
	s->list = ARENA_ARRAY(&s->arena, struct measured, s->w->containers.count + 1);
	MAP_FOREACH (it, &s->w->containers) {
		const struct wasm_container *c = it->value;
		if (c->state == IS_RUNNING)
			s->list[s->count++] = (struct measured){.id = arena_strdup(&s->arena, c->id),
			        .cgroup = arena_strdup(&s->arena, box_cgroup(c->box))};
	}
}

static void others_told(void *arg, const void *answer, const struct err *err)
{
	struct stats *s = arg;
	if (err)
		s->err = *err;
	else
		s->others = (CRI(ListContainerStatsResponse) *)wasm_copy(answer);
	if (!err && s->w->n->closing)
		err_set(&s->err, ERR_CANCELED, "the node is closing");
	list_ours(s);
	if (!s->err.code && errand_start(s->w->n, &s->errand, measure, is_measured))
		return;
	if (!s->err.code)
		err_set(&s->err, ERR_BUSY, "too much blocking work is queued");
	stats_end(s, NULL);
}

void wasm_stats(struct wasm *w, struct call *call)
{
	LOOP_CHECK_OWNER(w->n->loop);
	CHECK(w->n->cri);
	struct stats *s = xcalloc(1, sizeof *s);
	s->w = w;
	s->call = call;
	w->passes = true;
	cri_call(w->n->cri, "RuntimeService/ListContainerStats", call->request,
	        &runtime__v1__list_container_stats_response__descriptor, CALL_MS, others_told, s);
	w->passes = false;
}
