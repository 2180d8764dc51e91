/* What a kubelet may ask tokens for. API loop. */
#ifndef K3X_API_SERVER_ADMISSION_NODE_RESTRICTION_H
#define K3X_API_SERVER_ADMISSION_NODE_RESTRICTION_H

#include "api/server/call.h"

/* A server's own kubelet, which is a part of it, is in this group too: it may say of its node that it is of the control
 * plane. */
#define SERVER_NODES_GROUP "k3x:server-nodes"

/* serviceaccounts/NAME/token: a node gets tokens that are bound to a pod of its own, and no others. 0 for who is no
 * node; ERR_FORBIDDEN. */
int node_restriction_token(struct call *c, const struct json *spec, struct err *err);

#endif
