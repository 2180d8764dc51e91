/* What the ports of a service should lead to, from the service and its endpoint slices. Pure. */
#ifndef K3X_NET_PROXY_PROXY_BUILD_INT_H
#define K3X_NET_PROXY_PROXY_BUILD_INT_H

#include "base/json/json.h"
#include "net/proxy/proxy_rules_int.h"

struct proxy_service {
	struct slice key;           /* "namespace/name" */
	const struct json *service; /* NULL: there is none, only slices */
	struct json **slices;
	size_t slices_count;
	const char *node_name;    /* whose endpoints are local */
	const char *zone;         /* of this node, for endpoints with hints; "": it has none */
	bool serves[IP_FAMILIES]; /* by enum ip_family: those of the cluster */
};

/* The ports that can be served, in the arena, each once for every family that the service has; how many. */
size_t proxy_build(const struct proxy_service *v, struct arena *a, struct proxy_port **ret);

#endif
