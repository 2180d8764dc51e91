/* The way to a node's kubelet, for the verbs that pass something on to it. */
#ifndef K3X_API_SERVER_VERBS_CONNECT_KUBELET_INT_H
#define K3X_API_SERVER_VERBS_CONNECT_KUBELET_INT_H

#include "api/server/call.h"
#include "base/wire/http_client.h"

struct kubelet {
	struct slice node;
	const char *address;
	int port;
};

/* Where the kubelet of a node is; texts in the call's arena. ERR_NOT_FOUND, or ERR_UNAVAILABLE. */
int kubelet_find(struct call *c, struct slice node, struct kubelet *ret, struct err *err);

/* A client for its port: through the node's tunnel to this server when there is one, else directly. Not for longer than
 * the call. */
struct http_client *kubelet_connect(struct call *c, const struct kubelet *k);

/* What to tell when it can't be reached. */
void kubelet_unreached(const struct call *c, const struct kubelet *k, const struct err *why, struct err *ret);

#endif
