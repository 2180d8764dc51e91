/* The Gateway API as the ingress follows it: once its kinds are there, GatewayClasses, Gateways, HTTPRoutes and
 * ReferenceGrants, and the labels of namespaces. Their routes come into each table that is made, and what became of
 * them into their statuses. Loop's thread. */
#ifndef K3X_NET_INGRESS_FOLLOW_GATEWAY_WATCHER_H
#define K3X_NET_INGRESS_FOLLOW_GATEWAY_WATCHER_H

#include "api/client/client.h"
#include "net/ingress/route/gateways.h"

struct gateway_watcher;

struct gateway_watcher_options {
	struct client *client;
	const char *controller;     /* of GatewayClasses: "traefik.io/gateway-controller" */
	void (*changed)(void *arg); /* a table is to be made */
	/* See gateways.h. */
	enum service_found (*service)(void *arg, struct slice ns, struct slice name, int64_t port);
	bool (*has_certificate)(void *arg, struct slice ns, struct slice secret);
	void *arg;
};

struct gateway_watcher *gateway_watcher_new(const struct gateway_watcher_options *o); /* copied */
/* addresses: status.loadBalancer.ingress of the Service by which we are reached; NULL: none. */
void gateway_watcher_add(struct gateway_watcher *g, struct route_table *t, const struct json *addresses);
/* Are there Gateways at all? What else changes does not concern it before. */
bool gateway_watcher_is_in_use(const struct gateway_watcher *g);
void gateway_watcher_close(struct gateway_watcher *g, void (*closed)(void *arg), void *arg);

#endif
