/* The kubelet of k3x: takes the pods that are bound to this node (and static pods from a folder) and makes them real
 * with a container runtime behind CRI v1.
 *
 * A node lives on one loop, its own. It needs an API client on that loop and folders under the data directory; it
 * starts and supervises containerd unless a runtime endpoint is given. Closing it stops nothing that runs: pods and
 * containerd go on, and the next node with the same data directory takes them over. */
#ifndef K3X_NODE_NODE_H
#define K3X_NODE_NODE_H

#include "base/err.h"
#include "node/ground/node_options.h"

struct node;

/* Starts everything that is needed; what fails later (no containerd, no API) is logged and tried again. Options are
 * copied. Loop's thread. Errors: folders cannot be made, ERR_IO. */
int node_new(const struct node_options *options, struct node **ret, struct err *err);

/* Stops the node's own work, not the pods. closed(arg) (may be NULL) runs on the loop when all is released. */
void node_close(struct node *n, void (*closed)(void *arg), void *arg);

#endif
