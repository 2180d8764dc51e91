/* When leases run out.
 *
 * A thread sleeps until the earliest deadline in a heap. A keep-alive only moves the lease's deadline, not its place in
 * the heap: when the old place comes up and the lease has time left, it is put back with the new one, so keep-alives
 * cost a look-up and nothing else. A lease that has run out is handed to `expire` once and waits to be removed by the
 * command that revokes it; if that command fails it comes up again a second later.
 *
 * Deadlines are on the monotonic clock and are not stored: after a restart every lease begins with its full TTL, so it
 * lives at least as long as it was promised. */
#include "store/engine/lessor_int.h"

#include "base/check.h"
#include "base/mem/arena.h"
#include "base/rt/cond.h"

#include <stdlib.h>
#include <time.h>

struct lease {
	int64_t id;
	int64_t ttl_s;
	int64_t deadline_ms; /* when it runs out */
	int64_t heap_ms;     /* where it stands in the heap: never after deadline_ms */
	bool is_expiring;
	bool is_removed; /* freed when it comes up in the heap */
};

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct slice id_key(const int64_t *id)
{
	return (struct slice){(const char *)id, sizeof *id};
}

static struct lease *find(struct lessor *l, int64_t id)
{
	return map_get(&l->leases, id_key(&id));
}

static void heap_swap(struct lessor *l, size_t a, size_t b)
{
	struct lease *x = l->heap[a];
	l->heap[a] = l->heap[b];
	l->heap[b] = x;
}

static void heap_push(struct lessor *l, struct lease *e, int64_t at_ms)
{
	if (l->n_heap == l->cap_heap) {
		l->cap_heap = l->cap_heap ? l->cap_heap * 2 : 16;
		l->heap = xrealloc(l->heap, l->cap_heap * sizeof *l->heap);
	}
	e->heap_ms = at_ms;
	l->heap[l->n_heap] = e;
	for (size_t i = l->n_heap++; i > 0; i = (i - 1) / 2) {
		if (l->heap[(i - 1) / 2]->heap_ms <= l->heap[i]->heap_ms)
			break;
		heap_swap(l, i, (i - 1) / 2);
	}
}

static struct lease *heap_pop(struct lessor *l)
{
	struct lease *top = l->heap[0];
	l->heap[0] = l->heap[--l->n_heap];
	for (size_t i = 0;;) {
		size_t least = i;
		for (size_t c = 2 * i + 1; c <= 2 * i + 2 && c < l->n_heap; c++)
			if (l->heap[c]->heap_ms < l->heap[least]->heap_ms)
				least = c;
		if (least == i)
			return top;
		heap_swap(l, i, least);
		i = least;
	}
}

/* Takes what is due off the heap; the ids that have run out go to `ids`. Returns how many. */
static size_t take_due(struct lessor *l, int64_t now, int64_t *ids, size_t max)
{
	size_t n = 0;
	while (n < max && l->n_heap && l->heap[0]->heap_ms <= now) {
		struct lease *e = heap_pop(l);
		if (e->is_removed) {
			free(e);
		} else if (e->deadline_ms > now) {
			heap_push(l, e, e->deadline_ms);
		} else {
			/* it stays in the heap, far away, so that exactly one place owns it */
			e->is_expiring = true;
			heap_push(l, e, INT64_MAX);
			ids[n++] = e->id;
		}
	}
	return n;
}

static void wait_for_next(struct lessor *l)
{
	if (l->is_resting || !l->n_heap || l->heap[0]->heap_ms == INT64_MAX) {
		pthread_cond_wait(&l->wake, &l->lock);
		return;
	}
	int64_t at = l->heap[0]->heap_ms;
	struct timespec t = {.tv_sec = at / 1000, .tv_nsec = at % 1000 * 1000000};
	cond_wait_until(&l->wake, &l->lock, &t);
}

static void *lessor_main(void *arg)
{
	struct lessor *l = arg;
	int64_t ids[64];
	pthread_setname_np(pthread_self(), "store-leases");
	pthread_mutex_lock(&l->lock);
	while (!l->stopping) {
		size_t n = l->is_resting ? 0 : take_due(l, now_ms(), ids, 64);
		if (n == 0) {
			wait_for_next(l);
			continue;
		}
		pthread_mutex_unlock(&l->lock);
		for (size_t i = 0; i < n; i++)
			l->expire(l->arg, ids[i]);
		pthread_mutex_lock(&l->lock);
	}
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

void lessor_init(struct lessor *l, void (*expire)(void *arg, int64_t id), void *arg)
{
	*l = (struct lessor){.expire = expire, .arg = arg};
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->wake, NULL);
	CHECK(pthread_create(&l->thread, NULL, lessor_main, l) == 0);
}

void lessor_stop(struct lessor *l)
{
	pthread_mutex_lock(&l->lock);
	l->stopping = true;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
	pthread_join(l->thread, NULL);
}

