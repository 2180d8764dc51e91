/* Where questions come in: UDP and TCP on one address and port. Each is handed to the chain that is current when it
 * comes.
 *
 * UDP is read and written many packets at a time; answers leave from the address that was asked. TCP is pipelined (RFC
 * 7766): questions of a connection are answered as they are ready. Connections, the questions of each that are under
 * way, and the time that one may say nothing are bounded. Everything on one loop. */
#ifndef K3X_NET_DNS_SERVE_LISTENER_H
#define K3X_NET_DNS_SERVE_LISTENER_H

#include "base/err.h"
#include "base/rt/loop.h"

struct chain;
struct listener;

struct listener_options {
	struct loop *loop;
	const char *address; /* "" : all, of IPv6 and IPv4 */
	int port;            /* 0: the kernel picks one of UDP and the same of TCP */
	int asked_port;      /* as the Corefile has it; 0: port */
	struct chain **chain;
};

/* *o is copied; *o->chain must live until it is closed. ERR_IO names the address. */
int listener_new(const struct listener_options *o, struct listener **ret, struct err *err);
int listener_port(const struct listener *l);
/* Answers under way are dropped; closed(arg) is the last. */
void listener_close(struct listener *l, void (*closed)(void *arg), void *arg);

/* The halves, for listener.c alone. */
struct udp;
struct tcp;
int udp_new(const struct listener_options *o, struct udp **ret, struct err *err);
int udp_port(const struct udp *u);
void udp_close(struct udp *u, void (*closed)(void *arg), void *arg);
int tcp_new(const struct listener_options *o, int port, struct tcp **ret, struct err *err);
void tcp_close(struct tcp *t, void (*closed)(void *arg), void *arg);

#endif
