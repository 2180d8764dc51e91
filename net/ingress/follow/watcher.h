/* The cluster as the ingress follows it: Ingresses and their classes make the table, Services and EndpointSlices the
 * endpoints of backends, Secrets certificates and password files. See watcher.c. Loop's thread. */
#ifndef K3X_NET_INGRESS_FOLLOW_WATCHER_H
#define K3X_NET_INGRESS_FOLLOW_WATCHER_H

#include "api/client/client.h"
#include "net/ingress/serve/certificates.h"

struct watcher;

struct watcher_options {
	struct client *client;
	struct loop *loop;
	const char *class_name;         /* of the annotation kubernetes.io/ingress.class: "traefik" */
	const char *controller;         /* of IngressClasses: "traefik.io/ingress-controller" */
	const char *gateway_controller; /* of GatewayClasses: "traefik.io/gateway-controller" */
	const char *published; /* "namespace/name" of the Service whose addresses Ingresses have; NULL: their status is
	                          left alone */
	struct certificates *certificates;
	/* There is a new table; a reference, taken over. */
	void (*made)(void *arg, struct route_table *t);
	void *arg;
};

struct watcher *watcher_new(const struct watcher_options *o);
bool watcher_is_synced(const struct watcher *c);
const struct map *watcher_backends(const struct watcher *c); /* key -> struct backend */
/* The htpasswd file of a Secret "namespace/name" that a route of the table names; SLICE_NULL: it is not there. */
struct slice watcher_auth_file(struct watcher *c, struct slice secret);
/* After the last request; tables made by it are given back by then. closed(arg) is the last. */
void watcher_close(struct watcher *c, void (*closed)(void *arg), void *arg);

#endif
