/* The JSON gateway: the same calls as JSON over plain HTTP. See gateway.c. */
#ifndef K3X_STORE_ETCD_SERVE_GATEWAY_H
#define K3X_STORE_ETCD_SERVE_GATEWAY_H

#include "base/wire/http.h"
#include "store/etcd/serve/service.h"

bool etcd_gateway_takes(struct http_exchange *x); /* is it a request for the gateway? */
void etcd_gateway_open(struct etcd_service *s, struct http_exchange *x);
void etcd_gateway_reply(struct http_exchange *x, const ProtobufCMessage *m);
void etcd_gateway_reply_err(struct http_exchange *x, int grpc_status, const char *text);
void etcd_gateway_error_json(struct strbuf *out, int grpc_status, const char *text); /* the last line of a stream */
int etcd_gateway_http_status(int grpc_status);

#endif
