/* /exec and /attach (what: "exec", "attach"), /portForward: answer the exchange. */
#ifndef K3X_NODE_SERVER_KUBELET_EXEC_INT_H
#define K3X_NODE_SERVER_KUBELET_EXEC_INT_H

#include "base/wire/http.h"

struct node;

void kubelet_exec(struct node *n, struct http_exchange *x, const char *what, struct slice ns, struct slice pod,
        struct slice container);
void kubelet_port_forward(struct node *n, struct http_exchange *x, struct slice ns, struct slice pod);

#endif
