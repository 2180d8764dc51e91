/* What a container has to itself, its CPUs, devices and memory, near to each other. Loop's thread. */
#ifndef K3X_NODE_TOPOLOGY_TOPOLOGY_H
#define K3X_NODE_TOPOLOGY_TOPOLOGY_H

#include "base/err.h"
#include "node/numa/numa.h"

struct node;
struct pod;
struct topology;

/* By n->config. ERR_INVAL: a policy or scope that is not there, or more nodes of memory than can be weighed. `numa` is
 * borrowed. */
int topology_new(struct node *n, const struct numa *numa, struct topology **ret, struct err *err);
void topology_free(struct topology *t); /* NULL: nothing */

enum topology_answer {
	TOPOLOGY_TAKEN,
	TOPOLOGY_PENDING, /* plugins are being asked: the pod is ticked when they have answered, and asks again */
	TOPOLOGY_APART,   /* the policy wants it nearer together than it can be: *err in upstream's words */
	TOPOLOGY_REFUSED, /* somebody does not give it: *err in upstream's words */
};

/* All that the pod's containers are to have; nothing when they have it. What was taken before a refusal is given back
 * with the rest. */
enum topology_answer topology_take(struct topology *t, struct pod *p, struct err *err);
void topology_give_back(struct topology *t, const struct pod *p);

#endif
