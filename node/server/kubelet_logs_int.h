/* /containerLogs/NS/POD/CONTAINER?...: answers the exchange. */
#ifndef K3X_NODE_SERVER_KUBELET_LOGS_INT_H
#define K3X_NODE_SERVER_KUBELET_LOGS_INT_H

#include "base/wire/http.h"

struct node;

void kubelet_logs(struct node *n, struct http_exchange *x, struct slice ns, struct slice pod, struct slice container);

#endif