void lessor_release(struct lessor *l)
{
	for (size_t i = 0; i < l->n_heap; i++)
		free(l->heap[i]);
	free(l->heap);
	map_release(&l->leases);
	pthread_cond_destroy(&l->wake);
	pthread_mutex_destroy(&l->lock);
}

static void push_anew(struct lessor *l, struct lease *e, int64_t now)
{
	e->is_expiring = false;
	e->deadline_ms = now + e->ttl_s * 1000;
	heap_push(l, e, e->deadline_ms);
}

void lessor_rest(struct lessor *l, bool rest)
{
	pthread_mutex_lock(&l->lock);
	if (l->is_resting && !rest) {
		size_t n = l->n_heap;
		int64_t now = now_ms();
		l->n_heap = 0;
		for (size_t i = 0; i < n; i++) {
			if (l->heap[i]->is_removed)
				free(l->heap[i]);
			else
				push_anew(l, l->heap[i], now);
		}
	}
	l->is_resting = rest;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
}

void lessor_clear(struct lessor *l)
{
	pthread_mutex_lock(&l->lock);
	for (size_t i = 0; i < l->n_heap; i++)
		free(l->heap[i]);
	l->n_heap = 0;
	map_release(&l->leases);
	map_init(&l->leases);
	pthread_mutex_unlock(&l->lock);
}

void lessor_add(struct lessor *l, int64_t id, int64_t ttl_s)
{
	struct lease *e = xcalloc(1, sizeof *e);
	e->id = id;
	e->ttl_s = ttl_s;
	e->deadline_ms = now_ms() + ttl_s * 1000;
	pthread_mutex_lock(&l->lock);
	CHECK(map_put(&l->leases, id_key(&e->id), e) == NULL);
	heap_push(l, e, e->deadline_ms);
	if (l->heap[0] == e)
		pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
}

void lessor_remove(struct lessor *l, int64_t id)
{
	pthread_mutex_lock(&l->lock);
	struct lease *e = map_del(&l->leases, id_key(&id));
	if (e)
		e->is_removed = true;
	/* Those that were expired wait at the far end of the heap; sweep when they are most of it. */
	if (e && l->n_heap > 64 && l->n_heap > 2 * l->leases.count) {
		size_t n = l->n_heap;
		l->n_heap = 0;
		for (size_t i = 0; i < n; i++) {
			if (l->heap[i]->is_removed)
				free(l->heap[i]);
			else
				heap_push(l, l->heap[i], l->heap[i]->heap_ms);
		}
	}
	pthread_mutex_unlock(&l->lock);
}

void lessor_retry(struct lessor *l, int64_t id)
{
	pthread_mutex_lock(&l->lock);
	struct lease *e = find(l, id);
	if (e) {
		struct lease *again =
		        xcalloc(1, sizeof *again); /* the old one is freed when it comes up or at a sweep */
		*again = (struct lease){
		        .id = id, .ttl_s = e->ttl_s, .deadline_ms = now_ms() + 1000, .is_expiring = true};
		e->is_removed = true;
		map_put(&l->leases, id_key(&again->id), again);
		heap_push(l, again, again->deadline_ms);
		pthread_cond_signal(&l->wake);
	}
	pthread_mutex_unlock(&l->lock);
}

bool lessor_has(struct lessor *l, int64_t id)
{
	pthread_mutex_lock(&l->lock);
	bool has = find(l, id) != NULL;
	pthread_mutex_unlock(&l->lock);
	return has;
}

bool lessor_keep_alive(struct lessor *l, int64_t id, int64_t *ret_ttl_s)
{
	pthread_mutex_lock(&l->lock);
	struct lease *e = find(l, id);
	bool ok = e && !e->is_expiring;
	if (ok) {
		e->deadline_ms = now_ms() + e->ttl_s * 1000;
		*ret_ttl_s = e->ttl_s;
	}
	pthread_mutex_unlock(&l->lock);
	return ok;
}

bool lessor_ttl(struct lessor *l, int64_t id, int64_t *ret_ttl_s, int64_t *ret_granted_s)
{
	pthread_mutex_lock(&l->lock);
	struct lease *e = find(l, id);
	if (e) {
		int64_t left = e->deadline_ms - now_ms();
		*ret_ttl_s = left > 0 && !e->is_expiring ? (left + 999) / 1000 : 0;
		*ret_granted_s = e->ttl_s;
	}
	pthread_mutex_unlock(&l->lock);
	return e != NULL;
}

static int compare_ids(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

int64_t *lessor_list(struct lessor *l, size_t *ret_n)
{
	size_t n = 0;
	pthread_mutex_lock(&l->lock);
	int64_t *ids = xcalloc(l->leases.count, sizeof *ids);
	MAP_FOREACH (slot, &l->leases) {
		ids[n++] = ((struct lease *)slot->value)->id;
	}
	pthread_mutex_unlock(&l->lock);
	if (n)
		qsort(ids, n, sizeof *ids, compare_ids);
	*ret_n = n;
	return ids;
}
