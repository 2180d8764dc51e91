/* What can be connected to: a function per kind, called when admission has granted it (connect.c). */
#ifndef K3X_API_SERVER_VERBS_CONNECT_CONNECT_INT_H
#define K3X_API_SERVER_VERBS_CONNECT_CONNECT_INT_H

#include "api/server/call.h"
#include "base/json/json.h"

void pod_log(struct call *c); /* pod_streams.c */
void pod_stream(struct call *c, const struct json *options);
void proxy_to_pod(struct call *c, const struct json *options); /* proxy.c */
void proxy_to_service(struct call *c, const struct json *options);
void proxy_to_node(struct call *c, const struct json *options);

#endif
