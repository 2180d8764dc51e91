/* The pod worker: brings what a pod should be and what the runtime has of it together. Loop's thread. */
#ifndef K3X_NODE_WORKER_POD_WORKER_H
#define K3X_NODE_WORKER_POD_WORKER_H

#include "base/mem/rcbuf.h"
#include "base/mem/str.h"

struct container;
struct node;
struct pod;

/* Makes a worker and puts it into the node's map. The pod is in the API until pod_set_vanished(). */
struct pod *pod_new(struct node *n, struct slice uid, struct slice ns, struct slice name);
void pod_set_object(struct pod *p, struct rcbuf *json); /* takes its own reference */
void pod_set_ended(struct pod *p);                      /* before its first object: it ended before we came */
void pod_set_vanished(struct pod *p);                   /* the API server has it no more */
/* Ends it for what it took of the node, which `message` (copied) says: Failed, "Evicted", within grace_s (1 or more) or
 * what it asked for, if that is less. Nothing when it ends already. */
void pod_evict(struct pod *p, const char *message, int64_t grace_s);
/* The same for another reason of the node's (static), without an event. */
void pod_terminate(struct pod *p, const char *reason, const char *message, int64_t grace_s);
/* Its volumes wait for something that may be there now: they are tried at once. */
void pod_volumes_may_go_on(struct pod *p);
void pod_images_came(struct pod *p);          /* to the node, not by a pull: who waits for one looks again at once */
void pod_tick(struct pod *p);                 /* looks at what is to be done next; cheap when nothing is */
void pod_looked(struct pod *p, bool changed); /* the view has looked */
void pod_container_gone(struct container *c); /* the view drops the record */
void pod_free(struct pod *p);

/* The container was made of the spec as it is now: of its name and image. Node's loop. */
bool pod_container_is_current(const struct pod *p, const struct container *c);

#endif
