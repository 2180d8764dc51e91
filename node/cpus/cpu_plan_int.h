/* Which CPUs to take. Pure. */
#ifndef K3X_NODE_CPUS_CPU_PLAN_INT_H
#define K3X_NODE_CPUS_CPU_PLAN_INT_H

#include "node/ground/cpu_set.h"

struct cpu_place {
	unsigned cpu, core, socket; /* core: unique on the whole machine */
};

struct cpu_topology {
	struct cpu_place list[CPU_SET_MAX];
	size_t count;
};

struct cpu_set cpu_topology_all(const struct cpu_topology *t);

/* `n` of `from`: whole sockets, then whole cores, then single CPUs, those first whose socket and core are used most
 * already. False: there are not so many. */
bool cpu_plan_take(const struct cpu_topology *t, const struct cpu_set *from, unsigned n, struct cpu_set *ret);

#endif
