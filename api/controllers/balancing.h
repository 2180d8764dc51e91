/* Which nodes answer for a service of type LoadBalancer: all that may, but those where an older service has one of its
 * ports. Pure; any thread. */
#ifndef K3X_API_CONTROLLERS_BALANCING_H
#define K3X_API_CONTROLLERS_BALANCING_H

#include "base/ip.h"
#include "base/json/json.h"
#include "base/mem/map.h"

#define BALANCING_LABEL "svccontroller.k3s.cattle.io/enablelb" /* k3s's: once a node has it, only those that have */
#define BALANCING_POOL "svccontroller.k3s.cattle.io/lbpool"    /* of nodes and services: they must be the same */

struct balancing_node {
	struct slice name, labels;
	struct slice internal[IP_FAMILIES], external[IP_FAMILIES]; /* addresses, by enum ip_family; "": none */
	bool may;                                                  /* it is ready and not excluded */
};

/* Of a Node's text. */
void balancing_read_node(struct slice text, struct arena *a, struct balancing_node *ret);

struct balancing {
	const struct balancing_node *nodes;
	size_t n_nodes;
	bool by_label;       /* some node has the label */
	struct map taken;    /* "NODE PROTOCOL PORT" -> the service's key, as text */
	const int *reserved; /* ports that the nodes' own servers listen on; ends with 0 */
};

void balancing_init(struct balancing *b, const struct balancing_node *nodes, size_t n, const int *reserved);
void balancing_release(struct balancing *b);

struct balancing_answer {
	const struct balancing_node **nodes; /* in order of names */
	size_t n;
	const char *conflict; /* who has one of its ports somewhere: "the older service NS/NAME"; NULL: nobody */
	int port;             /* that port */
};

/* The next service, by age; its ports are taken from now on. `local`: nodes that have endpoints of it, by name, when
 * its external traffic policy is Local; NULL: any. All in the arena. */
void balancing_place(struct balancing *b, struct arena *a, struct slice key, const struct json *service,
        const struct map *local, struct balancing_answer *ret);

#endif
