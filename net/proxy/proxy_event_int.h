/* Events about services. Loop's thread. */
#ifndef K3X_NET_PROXY_PROXY_EVENT_INT_H
#define K3X_NET_PROXY_PROXY_EVENT_INT_H

#include "api/client/client.h"

/* Tells a Warning about the service "namespace/name"; fire and forget. `uid` and `node` may be empty. */
void proxy_event(struct client *client, struct slice key, struct slice uid, const char *node, const char *reason,
        const char *message);

#endif
