/* A balancer on loopback between whoever on an agent's machine wants the API and the servers of the cluster.
 *
 * It carries bytes and looks into none: TLS is between client and server. A connection goes to a server that is ready,
 * has few of them, and answers; the client notices nothing of those that did not. Connections to a server that died,
 * fell silent or can't serve are ended when another can, so that clients make new ones. The list of servers is kept in
 * a file across restarts. One loop. */
#ifndef K3X_NET_BALANCER_BALANCER_H
#define K3X_NET_BALANCER_BALANCER_H

#include "base/err.h"
#include "base/rt/loop.h"

#include <stddef.h>

struct balancer;
struct tls_context;

struct balancer_options {
	struct loop *loop;
	const char *address;        /* "127.0.0.1" */
	int port;                   /* 0: the kernel picks */
	const char *fallback;       /* "host:port" of --server; copied */
	const char *file;           /* where the list is kept; copied */
	struct tls_context *tls;    /* trusts the cluster's CA; to ask servers how they are. Borrowed */
	void (*changed)(void *arg); /* the list is another; from the loop. May be NULL */
	void *arg;
};

/* Listens, and begins with what the file has. ERR_INVAL: the fallback is no address; or why it can't listen. */
int balancer_new(const struct balancer_options *options, struct balancer **ret, struct err *err);
int balancer_port(const struct balancer *b);

/* What the cluster says its servers are: "host:port" each. An empty list is not believed. */
void balancer_set_servers(struct balancer *b, const char *const *addresses, size_t n);
/* Those that it knows, the last resort included; valid until the list changes. Returns how many. */
size_t balancer_servers(const struct balancer *b, const char **ret, size_t max);

size_t balancer_connections(const struct balancer *b);

void balancer_close(struct balancer *b, void (*closed)(void *arg), void *arg);

#endif
