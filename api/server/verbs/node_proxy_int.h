/* nodes/NAME/proxy. */
#ifndef K3X_API_SERVER_VERBS_NODE_PROXY_INT_H
#define K3X_API_SERVER_VERBS_NODE_PROXY_INT_H

#include "api/server/call.h"

void node_proxy(struct call *c); /* the cache is fresh */

#endif
