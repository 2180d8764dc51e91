/* The cluster's HTTP router (traefik's role): two entry points, one without TLS and one with, routes by the cluster's
 * Ingresses to the endpoints of its Services. `k3x ingress` is this and a command line. Everything on one loop, but
 * passwords. */
#ifndef K3X_NET_INGRESS_INGRESS_H
#define K3X_NET_INGRESS_INGRESS_H

#include "api/client/client.h"
#include "base/err.h"

struct ingress;

struct ingress_options {
	struct loop *loop;
	struct client *client;
	const char *address;                 /* of all listeners; NULL: all addresses */
	int64_t web_port, websecure_port;    /* entry points; 0: the kernel picks */
	int64_t admin_port, metrics_port;    /* /ping and /metrics, each on both; 0: none */
	const char *certificate, *key;       /* files of the default certificate; NULL: one is made */
	const char *class_name, *controller; /* which Ingresses are ours (follow/watcher.h) */
	const char *gateway_controller;      /* which GatewayClasses are */
	const char *published;               /* "namespace/name" of our Service; NULL: status is left alone */
	const char *trusted;                 /* networks whose X-Forwarded-* are believed, commas between; NULL: none */
	bool has_access_log;
};

/* Listens; requests before the cluster is known are answered with 503. *o is copied, its texts must live as long. The
 * client remains the caller's. */
int ingress_new(const struct ingress_options *o, struct ingress **ret, struct err *err);
int ingress_port(const struct ingress *i, bool is_tls);
/* Says it is not ready, serves on for lame_ms, then lets requests end for drain_ms at most; closed(arg) is the last. */
void ingress_close(struct ingress *i, unsigned lame_ms, unsigned drain_ms, void (*closed)(void *arg), void *arg);

#endif
