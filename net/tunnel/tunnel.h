/* A tunnel to one server, opened again whenever it has ended. What the server sends through it reaches the kubelet's
 * port on this machine, and nothing else. Loop's thread. */
#ifndef K3X_NET_TUNNEL_TUNNEL_H
#define K3X_NET_TUNNEL_TUNNEL_H

#include "base/rt/loop.h"

struct tls_context;
struct tunnel;

struct tunnel_options {
	struct loop *loop;
	const char *host; /* of the server; copied */
	int port;
	struct tls_context *tls; /* the node's identity; borrowed */
	int kubelet_port;        /* on 127.0.0.1 */
};

struct tunnel *tunnel_new(const struct tunnel_options *options);
bool tunnel_is_up(const struct tunnel *t);
void tunnel_close(struct tunnel *t, void (*closed)(void *arg), void *arg);

#endif
