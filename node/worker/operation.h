/* The open operations of a pod, and when it is looked at next. Loop's thread. */
#ifndef K3X_NODE_WORKER_OPERATION_H
#define K3X_NODE_WORKER_OPERATION_H

#include <stdbool.h>
#include <stdint.h>

struct node;
struct pod;

/* Whom a worker tells; the node's `worker_callbacks`. */
struct worker_callbacks {
	void (*status_changed)(struct pod *p); /* what its status says may be another now */
};

void pod_begin(struct pod *p); /* an operation is open ... */
void pod_end(struct pod *p);   /* ... and closed: asks for a look and ticks */
/* The same of one that the runtime has no part in: what was seen of it last still holds. */
void pod_end_apart(struct pod *p);
void pod_wake(struct pod *p, uint64_t in_ms); /* ticks at the latest then */
void pods_wake_waiting(struct node *n);       /* a place is free: those tick that wait for one */
void pod_status_changed(struct pod *p);       /* tells whoever writes it */

/* Something that brings it up (volumes, the sandbox), or takes it down, failed: it is left alone for a growing pause.
 * True when a log line is due. */
bool pod_bring_up_failed(struct pod *p);
bool pod_take_down_failed(struct pod *p);

#endif
