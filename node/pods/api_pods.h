/* The pods that the API binds to this node: each gets a worker. Loop's thread. */
#ifndef K3X_NODE_PODS_API_PODS_H
#define K3X_NODE_PODS_API_PODS_H

#include "base/mem/str.h"

struct node;
struct pod;

/* Follows the node's pods, and the services that their environment names. */
void api_pods_watch(struct node *n);
/* A pod that runs here and that the API server does not have; NULL while the API's pods are not known. */
struct pod *api_pods_stranger(struct node *n, struct slice uid, struct slice ns, struct slice name);

#endif
