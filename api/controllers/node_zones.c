/* See node_zones.h. A zone lives as long as a node is counted in it. */
#include "api/controllers/node_zones.h"

#include "base/mem/arena.h"

#include <stdlib.h>

enum zone_state { ZONE_NORMAL, ZONE_PARTIAL, ZONE_FULL };

/* So few are never a disruption of a zone, however small it is. */
enum { PARTIAL_NODES_MIN = 3 };

struct node_zone {
	struct slice name;
	size_t ready, not_ready;
	enum zone_state state;
	uint64_t next_ms; /* when the next node may be tainted */
};

static enum zone_state judge(const struct node_zones *z, const struct node_zone *v)
{
	if (v->not_ready && !v->ready)
		return ZONE_FULL;
	double share = (double)v->not_ready / (double)(v->not_ready + v->ready);
	return v->not_ready >= PARTIAL_NODES_MIN && share >= z->threshold ? ZONE_PARTIAL : ZONE_NORMAL;
}

static double rate_of(const struct node_zones *z, const struct node_zone *v)
{
	if (v->state != ZONE_PARTIAL)
		return z->rate;
	return v->ready + v->not_ready > z->large ? z->secondary_rate : 0;
}

static void add(struct node_zone *v, enum node_count count, size_t n)
{
	if (count == NODE_COUNTED_READY)
		v->ready += n;
	if (count == NODE_COUNTED_NOT_READY)
		v->not_ready += n;
}

/* After its counts have changed. */
static unsigned settle(struct node_zones *z, struct node_zone *v)
{
	double before = rate_of(z, v);
	z->n_full -= v->state == ZONE_FULL;
	if (!v->ready && !v->not_ready) {
		free(map_del(&z->zones, v->name));
		return 0;
	}
	v->state = judge(z, v);
	z->n_full += v->state == ZONE_FULL;
	return before < rate_of(z, v) ? NODE_ZONES_PACE : 0;
}

bool node_zones_all_down(const struct node_zones *z)
{
	return z->zones.count && z->n_full == z->zones.count;
}

unsigned node_zones_set(struct node_zones *z, struct node_place *p, struct slice name, enum node_count count)
{
	bool were_all_down = node_zones_all_down(z);
	struct node_zone *old = p->zone, *v = count == NODE_NOT_COUNTED ? NULL : map_get(&z->zones, name);
	if (old && old == v && p->count == count)
		return 0;
	if (!v && count != NODE_NOT_COUNTED) {
		v = MAP_ENTRY_NEW(struct node_zone, name, name);
		map_put(&z->zones, v->name, v);
	}
	if (old)
		add(old, p->count, (size_t)-1);
	if (v)
		add(v, count, 1);
	*p = (struct node_place){v, count};
	unsigned news = v ? settle(z, v) : 0;
	if (old && old != v)
		news |= settle(z, old);
	bool are_all_down = node_zones_all_down(z);
	if (are_all_down != were_all_down)
		news |= are_all_down ? NODE_ZONES_ALL_DOWN : NODE_ZONES_ANY_UP;
	return news;
}

bool node_zones_may_taint(struct node_zones *z, const struct node_place *p, uint64_t now_ms, int64_t *wait_ms)
{
	struct node_zone *v = p->zone;
	double rate = v ? rate_of(z, v) : z->rate;
	*wait_ms = -1;
	if (rate <= 0 || node_zones_all_down(z))
		return false;
	if (!v)
		return true; /* it is nobody's: it tells nothing about others */
	if (now_ms < v->next_ms) {
		*wait_ms = (int64_t)(v->next_ms - now_ms);
		return false;
	}
	v->next_ms = now_ms + (uint64_t)(1000 / rate);
	return true;
}

void node_zones_release(struct node_zones *z)
{
	MAP_FOREACH (slot, &z->zones)
		free(slot->value);
	map_release(&z->zones);
}
