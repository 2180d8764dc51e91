/* Who has which CPUs. Pure. */
#ifndef K3X_NODE_CPUS_CPU_LEDGER_INT_H
#define K3X_NODE_CPUS_CPU_LEDGER_INT_H

#include "base/json/json.h"
#include "node/cpus/cpu_plan_int.h"

struct cpu_entry {
	char *uid, *container;
	struct cpu_set set;
};

struct cpu_ledger {
	const struct cpu_topology *topology;
	struct cpu_set reserved; /* shared, and nobody's own */
	struct cpu_set shared;   /* of all who have none of their own */
	struct cpu_entry *entries;
	size_t count;
};

void cpu_ledger_init(struct cpu_ledger *l, const struct cpu_topology *t, const struct cpu_set *reserved);
void cpu_ledger_release(struct cpu_ledger *l);

/* How many CPUs a container is to have to itself; 0: it shares. */
unsigned cpu_ledger_wants(const struct json *pod_spec, const struct json *container);

/* What init containers of the pod had and gave on, and none before this one took. */
struct cpu_set cpu_ledger_reusable(
        const struct cpu_ledger *l, const char *uid, const struct json *pod_spec, const struct json *container);
/* What a container is to have, of those `near` (NULL: it makes no difference) as far as they go; nothing when it has
 * it. ERR_BUSY in upstream's words. */
int cpu_ledger_take(struct cpu_ledger *l, const char *uid, const struct json *pod_spec, const struct json *container,
        const struct cpu_set *near, struct err *err);
/* True: it had some. */
bool cpu_ledger_give_back(struct cpu_ledger *l, const char *uid);
/* NULL: it shares. */
const struct cpu_set *cpu_ledger_of(const struct cpu_ledger *l, const char *uid, const char *container);

/* The state as JSON, and back. ERR_INVAL: it is of another policy or another machine, or garbage. */
void cpu_ledger_write(const struct cpu_ledger *l, struct strbuf *out);
int cpu_ledger_read(struct cpu_ledger *l, struct slice text, struct err *err);

#endif
