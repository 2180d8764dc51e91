/* Everything that is neither gRPC nor the gateway's: /health, /version, /metrics. See http.c and metrics.c. */
#ifndef K3X_STORE_ETCD_HTTP_INT_H
#define K3X_STORE_ETCD_HTTP_INT_H

struct etcd_service;
struct http_exchange;

void etcd_http(struct etcd_service *s, struct http_exchange *x);
void etcd_metrics(struct etcd_service *s, struct http_exchange *x);

#endif
