/* Bringing up a sandbox or one container: each is an operation of the pod. */
#ifndef K3X_NODE_WORKER_POD_START_INT_H
#define K3X_NODE_WORKER_POD_START_INT_H

struct pod;
struct slot;

void pod_start_sandbox(struct pod *p);
void pod_start_container(struct pod *p, struct slot *slot);
void pod_start_cancel(struct pod *p); /* a pull under way is given up */

#endif
