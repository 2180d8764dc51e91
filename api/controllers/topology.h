/* For which zone each endpoint of a service is meant (service.kubernetes.io/topology-mode: Auto): as many for a zone as
 * it has of the CPUs. Pure; any thread. Upstream: staging/src/k8s.io/endpointslice/topologycache. */
#ifndef K3X_API_CONTROLLERS_TOPOLOGY_H
#define K3X_API_CONTROLLERS_TOPOLOGY_H

#include "base/json/json.h"
#include "base/mem/arena.h"

#define TOPOLOGY_MODE "service.kubernetes.io/topology-mode"
#define TOPOLOGY_MODE_OLD "service.kubernetes.io/topology-aware-hints"
#define TOPOLOGY_ZONE "topology.kubernetes.io/zone"

struct topology_zone {
	struct slice name;
	double cpus;
	/* Of the endpoints that are shared out. */
	size_t minimum, hinted;
	double desired;
};

/* The zones of nodes that are ready, but for control planes; sorted by name. */
struct topology {
	struct topology_zone *zones;
	size_t count, cap;
	bool lacks_facts; /* some node says no zone, or no CPU */
};

void topology_add_node(struct topology *t, struct arena *a, const struct json *node);

/* An endpoint that is ready. */
struct topology_endpoint {
	struct slice zone; /* where it lies; "": nobody knows */
	struct slice hint; /* what is to be found: for which zone it is meant */
};

/* Fills in all hints. NULL: they are given; else why there are none, in the arena. */
const char *topology_share(struct topology *t, struct arena *a, struct topology_endpoint *list, size_t n);

/* The service asks for it; "Auto" and "auto". */
bool topology_is_wanted(const struct json *service);

#endif
