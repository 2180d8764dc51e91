/* Tunnels: the connections by which this server reaches kubelets that it may not be able to dial.
 *
 *     GET /v1-k3x/connect, Upgrade: k3x-tunnel     from a node, by its certificate
 *
 * after which the server opens streams (base/wire/mux.h), each of which the node carries to its own kubelet's port and
 * nowhere else: a stream says no address. All on the API loop. */
#ifndef K3X_API_SERVER_TUNNEL_TUNNEL_H
#define K3X_API_SERVER_TUNNEL_TUNNEL_H

#include "api/server/call.h"
#include "base/wire/conn.h"

#define TUNNEL_PATH "/v1-k3x/connect"
#define TUNNEL_PROTOCOL "k3x-tunnel"

struct tunnels;

struct tunnels *tunnels_new(struct loop *loop);
/* Ends them all; closed(arg) when nothing is left of them, maybe from inside. */
void tunnels_close(struct tunnels *t, void (*closed)(void *arg), void *arg);
void tunnels_free(struct tunnels *t); /* after closing, or when none ever came; NULL is allowed */

/* Answers the request, which is authorized: makes a tunnel of its connection, or says why not. */
void tunnel_accept(struct tunnels *t, struct call *c);

bool tunnel_is_open(const struct tunnels *t, struct slice node);

/* A way to the kubelet of a node, as http_client_options.dial wants it; arg is a struct tunnel_way, which stays as long
 * as the client. */
struct tunnel_way {
	struct tunnels *tunnels;
	struct slice node;
};
struct conn *tunnel_dial(void *arg, const struct conn_connect_options *options, const struct conn_callbacks *callbacks,
        void *callbacks_arg);

#endif
