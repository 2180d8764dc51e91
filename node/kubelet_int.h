/* What the files of the kubelet's HTTPS server share. */
#ifndef K3X_NODE_KUBELET_INT_H
#define K3X_NODE_KUBELET_INT_H

#include "base/wire/http.h"
#include "node/pod.h"

/* /containerLogs/NS/POD/CONTAINER?...: answers the exchange. */
void kubelet_logs(struct node *n, struct http_exchange *x, struct slice ns, struct slice pod, struct slice container);
/* /exec and /attach (what: "exec", "attach"), /portForward. */
void kubelet_exec(struct node *n, struct http_exchange *x, const char *what, struct slice ns, struct slice pod,
        struct slice container);
void kubelet_port_forward(struct node *n, struct http_exchange *x, struct slice ns, struct slice pod);

void kubelet_answer_err(struct http_exchange *x, const struct err *err);
/* The value of a query parameter, SLICE_NULL when absent; in the exchange's arena. */
struct slice kubelet_param(struct http_exchange *x, const char *name);
bool kubelet_flag(struct http_exchange *x, const char *name); /* "1" or "true" */

#endif
