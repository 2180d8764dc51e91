/* Everything that is neither gRPC nor the gateway's: /health, /version, /metrics. See http.c and metrics.c. */
#ifndef K3X_STORE_ETCD_HTTP_INT_H
#define K3X_STORE_ETCD_HTTP_INT_H

#include <stdbool.h>

struct etcd_service;
struct http_exchange;

/* with_all: every path; with_probes: /metrics and the probes at least. */
void etcd_http(struct etcd_service *s, struct http_exchange *x, bool with_all, bool with_probes);
void etcd_metrics(struct etcd_service *s, struct http_exchange *x);
void etcd_vars(struct etcd_service *s, struct http_exchange *x); /* /debug/vars */

#endif
