/* When leases run out.
 *
 * A thread sleeps until the earliest deadline in a heap. A keep-alive only moves the lease's deadline, not its place in
 * the heap: when the old place comes up and the lease has time left, it is put back with the new one, so keep-alives
 * cost a look-up and nothing else. A lease that has run out leaves the heap, is handed to `expire` once and waits to be
 * removed by the command that revokes it; if that command fails it is put back (lessor_retry). So there is one place in
 * the heap for each lease at most, whatever fails how often.
 *
 * Deadlines are on the monotonic clock and are not stored: after a restart every lease begins with its full TTL, so it
 * lives at least as long as it was promised. */
#include "store/engine/lessor_int.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem/arena.h"
#include "base/rt/cond.h"

#include <stdlib.h>

struct lease {
	int64_t id;
	int64_t ttl_s;
	int64_t deadline_ms; /* when it runs out */
	int64_t due_ms;      /* where it stands in the heap: never after deadline_ms */
	struct heap_link link;
	bool is_expiring; /* `expire` has been told, and no keep-alive helps any more */
};

static int64_t now_ms(void)
{
	return (int64_t)clock_mono_ms();
}

static struct slice id_key(const int64_t *id)
{
	return (struct slice){(const char *)id, sizeof *id};
}

static struct lease *find(struct lessor *l, int64_t id)
{
	return map_get(&l->leases, id_key(&id));
}

static struct lease *lease_of(const struct heap_link *link)
{
	return CONTAINER_OF(link, struct lease, link);
}

static bool is_due_before(const struct heap_link *a, const struct heap_link *b)
{
	return lease_of(a)->due_ms < lease_of(b)->due_ms;
}

static void place(struct lessor *l, struct lease *e, int64_t at_ms)
{
	if (heap_linked(&e->link))
		heap_remove(&l->due, &e->link);
	e->due_ms = at_ms;
	heap_add(&l->due, &e->link);
	DCHECK(l->due.count <= l->leases.count);
}

static struct lease *first(const struct lessor *l)
{
	struct heap_link *link = heap_first(&l->due);
	return link ? lease_of(link) : NULL;
}

/* Takes what is due off the heap; the ids that have run out go to `ids`. Returns how many. */
static size_t take_due(struct lessor *l, int64_t now, int64_t *ids, size_t max)
{
	size_t n = 0;
	for (struct lease *e; n < max && (e = first(l)) != NULL && e->due_ms <= now;) {
		CHECK(e->due_ms <= e->deadline_ms);
		if (e->deadline_ms > now) {
			place(l, e, e->deadline_ms);
			continue;
		}
		heap_remove(&l->due, &e->link);
		e->is_expiring = true;
		ids[n++] = e->id;
	}
	return n;
}

static void wait_for_next(struct lessor *l)
{
	if (l->is_resting || !first(l)) {
		pthread_cond_wait(&l->wake, &l->lock);
		return;
	}
	int64_t at = first(l)->due_ms;
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
	heap_init(&l->due, is_due_before);
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

static void forget_all(struct lessor *l)
{
	MAP_FOREACH (slot, &l->leases) {
		free(slot->value);
	}
	heap_release(&l->due);
	map_release(&l->leases);
}

void lessor_release(struct lessor *l)
{
	forget_all(l);
	pthread_cond_destroy(&l->wake);
	pthread_mutex_destroy(&l->lock);
}

static void begin_anew(struct lessor *l, struct lease *e, int64_t now)
{
	e->is_expiring = false;
	e->deadline_ms = now + e->ttl_s * 1000;
	place(l, e, e->deadline_ms);
}

void lessor_rest(struct lessor *l, bool rest)
{
	pthread_mutex_lock(&l->lock);
	if (l->is_resting && !rest) {
		int64_t now = now_ms();
		MAP_FOREACH (slot, &l->leases) {
			begin_anew(l, slot->value, now);
		}
	}
	l->is_resting = rest;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
}

void lessor_clear(struct lessor *l)
{
	pthread_mutex_lock(&l->lock);
	forget_all(l);
	pthread_mutex_unlock(&l->lock);
}

void lessor_add(struct lessor *l, int64_t id, int64_t ttl_s)
{
	struct lease *e = xcalloc(1, sizeof *e);
	CHECK(id != 0 && ttl_s > 0 && ttl_s <= STORE_LEASE_TTL_S_MAX);
	e->id = id;
	e->ttl_s = ttl_s;
	pthread_mutex_lock(&l->lock);
	CHECK(map_put(&l->leases, id_key(&e->id), e) == NULL);
	begin_anew(l, e, now_ms());
	if (first(l) == e)
		pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
}

void lessor_remove(struct lessor *l, int64_t id)
{
	pthread_mutex_lock(&l->lock);
	struct lease *e = map_del(&l->leases, id_key(&id));
	if (e && heap_linked(&e->link))
		heap_remove(&l->due, &e->link);
	pthread_mutex_unlock(&l->lock);
	free(e);
}

void lessor_retry(struct lessor *l, int64_t id, unsigned after_ms)
{
	pthread_mutex_lock(&l->lock);
	struct lease *e = find(l, id);
	if (e && e->is_expiring) { /* else it has begun anew meanwhile */
		e->deadline_ms = now_ms() + after_ms;
		place(l, e, e->deadline_ms);
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

/* What runs out first comes first, as in etcd; by number where that does not tell. */
static int compare_leases(const void *a, const void *b)
{
	const struct lease *x = *(struct lease *const *)a, *y = *(struct lease *const *)b;
	int c = (x->deadline_ms > y->deadline_ms) - (x->deadline_ms < y->deadline_ms);
	return c ? c : (x->id > y->id) - (x->id < y->id);
}

int64_t *lessor_list(struct lessor *l, size_t *ret_n)
{
	size_t n = 0;
	pthread_mutex_lock(&l->lock);
	struct lease **all = xcalloc(l->leases.count + 1, sizeof(struct lease *));
	int64_t *ids = xcalloc(l->leases.count + 1, sizeof *ids);
	MAP_FOREACH (slot, &l->leases) {
		all[n++] = slot->value;
	}
	qsort(all, n, sizeof(struct lease *), compare_leases);
	for (size_t i = 0; i < n; i++)
		ids[i] = all[i]->id;
	pthread_mutex_unlock(&l->lock);
	free(all);
	*ret_n = n;
	return ids;
}
