/* Memory of chosen nodes of the machine for containers of guaranteed pods. Loop's thread. */
#ifndef K3X_NODE_MEMORY_MEMORY_H
#define K3X_NODE_MEMORY_MEMORY_H

#include "base/err.h"
#include "node/numa/numa.h"
#include "node/numa/numa_hint.h"

struct json;
struct memory;
struct node;
struct pod;

/* By n->config; *ret is NULL with the policy "None". ERR_INVAL: a policy that is not there, reservedMemory that is not
 * what is reserved in all, more nodes of memory than can be weighed, or a state file of another policy or machine, with
 * what to do about it. `numa` is borrowed. Blocks for small files. */
int memory_new(struct node *n, const struct numa *numa, struct memory **ret, struct err *err);
void memory_free(struct memory *m);

/* All below take NULL for `m`. */

/* On which nodes the memory could lie that a container (of the pod's spec; NULL: the pod as a whole) requests; no wish
 * when its pod is not guaranteed. */
void memory_wish(const struct memory *m, const struct pod *p, const struct json *container, struct numa_wishes *w);
/* Takes it there, or on more nodes when those are not enough; nothing when it has it. ERR_BUSY in upstream's words. */
int memory_take(
        struct memory *m, const struct pod *p, const struct json *container, struct numa_hint where, struct err *err);
void memory_give_back(struct memory *m, const struct pod *p);
/* What the runtime is told for a container: "0-1"; "": nothing. In the arena. */
const char *memory_nodes_of(const struct memory *m, const struct pod *p, const char *container, struct arena *a);

struct memory_use {
	const char *type; /* "memory", "hugepages-2Mi" */
	int64_t bytes;
	uint64_t nodes;
};

/* What a container has, and what of each node containers can have. The texts live during fn(). */
void memory_each_of(const struct memory *m, const struct pod *p, const char *container,
        void (*fn)(void *arg, const struct memory_use *use), void *arg);
void memory_each(const struct memory *m, void (*fn)(void *arg, const struct memory_use *use), void *arg);

/* Pure: reservedMemory names nodes that are there, each once, memory and huge pages alone, and in all exactly what
 * `reserved_bytes` of memory are. ERR_INVAL says what does not fit. */
int memory_check_reserved(
        const struct numa *numa, const struct json *reserved_memory, int64_t reserved_bytes, struct err *err);

#endif
