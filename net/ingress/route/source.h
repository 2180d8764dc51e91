/* Addresses of clients, and the networks that they are in. No state, any thread. */
#ifndef K3X_NET_INGRESS_ROUTE_SOURCE_H
#define K3X_NET_INGRESS_ROUTE_SOURCE_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"

struct source_net {
	unsigned char address[16]; /* IPv4 as ::ffff:a.b.c.d */
	unsigned bits;
};

struct source_nets {
	struct source_net *items;
	size_t count;
};

/* "10.0.0.0/8, 2001:db8::/32, 192.0.2.1" into the arena. ERR_INVAL names the one that is none. */
int source_nets_parse(struct arena *a, struct slice list, struct source_nets *ret, struct err *err);
bool source_nets_have(const struct source_nets *nets, const unsigned char address[16]);

/* "10.0.0.7:41234", "[::1]:80" or an address alone. False: it is none; the address is all zero then. */
bool source_parse(struct slice text, unsigned char ret[16]);
/* The address alone of such a text, without port and brackets. */
struct slice source_host(struct slice text);

#endif
