/* The Gateway API: which listeners our Gateways have, which HTTPRoutes are attached to them, the routes of the table
 * that follow from it, and what stands in the status of each.
 *
 *     GatewayClass (ours by its controllerName) <- Gateway: listeners -> entry points, certificates
 *     HTTPRoute --parentRefs--> listeners that let it in (kind, namespace, hostname) --> routes of the table
 *
 * Served: HTTPRoute v1's core, and of its extended features methods, parameters, response headers, rewriting of host
 * and path, redirects of port, scheme and path, timeouts. What is not served makes a route not Accepted, with a message
 * that names it. A listener's port says the entry point: 80 or 8000 for HTTP, 443 or 8443 for HTTPS.
 *
 * Pure: what it must know of the cluster it asks; statuses are made of those that are there, so that the time of a
 * condition moves when it changes. https://gateway-api.sigs.k8s.io */
#ifndef K3X_NET_INGRESS_ROUTE_GATEWAYS_H
#define K3X_NET_INGRESS_ROUTE_GATEWAYS_H

#include "net/ingress/route/gateway_input.h"
#include "net/ingress/route/route_table.h"

/* A status that is to be written; all in the arena. */
struct gateway_status {
	const char *plural;        /* "gatewayclasses", "gateways", "httproutes" */
	const struct json *object; /* whose it is */
	struct json *status;       /* all of it */
	struct gateway_status *next;
};

/* Adds the routes; the list of statuses that differ from what is there, NULL when none does. */
struct gateway_status *gateways_add(struct arena *a, struct route_table *t, const struct gateways_input *in);

#endif
