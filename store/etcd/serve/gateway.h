/* The JSON gateway: the same calls as JSON over plain HTTP. See gateway.c. */
#ifndef K3X_STORE_ETCD_SERVE_GATEWAY_H
#define K3X_STORE_ETCD_SERVE_GATEWAY_H

#include "base/wire/http.h"
#include "store/etcd/serve/service.h"

bool etcd_gateway_takes(struct http_exchange *x); /* is it a request for the gateway? */
void etcd_gateway_open(struct etcd_service *s, struct http_exchange *x);
#endif
