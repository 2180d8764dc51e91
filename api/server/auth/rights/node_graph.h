/* What the pods of a node refer to: secrets, config maps, claims, volumes, service accounts. Follows the watch cache.
 * API loop. */
#ifndef K3X_API_SERVER_AUTH_RIGHTS_NODE_GRAPH_H
#define K3X_API_SERVER_AUTH_RIGHTS_NODE_GRAPH_H

#include "api/server/cache/cache.h"
#include "base/json/json.h"

struct node_graph;

enum node_ref { NODE_REF_POD, NODE_REF_SECRET, NODE_REF_CONFIG_MAP, NODE_REF_CLAIM, NODE_REF_ACCOUNT };

struct node_graph *node_graph_new(struct cache *c);
/* Before the cache closes. NULL is allowed. */
void node_graph_free(struct node_graph *g);

/* Does a pod of the node refer to it, itself or through a volume? */
bool node_graph_uses(struct node_graph *g, struct slice node, enum node_ref kind, struct slice ns, struct slice name);
/* Is the PersistentVolume bound to a claim that a pod of the node uses? */
bool node_graph_uses_volume(struct node_graph *g, struct slice node, struct slice name);
/* Is the VolumeAttachment one of the node? */
bool node_graph_has_attachment(struct node_graph *g, struct slice node, struct slice name);

/* Calls fn with everything that a pod's spec refers to. Pure. */
void node_graph_each_ref(
        const struct json *pod, void (*fn)(void *arg, enum node_ref kind, struct slice name), void *arg);

#endif
