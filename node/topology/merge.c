/* See merge_int.h. Upstream: pkg/kubelet/cm/topologymanager/policy.go. One hint is taken of each wish; together they
 * are the nodes that all of them have in common, which is preferred when each is and all are the same. Upstream looks
 * at every choice, which are as many as the product of the hints; what a choice comes to is a set of nodes and a bit,
 * though, so here the sets that the first wishes can come to are joined with the next wish, one after the other.
 *
 * The best is preferred, and then on the fewest nodes. When none is preferred, the best is as wide as the wish that
 * needs the most nodes needs them, or else as little less as can be: narrower than that somebody would surely lie
 * apart. */
#include "node/topology/merge_int.h"

#include "base/check.h"

enum { SETS = 1 << NUMA_WEIGHED_MAX };

/* Which sets the wishes so far can come to. Of preferred ones `anywhere` is a set of its own: nobody cared yet. */
struct reach {
	bool preferred[SETS], other[SETS];
	bool anywhere;
};

static unsigned index_of(uint64_t all, uint64_t nodes)
{
	unsigned at = 0, bit = 0;
	for (uint64_t left = all; left; left &= left - 1, bit++)
		at |= nodes & (left & -left) ? 1u << bit : 0;
	return at;
}

static uint64_t nodes_of(uint64_t all, unsigned at)
{
	uint64_t nodes = 0;
	unsigned bit = 0;
	for (uint64_t left = all; left; left &= left - 1, bit++)
		nodes |= at >> bit & 1 ? left & -left : 0;
	return nodes;
}

static void join(const struct reach *from, unsigned everything, unsigned hint, bool is_anywhere, bool is_preferred,
        struct reach *to)
{
	unsigned mask = is_anywhere ? everything : hint;
	for (unsigned s = 0; s <= everything; s++) {
		if (from->other[s])
			to->other[s & mask] = true;
		if (!from->preferred[s])
			continue;
		if (is_preferred && (is_anywhere || s == mask))
			to->preferred[s] = true;
		else
			to->other[s & mask] = true;
	}
	if (!from->anywhere)
		return;
	if (!is_preferred)
		to->other[mask] = true;
	else if (is_anywhere)
		to->anywhere = true;
	else
		to->preferred[mask] = true;
}

/* Of single nodes only what is one, or makes no difference, and is preferred. */
static bool counts(enum topology_policy policy, const struct numa_hint *h)
{
	return policy != TOPOLOGY_SINGLE_NODE || (h->is_preferred && numa_count(h->nodes) <= 1);
}

/* The most nodes that some wish needs at least. */
static unsigned needed(enum topology_policy policy, const struct numa_wishes *w)
{
	unsigned most = 0;
	for (size_t i = 0; i < w->count; i++) {
		unsigned fewest = 0;
		for (size_t k = 0; k < w->list[i].count; k++) {
			const struct numa_hint *h = &w->list[i].list[k];
			if (counts(policy, h) && h->nodes && (!fewest || numa_count(h->nodes) < fewest))
				fewest = numa_count(h->nodes);
		}
		most = fewest > most ? fewest : most;
	}
	return most;
}

static bool is_narrower(uint64_t x, uint64_t y)
{
	return numa_count(x) != numa_count(y) ? numa_count(x) < numa_count(y) : x < y;
}

static bool is_better(uint64_t x, uint64_t y, bool is_preferred, unsigned need)
{
	unsigned nx = numa_count(x), ny = numa_count(y);
	if (is_preferred || nx == ny || (nx > need && ny > need))
		return is_narrower(x, y);
	if (nx > need || ny > need)
		return ny > need;
	return nx > ny;
}

static uint64_t best_of(const bool *sets, uint64_t all, bool is_preferred, unsigned need)
{
	uint64_t best = 0;
	for (unsigned s = 1; s <= index_of(all, all); s++) {
		uint64_t nodes = nodes_of(all, s);
		if (sets[s] && (!best || is_better(nodes, best, is_preferred, need)))
			best = nodes;
	}
	return best;
}

bool topology_merge(enum topology_policy policy, const struct numa_wishes *w, uint64_t all, struct numa_hint *ret)
{
	struct reach now = {.anywhere = true}, next;
	unsigned everything = index_of(all, all);
	*ret = (struct numa_hint){NUMA_ANYWHERE, false};
	if (policy == TOPOLOGY_NONE)
		return true;
	CHECK(numa_count(all) <= NUMA_WEIGHED_MAX);
	for (size_t i = 0; i < w->count; i++) {
		next = (struct reach){.anywhere = false};
		for (size_t k = 0; k < w->list[i].count; k++) {
			const struct numa_hint *h = &w->list[i].list[k];
			if (counts(policy, h))
				join(&now, everything, index_of(all, h->nodes), !h->nodes, h->is_preferred, &next);
		}
		now = next;
	}
	now.preferred[everything] = now.preferred[everything] || now.anywhere;
	ret->nodes = best_of(now.preferred, all, true, 0);
	ret->is_preferred = ret->nodes != 0;
	if (!ret->nodes)
		ret->nodes = best_of(now.other, all, false, needed(policy, w));
	if (!ret->nodes)
		ret->nodes = all;
	if (policy == TOPOLOGY_SINGLE_NODE && ret->nodes == all)
		ret->nodes = NUMA_ANYWHERE;
	return policy == TOPOLOGY_BEST_EFFORT || ret->is_preferred;
}
