/* On which nodes of memory something could lie. Pure. */
#ifndef K3X_NODE_NUMA_NUMA_HINT_H
#define K3X_NODE_NUMA_NUMA_HINT_H

#include "base/mem/arena.h"
#include "base/mem/str.h"

#include <stdint.h>

/* So many nodes can be weighed against each other: each set of them is looked at. */
enum { NUMA_WEIGHED_MAX = 8 };

enum { NUMA_ANYWHERE = 0 };

struct numa_hint {
	uint64_t nodes; /* NUMA_ANYWHERE: it makes no difference */
	bool is_preferred;
};

/* All that is possible for one resource of one container. An empty list: nothing is. Who does not care has no wish. */
struct numa_wish {
	struct numa_hint *list;
	size_t count;
};

struct numa_wishes {
	struct arena *arena;
	struct numa_wish *list;
	size_t count, room;
};

void numa_wish_add(struct numa_wishes *w, const struct numa_hint *list, size_t count); /* copied */
/* There is not enough of it anywhere: no place is preferred. */
void numa_wish_add_hopeless(struct numa_wishes *w);

/* A thing that is given out whole, a CPU or a device. */
struct numa_unit {
	uint64_t nodes; /* that it is near to; 0: none says so */
	bool is_free;
	bool is_held; /* by the pod already, and to be used again: it must be near */
};

/* The sets of nodes where `wanted` of the units are free; preferred are those of as few nodes as would hold them if all
 * were free. `all`: the machine's nodes, NUMA_WEIGHED_MAX at most. */
void numa_wish_add_units(
        struct numa_wishes *w, uint64_t all, const struct numa_unit *units, size_t count, size_t wanted);

/* The next set of nodes out of `all` after `set`, from 0 on; 0 after the last. */
uint64_t numa_next_set(uint64_t all, uint64_t set);
unsigned numa_count(uint64_t nodes);

#endif
