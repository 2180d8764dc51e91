/* The pod resources API: monitoring agents on this node ask at a socket which CPUs, devices and memory containers have.
 * Loop's thread. */
#ifndef K3X_NODE_SERVER_POD_RESOURCES_H
#define K3X_NODE_SERVER_POD_RESOURCES_H

#include "base/err.h"

struct node;
struct pod_resources;

/* Listens at kubelet.sock in /var/lib/kubelet/pod-resources, or, with a data folder of one's own, in
 * DATA/agent/kubelet/pod-resources, for root alone. Errors: the folder cannot be made, the socket cannot be listened
 * at. */
int pod_resources_new(struct node *n, struct pod_resources **ret, struct err *err);
/* closed(arg) on the loop, never inside. */
void pod_resources_close(struct pod_resources *r, void (*closed)(void *arg), void *arg);

#endif
