/* Who has how much memory of which nodes of the machine. Pure. */
#ifndef K3X_NODE_MEMORY_MEMORY_LEDGER_INT_H
#define K3X_NODE_MEMORY_MEMORY_LEDGER_INT_H

#include "base/json/json.h"
#include "node/numa/numa.h"
#include "node/numa/numa_hint.h"

enum { MEMORY_TYPES_MAX = 1 + NUMA_PAGE_SIZES_MAX };

/* "memory", or huge pages of one size, of one node. */
struct memory_pool {
	char type[32];
	int64_t total, reserved; /* for the system */
	int64_t used;
};

struct memory_node {
	unsigned id;
	struct memory_pool pools[MEMORY_TYPES_MAX];
	size_t pools_count;
	unsigned uses;  /* blocks that lie on it */
	uint64_t group; /* all of them lie on these nodes together; itself alone when nobody uses it */
};

/* What one container has of one type. */
struct memory_block {
	char *uid, *container, *type;
	uint64_t nodes;
	int64_t bytes; /* less what later containers of the pod took over, when it is an init container's */
};

struct memory_ledger {
	struct memory_node nodes[NUMA_WEIGHED_MAX];
	size_t nodes_count;
	struct memory_block *blocks;
	size_t count;
};

struct memory_want {
	struct slice type;
	int64_t bytes;
};

/* Whose: the container's of the pod; container NULL: the pod's as a whole. */
struct memory_asker {
	const char *uid;
	const struct json *spec, *container;
};

/* `reserved`: reservedMemory of the configuration, [{"numaNode": 0, "limits": {"memory": "1Gi"}}], which was checked.
 */
void memory_ledger_init(struct memory_ledger *l, const struct numa *numa, const struct json *reserved);
void memory_ledger_release(struct memory_ledger *l);

/* What it is to get, in the arena; none when its pod is not guaranteed. */
size_t memory_ledger_wants(const struct memory_asker *who, struct arena *a, struct memory_want **ret);
/* The sets of nodes that have it; preferred are those of as few nodes as could have it. 0: none has. */
size_t memory_ledger_hints(
        const struct memory_ledger *l, const struct memory_asker *who, struct numa_hint ret[1 << NUMA_WEIGHED_MAX]);

/* On those nodes, or more when they are not enough; nothing when it has it. ERR_BUSY in upstream's words. */
int memory_ledger_take(
        struct memory_ledger *l, const struct memory_asker *who, struct numa_hint where, struct err *err);
bool memory_ledger_give_back(struct memory_ledger *l, const char *uid); /* true: it had some */
/* The nodes that a container's memory is of; 0: of any. */
uint64_t memory_ledger_nodes_of(const struct memory_ledger *l, const char *uid, const char *container);

/* The state as JSON, and back. ERR_INVAL: it is of another policy or another machine, or garbage. */
void memory_ledger_write(const struct memory_ledger *l, struct strbuf *out);
int memory_ledger_read(struct memory_ledger *l, struct slice text, struct err *err);

#endif
