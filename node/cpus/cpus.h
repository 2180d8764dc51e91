/* CPUs of one's own for containers of guaranteed pods. Loop's thread. */
#ifndef K3X_NODE_CPUS_CPUS_H
#define K3X_NODE_CPUS_CPUS_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "node/numa/numa.h"
#include "node/numa/numa_hint.h"

struct cpus;
struct json;
struct node;
struct pod;

/* By n->config; *ret is NULL with the policy "none". ERR_INVAL: a policy that is not there, nothing that is reserved,
 * or a state file of another policy or machine, with what to do about it. `numa` is borrowed. Blocks for small files.
 */
int cpus_new(struct node *n, const struct numa *numa, struct cpus **ret, struct err *err);
void cpus_free(struct cpus *c);

/* All below take NULL for `c`. */

/* On which nodes of memory the CPUs could lie that a container (of the pod's spec; NULL: the pod as a whole) is to have
 * to itself; no wish of one that shares. */
void cpus_wish(const struct cpus *c, const struct pod *p, const struct json *container, struct numa_wishes *w);
/* Takes what a container is to have, of those nodes as far as they go; nothing when it has it. ERR_BUSY in upstream's
 * words. */
int cpus_take(struct cpus *c, const struct pod *p, const struct json *container, uint64_t nodes, struct err *err);
void cpus_give_back(struct cpus *c, const struct pod *p);
/* What the runtime is told for a container: "2-3"; "": nothing. In the arena. */
const char *cpus_of(const struct cpus *c, const struct pod *p, const char *container, struct arena *a);
const struct cpu_set *cpus_own(const struct cpus *c, const struct pod *p, const char *container); /* NULL: it shares */
struct cpu_set cpus_allocatable(const struct cpus *c); /* that containers can have to themselves */

#endif
