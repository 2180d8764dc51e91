/* See scheduler_int.h. The states of a waiting pod:
 *
 *     (new) --> active --pop--> busy --bound--> (gone)
 *       |         ^               |--failed--> backoff --time--> active
 *       |         |               |--no node--> unschedulable --event that may help, or 5 minutes--> backoff or active
 *       |         |               \--extenders are busy with another--> parked --their turn--> active
 *       \--> gated --gates removed--> active
 *
 * The backoff is 1 s, 2 s, ... 10 s (or as configured) after the last try; an event that comes after it has passed
 * makes a pod active at once. A try is one turn of the loop, so no event comes in the middle of it. Only bindings last,
 * and what extenders are asked about (consult.c); of them the pod backs off if it must be tried again and anything
 * happened meanwhile. */
#include "api/scheduler/scheduler_int.h"

enum { UNSCHEDULABLE_MAX_MS = 5 * 60 * 1000 };

/* ---- heaps ---- */

static struct queued_pod *pod_at(const struct heap_link *l)
{
	return l ? CONTAINER_OF(l, struct queued_pod, place) : NULL;
}

static bool more_urgent(const struct heap_link *x, const struct heap_link *y)
{
	const struct queued_pod *a = pod_at(x), *b = pod_at(y);
	return a->priority != b->priority ? a->priority > b->priority : a->added_ms < b->added_ms;
}

static bool earlier_due(const struct heap_link *x, const struct heap_link *y)
{
	return pod_at(x)->due_ms < pod_at(y)->due_ms;
}

/* ---- moving between states ---- */

static void leave(struct queue *q, struct queued_pod *p)
{
	if (p->state == QUEUED_ACTIVE)
		heap_remove(&q->active, &p->place);
	else if (p->state == QUEUED_PARKED)
		heap_remove(&q->parked, &p->place);
	else if (p->state == QUEUED_BACKOFF)
		heap_remove(&q->backoff, &p->place);
	else if (p->state != QUEUED_BUSY)
		list_del(&p->link);
	refused_leave(q, p);
	p->state = QUEUED_BUSY;
}

static void enter(struct queue *q, struct queued_pod *p, enum queued_state state)
{
	p->state = state;
	if (state == QUEUED_ACTIVE)
		heap_add(&q->active, &p->place);
	else if (state == QUEUED_PARKED)
		heap_add(&q->parked, &p->place);
	else if (state == QUEUED_BACKOFF)
		heap_add(&q->backoff, &p->place);
	else
		list_push_back(state == QUEUED_GATED ? &q->gated : &q->unschedulable, &p->link);
}

static uint64_t backoff_ms(const struct queue *q, const struct queued_pod *p)
{
	uint64_t ms = q->backoff_ms;
	for (unsigned i = 1; i < p->attempts && ms < q->backoff_max_ms; i++)
		ms *= 2;
	return ms < q->backoff_max_ms ? ms : q->backoff_max_ms;
}

void queue_init(struct queue *q)
{
	*q = (struct queue){.backoff_ms = scheduler_configuration_default.backoff_ms,
	        .backoff_max_ms = scheduler_configuration_default.backoff_max_ms};
	heap_init(&q->active, more_urgent);
	heap_init(&q->parked, more_urgent);
	heap_init(&q->backoff, earlier_due);
	list_init(&q->unschedulable);
	list_init(&q->gated);
}

void queue_release(struct queue *q)
{
	MAP_FOREACH (slot, &q->pods)
		free(slot->value);
	map_release(&q->pods);
	refused_release(q);
	heap_release(&q->active);
	heap_release(&q->parked);
	heap_release(&q->backoff);
}

struct queued_pod *queue_find(struct queue *q, struct slice key)
{
	return map_get(&q->pods, key);
}

void queue_add(struct queue *q, struct slice key, int32_t priority, bool gated, uint64_t now_ms)
{
	struct queued_pod *p = queue_find(q, key);
	enum queued_state state = gated ? QUEUED_GATED : QUEUED_ACTIVE;
	if (p && p->state == QUEUED_BUSY)
		return;
	if (p) {
		leave(q, p);
		p->priority = priority;
		enter(q, p, state);
		return;
	}
	p = MAP_ENTRY_NEW(struct queued_pod, key, key);
	p->serial = ++q->serials;
	p->priority = priority;
	p->added_ms = now_ms;
	list_init(&p->link);
	map_put(&q->pods, p->key, p);
	enter(q, p, state);
}

void queue_remove(struct queue *q, struct slice key)
{
	struct queued_pod *p = map_del(&q->pods, key);
	if (!p)
		return;
	leave(q, p);
	free(p);
}

struct queued_pod *queue_pop(struct queue *q)
{
	struct queued_pod *p = pod_at(heap_first(&q->active));
	if (!p)
		return NULL;
	leave(q, p);
	p->attempts++;
	return p;
}

void queue_park(struct queue *q, struct queued_pod *p)
{
	p->attempts--; /* this was none */
	enter(q, p, QUEUED_PARKED);
}

void queue_unpark(struct queue *q)
{
	struct heap_link *first = heap_first(&q->active), *parked = heap_first(&q->parked);
	if (!parked || (first && !more_urgent(parked, first)))
		return;
	leave(q, pod_at(parked));
	enter(q, pod_at(parked), QUEUED_ACTIVE);
}

void queue_put_back(struct queue *q, struct queued_pod *p, bool unschedulable, uint64_t now_ms)
{
	p->due_ms = now_ms + (unschedulable ? UNSCHEDULABLE_MAX_MS : backoff_ms(q, p));
	enter(q, p, unschedulable ? QUEUED_UNSCHEDULABLE : QUEUED_BACKOFF);
}

void queue_move(struct queue *q, struct queued_pod *p, uint64_t now_ms)
{
	uint64_t tried_ms = p->due_ms - UNSCHEDULABLE_MAX_MS, free_ms = tried_ms + backoff_ms(q, p);
	leave(q, p);
	p->due_ms = free_ms;
	enter(q, p, free_ms <= now_ms ? QUEUED_ACTIVE : QUEUED_BACKOFF);
}

void queue_retry(struct queue *q, struct slice key, uint64_t now_ms)
{
	struct queued_pod *p = queue_find(q, key);
	if (p && p->state == QUEUED_UNSCHEDULABLE)
		queue_move(q, p, now_ms);
}

/* The unschedulable list is in the order of the tries, so its first is due first. */
uint64_t queue_tick(struct queue *q, uint64_t now_ms)
{
	for (struct queued_pod *p; (p = pod_at(heap_first(&q->backoff))) && p->due_ms <= now_ms;) {
		leave(q, p);
		enter(q, p, QUEUED_ACTIVE);
	}
	LIST_FOREACH (it, &q->unschedulable) {
		struct queued_pod *p = CONTAINER_OF(it, struct queued_pod, link);
		if (p->due_ms > now_ms)
			break;
		leave(q, p);
		enter(q, p, QUEUED_ACTIVE);
	}
	struct queued_pod *first = pod_at(heap_first(&q->backoff));
	uint64_t next = first ? first->due_ms : 0;
	if (!list_empty(&q->unschedulable)) {
		uint64_t due = CONTAINER_OF(q->unschedulable.next, struct queued_pod, link)->due_ms;
		next = next && next < due ? next : due;
	}
	return next;
}
