/* UDP flows that the kernel's connection tracking remembers, and how they are forgotten (nfnetlink_conntrack), of both
 * families. Blocking: milliseconds, tens of them with a hundred thousand flows. Any thread. */
#ifndef K3X_NET_PROXY_CONNTRACK_H
#define K3X_NET_PROXY_CONNTRACK_H

#include "base/err.h"
#include "base/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conntrack_flow {
	struct ip to; /* as the client sent it */
	uint16_t port;
	struct ip by; /* who answers */
	uint16_t by_port;
};

/* Forgets every UDP flow of which is_stale says so; how many they were. Needs CAP_NET_ADMIN. */
int conntrack_forget_udp(
        bool (*is_stale)(void *arg, const struct conntrack_flow *f), void *arg, size_t *ret_count, struct err *err);

#endif
