/* See numa_hint.h. Upstream: generateCPUTopologyHints and generateDeviceTopologyHints, which do the same. */
#include "node/numa/numa_hint.h"

#include "base/check.h"

#include <string.h>

uint64_t numa_next_set(uint64_t all, uint64_t set)
{
	return (set - all) & all; /* counts in the bits of `all` alone */
}

unsigned numa_count(uint64_t nodes)
{
	return (unsigned)__builtin_popcountll(nodes);
}

void numa_wish_add(struct numa_wishes *w, const struct numa_hint *list, size_t count)
{
	if (w->count == w->room) {
		struct numa_wish *more = ARENA_ARRAY(w->arena, struct numa_wish, w->room * 2 + 8);
		if (w->count)
			memcpy(more, w->list, w->count * sizeof *more);
		w->list = more;
		w->room = w->room * 2 + 8;
	}
	struct numa_wish *wish = &w->list[w->count++];
	wish->list = ARENA_ARRAY(w->arena, struct numa_hint, count + 1);
	wish->count = count;
	if (count)
		memcpy(wish->list, list, count * sizeof *list);
}

void numa_wish_add_hopeless(struct numa_wishes *w)
{
	static const struct numa_hint hopeless = {NUMA_ANYWHERE, false};
	numa_wish_add(w, &hopeless, 1);
}

static bool is_possible(const struct numa_unit *units, size_t count, size_t wanted, uint64_t nodes)
{
	size_t found = 0;
	for (size_t i = 0; i < count; i++) {
		bool is_near = units[i].nodes & nodes;
		if (units[i].is_held && units[i].nodes && !is_near)
			return false;
		found += is_near && (units[i].is_held || units[i].is_free);
	}
	return found >= wanted;
}

static size_t near_to(const struct numa_unit *units, size_t count, uint64_t nodes)
{
	size_t n = 0;
	for (size_t i = 0; i < count; i++)
		n += (units[i].nodes & nodes) != 0;
	return n;
}

void numa_wish_add_units(
        struct numa_wishes *w, uint64_t all, const struct numa_unit *units, size_t count, size_t wanted)
{
	struct numa_hint list[1 << NUMA_WEIGHED_MAX];
	unsigned fewest = numa_count(all);
	size_t n = 0;
	CHECK(numa_count(all) <= NUMA_WEIGHED_MAX);
	for (uint64_t set = numa_next_set(all, 0); set; set = numa_next_set(all, set)) {
		if (numa_count(set) < fewest && near_to(units, count, set) >= wanted)
			fewest = numa_count(set);
		if (is_possible(units, count, wanted, set))
			list[n++] = (struct numa_hint){set, false};
	}
	for (size_t i = 0; i < n; i++)
		list[i].is_preferred = numa_count(list[i].nodes) == fewest;
	if (n)
		numa_wish_add(w, list, n);
	else
		numa_wish_add_hopeless(w);
}
