/* The API server: HTTP front, watch cache and request handling on one loop, above a store engine.
 *
 * It serves kubectl and everybody else over HTTPS, and the rest of the house in-process through api/client/client.h;
 * both take the same path through authentication (or a fixed identity), authorization, admission and the store. */
#ifndef K3X_API_SERVER_SERVER_H
#define K3X_API_SERVER_SERVER_H

#include "api/client/client.h"
#include "base/err.h"
#include "base/rt/loop.h"
#include "store/engine.h"

struct api_server;

struct api_server_options {
	struct loop *loop;                    /* everything runs here */
	struct engine *store;                 /* borrowed, outlives the server */
	const char *bind_address;             /* "0.0.0.0" */
	int port;                             /* 0: the kernel picks */
	const char *cert_file, *key_file;     /* serving certificate, PEM */
	const char *client_ca_file;           /* vouches for client certificates */
	const char *service_account_key_file; /* EC private key: signs and verifies service account tokens */
	const char *service_account_issuer;   /* "https://kubernetes.default.svc.cluster.local" */
	const char *server_ca_file;           /* given to pods as kube-root-ca.crt */
	const char *service_cidr;             /* "10.43.0.0/16" */
	int node_port_min, node_port_max;     /* 30000, 32767 */
	const char *advertise_address;        /* goes into the endpoints of the `kubernetes` service */
	const char *kubelet_ca_file, *kubelet_cert_file, *kubelet_key_file; /* identity towards kubelets: logs, exec */
	unsigned compact_interval_s; /* history is kept this long to twice as long; 0: five minutes */
};

/* Starts loading the cache and listening; `ready` runs on the loop once requests are answered, or with why not. The
 * options' strings are copied. Loop's thread. */
int api_server_new(const struct api_server_options *options, void (*ready)(void *arg, const struct err *err), void *arg,
        struct api_server **ret, struct err *err);

int api_server_port(const struct api_server *s);

/* A client without sockets that acts as `user` in `groups` (comma-separated; "system:masters" may do everything). It
 * belongs to `loop`, which may be any loop; messages go between it and the server's loop. Any thread. */
struct client *api_server_client(struct api_server *s, struct loop *loop, const char *user, const char *groups);

/* Reads certificate and key again. Loop's thread. */
int api_server_reload_tls(struct api_server *s, struct err *err);

/* Drains connections for at most timeout_ms, then closes the rest, and frees. All clients must be closed. Loop's
 * thread. */
void api_server_close(struct api_server *s, unsigned timeout_ms, void (*closed)(void *arg), void *arg);

#endif
