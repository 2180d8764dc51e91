/* Who may use the kubelet's API. */
#ifndef K3X_NODE_SERVER_AUTHORIZE_INT_H
#define K3X_NODE_SERVER_AUTHORIZE_INT_H

#include "api/client/access.h"
#include "base/wire/http.h"

struct node;

/* Calls then(n, x), now or later, or answers 401, 403 or why it could not be asked. */
void kubelet_authorize(struct node *n, struct access *access, struct http_exchange *x,
        void (*then)(struct node *n, struct http_exchange *x));

/* What of the node a path is about, as upstream's authorizer sees it: "stats", "metrics", "log", "proxy" (pure). */
const char *kubelet_subresource(struct slice path);

#endif
