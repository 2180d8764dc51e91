/* Stopping and removing containers and sandboxes, and deleting the API object: each is an operation of the pod. */
#ifndef K3X_NODE_WORKER_POD_KILL_INT_H
#define K3X_NODE_WORKER_POD_KILL_INT_H

#include <stdint.h>

struct container;
struct pod;
struct sandbox;

void pod_stop_container(struct pod *p, struct container *c, int64_t grace_s);
void pod_stop_sandbox(struct pod *p, struct sandbox *s);
void pod_remove_sandbox(struct pod *p, struct sandbox *s);
void pod_remove_container(struct pod *p, struct container *c);
void pod_delete_from_api(struct pod *p);

#endif
