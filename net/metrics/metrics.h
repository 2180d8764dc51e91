/* The metrics server: metrics.k8s.io/v1beta1 for the API server that passes it on, from what kubelets say. One loop. */
#ifndef K3X_NET_METRICS_METRICS_H
#define K3X_NET_METRICS_METRICS_H

#include "api/client/client.h"
#include "base/err.h"

struct metrics_server;
struct tls_context;

struct metrics_options {
	struct loop *loop;
	struct client *client;           /* borrowed; closed after the server */
	struct tls_context *kubelet_tls; /* towards kubelets; a reference is taken */
	const char *token, *token_file;  /* towards kubelets; NULL: without */
	const char *address_types;       /* "InternalIP,ExternalIP,Hostname" */
	const char *bind_address;        /* NULL: all */
	int port;
	unsigned resolution_ms;
	const char *service, *ns; /* of the Service that the APIService names */
};

/* Strings live as long as the server. ERR_*: the port can't be had, no certificate can be made. */
int metrics_server_new(const struct metrics_options *options, struct metrics_server **ret, struct err *err);
void metrics_server_close(struct metrics_server *m, void (*closed)(void *arg), void *arg);
int metrics_server_port(const struct metrics_server *m);

#endif
