/* What the Gateway API's part of a table is made of: its objects, and what must be known of the rest of the cluster. */
#ifndef K3X_NET_INGRESS_ROUTE_GATEWAY_INPUT_H
#define K3X_NET_INGRESS_ROUTE_GATEWAY_INPUT_H

#include "base/json/json.h"

#define GATEWAY_GROUP "gateway.networking.k8s.io"
#define GATEWAY_VERSION GATEWAY_GROUP "/v1"

enum service_found { SERVICE_ABSENT, SERVICE_EXTERNAL, SERVICE_WITHOUT_PORT, SERVICE_FOUND };

struct json_list {
	const struct json **items;
	size_t count;
};

struct gateways_input {
	const char *controller;                             /* "traefik.io/gateway-controller" */
	struct json_list classes, gateways, routes, grants; /* oldest first */
	const struct json
	        *addresses; /* status.loadBalancer.ingress of the Service by which we are reached; NULL: none */
	/* The namespace's labels; NULL: it has none. */
	const struct json *(*labels)(void *arg, struct slice ns);
	void *labels_arg;
	enum service_found (*service)(void *arg, struct slice ns, struct slice name, int64_t port);
	bool (*has_certificate)(void *arg, struct slice ns, struct slice secret);
	void *arg;
};

#endif
