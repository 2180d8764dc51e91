/* CPUs of one's own for containers of guaranteed pods. Loop's thread. */
#ifndef K3X_NODE_CPUS_CPUS_H
#define K3X_NODE_CPUS_CPUS_H

#include "base/err.h"
#include "base/mem/arena.h"

struct cpus;
struct node;
struct pod;

/* By n->config; *ret is NULL with the policy "none". ERR_INVAL: a policy that is not there, nothing that is reserved,
 * or a state file of another policy or machine, with what to do about it. Blocks for small files. */
int cpus_new(struct node *n, struct cpus **ret, struct err *err);
void cpus_free(struct cpus *c);

/* Takes what the pod's containers are to have; nothing when they have it. ERR_BUSY in upstream's words. All three take
 * NULL for `c`. */
int cpus_take(struct cpus *c, const struct pod *p, struct err *err);
void cpus_give_back(struct cpus *c, const struct pod *p);
/* What the runtime is told for a container: "2-3"; "": nothing. In the arena. */
const char *cpus_of(const struct cpus *c, const struct pod *p, const char *container, struct arena *a);

#endif
