/* The pods of a node, by uid and by name. Loop's thread. */
#ifndef K3X_NODE_GROUND_POD_MAP_H
#define K3X_NODE_GROUND_POD_MAP_H

#include "base/mem/str.h"

struct node;
struct pod;

/* NULL when no worker has a pod of that uid, or of that name with a spec. */
struct pod *node_pod(struct node *n, struct slice uid);
struct pod *node_pod_named(struct node *n, struct slice ns, struct slice name);

/* All pods in an array of the caller's to free(), which stays whole while pods come and go. */
struct pod **node_pods(struct node *n, size_t *ret_count);

/* The pods of the API have been seen once: what runs and is not among them is nobody's. */
bool node_is_server_known(const struct node *n);

#endif
