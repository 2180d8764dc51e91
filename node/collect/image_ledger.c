/* See image_ledger_int.h. Upstream: pkg/kubelet/images/image_gc_manager.go. An image in use, a pinned one and one that
 * is younger than the least age (it was pulled for a container that is not made yet) stay. The ledger is memory: after
 * a start every image counts as old and never used, and as stale only when we have seen it unused for that long.
 *
 * What can go wrong: an id comes twice in one list, or of an image that is not there: the first counts, the other is
 * passed over. */
#include "node/collect/image_ledger_int.h"

#include "base/check.h"

#include <stdlib.h>

void image_ledger_release(struct image_ledger *l)
{
	MAP_FOREACH (it, &l->images)
		free(it->value);
	map_release(&l->images);
	*l = (struct image_ledger){.round = 0};
}

void image_ledger_begin(struct image_ledger *l, uint64_t now_ms)
{
	if (!l->round++)
		l->began_ms = now_ms;
	MAP_FOREACH (it, &l->images)
		((struct ledger_image *)it->value)->is_used = false;
}

void image_ledger_see(struct image_ledger *l, struct slice id, uint64_t bytes, bool is_pinned, uint64_t now_ms)
{
	struct ledger_image *i = map_get(&l->images, id);
	CHECK(l->round);
	if (!id.len)
		return;
	if (!i) {
		i = MAP_ENTRY_NEW(struct ledger_image, id, id);
		i->first_seen_ms = l->round == 1 ? 0 : now_ms;
		map_put(&l->images, i->id, i);
	}
	i->bytes = bytes;
	i->is_pinned = is_pinned;
	i->seen = l->round;
}

void image_ledger_use(struct image_ledger *l, struct slice id, uint64_t now_ms)
{
	struct ledger_image *i = map_get(&l->images, id);
	if (!i)
		return;
	i->is_used = true;
	i->last_used_ms = now_ms;
}

void image_ledger_end(struct image_ledger *l)
{
	bool again = true;
	while (again) {
		again = false;
		MAP_FOREACH (it, &l->images) {
			struct ledger_image *i = it->value;
			if (i->seen == l->round)
				continue;
			map_del(&l->images, i->id);
			free(i);
			again = true; /* the map has changed under the walk */
			break;
		}
	}
}

/* ---- which ---- */

static int by_last_use(const void *a, const void *b)
{
	const struct ledger_image *x = *(const struct ledger_image *const *)a,
	                          *y = *(const struct ledger_image *const *)b;
	if (x->last_used_ms != y->last_used_ms)
		return x->last_used_ms < y->last_used_ms ? -1 : 1;
	if (x->first_seen_ms != y->first_seen_ms)
		return x->first_seen_ms < y->first_seen_ms ? -1 : 1;
	return slice_cmp(x->id, y->id);
}

static bool may_go(const struct ledger_image *i, uint64_t min_age_ms, uint64_t now_ms)
{
	return !i->is_used && !i->is_pinned && (!i->first_seen_ms || now_ms - i->first_seen_ms >= min_age_ms);
}

static struct image_choice candidates(
        const struct image_ledger *l, struct arena *a, uint64_t min_age_ms, uint64_t now_ms)
{
	struct image_choice c = {ARENA_ARRAY(a, const struct ledger_image *, l->images.count + 1), 0, 0};
	MAP_FOREACH (it, &l->images)
		if (may_go(it->value, min_age_ms, now_ms))
			c.list[c.count++] = it->value;
	if (c.count)
		qsort(c.list, c.count, sizeof *c.list, by_last_use);
	return c;
}

struct image_choice image_ledger_choose(
        const struct image_ledger *l, struct arena *a, uint64_t bytes, uint64_t min_age_ms, uint64_t now_ms)
{
	struct image_choice c = candidates(l, a, min_age_ms, now_ms);
	size_t n = 0;
	while (n < c.count && c.bytes < bytes)
		c.bytes += c.list[n++]->bytes;
	c.count = n;
	return c;
}

struct image_choice image_ledger_stale(
        const struct image_ledger *l, struct arena *a, uint64_t min_age_ms, uint64_t max_age_ms, uint64_t now_ms)
{
	struct image_choice c = candidates(l, a, min_age_ms, now_ms), stale = {c.list, 0, 0};
	for (size_t k = 0; k < c.count; k++) {
		const struct ledger_image *i = c.list[k];
		uint64_t since = i->last_used_ms > i->first_seen_ms ? i->last_used_ms : i->first_seen_ms;
		if (now_ms - (since > l->began_ms ? since : l->began_ms) <= max_age_ms)
			continue;
		stale.list[stale.count++] = i;
		stale.bytes += i->bytes;
	}
	return stale;
}

uint64_t image_bytes_to_free(uint64_t capacity, uint64_t available, unsigned high_percent, unsigned low_percent)
{
	CHECK(low_percent <= 100 && high_percent <= 100);
	if (!capacity || available >= capacity || 100 - available * 100.0 / capacity < high_percent)
		return 0;
	uint64_t wanted = (uint64_t)((double)capacity * (100 - low_percent) / 100);
	return wanted > available ? wanted - available : 0;
}
