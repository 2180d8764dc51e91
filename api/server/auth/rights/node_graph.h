/* What the pods of a node refer to: secrets, config maps, claims, volumes, service accounts. Follows the watch cache.
 * API loop. */
#ifndef K3X_API_SERVER_AUTH_RIGHTS_NODE_GRAPH_H
#define K3X_API_SERVER_AUTH_RIGHTS_NODE_GRAPH_H

#include "api/machinery/rules/pod/pod_refs.h"
#include "api/server/cache/cache.h"
#include "base/json/json.h"

struct node_graph;

struct node_graph *node_graph_new(struct cache *c);
/* Before the cache closes. NULL is allowed. */
void node_graph_free(struct node_graph *g);

/* Does a pod of the node refer to it, itself or through a volume? */
bool node_graph_uses(struct node_graph *g, struct slice node, enum pod_ref kind, struct slice ns, struct slice name);
/* Is the PersistentVolume bound to a claim that a pod of the node uses? */
bool node_graph_uses_volume(struct node_graph *g, struct slice node, struct slice name);
/* Is the VolumeAttachment one of the node? */
bool node_graph_has_attachment(struct node_graph *g, struct slice node, struct slice name);

#endif
