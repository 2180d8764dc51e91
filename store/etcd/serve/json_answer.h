/* Answers of the JSON gateway. See json_answer.c. */
#ifndef K3X_STORE_ETCD_SERVE_JSON_ANSWER_H
#define K3X_STORE_ETCD_SERVE_JSON_ANSWER_H

#include "base/wire/http.h"

#include <protobuf-c/protobuf-c.h>

void etcd_gateway_reply(struct http_exchange *x, const ProtobufCMessage *m);
void etcd_gateway_reply_err(struct http_exchange *x, int grpc_status, const char *text);
void etcd_gateway_error_json(struct strbuf *out, int grpc_status, const char *text); /* the last line of a stream */
int etcd_gateway_http_status(int grpc_status);

#endif
