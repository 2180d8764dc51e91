/* Static pods: manifests in DATA/agent/pod-manifests, and their mirrors in the API. Loop's thread. */
#ifndef K3X_NODE_PODS_STATIC_POD_H
#define K3X_NODE_PODS_STATIC_POD_H

#include "base/mem/rcbuf.h"
#include "base/mem/str.h"

struct node;
struct static_pods;

struct static_pods *static_pods_new(struct node *n);
/* No scan begins any more; closed(arg) on the loop. static_pods_free() comes when the node's errands have ended. */
void static_pods_close(struct static_pods *s, void (*closed)(void *arg), void *arg);
void static_pods_free(struct static_pods *s);
/* A pod of the API that is the mirror of one of ours: remembers it, or deletes it when it is stale. */
void static_pods_mirror_seen(struct node *n, struct rcbuf *json);
void static_pods_mirror_gone(struct node *n, struct slice ns, struct slice name);

#endif
