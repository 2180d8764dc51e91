/* A slow, unruly link: a relay in user space between a node and the bridge, for kernels without netem.
 *
 * While it runs, the node's veth leaves the bridge and a tap device takes its place. A thread carries frames between
 * the two and delays, reorders or duplicates those that go from server to server; what clients send and what is not
 * IPv4 passes at once. Addresses stay, so connections live through the change both ways. */
#ifndef K3X_JEPSEN_LINK_H
#define K3X_JEPSEN_LINK_H

#include "base/err.h"

#include <stdint.h>

struct link;

struct link_settings {
	unsigned delay_ms, jitter_ms; /* each packet: delay to delay + jitter, in order as it came */
	unsigned reorder_percent;     /* packets that overtake: they pass without delay */
	unsigned duplicate_percent;
	uint64_t seed;
};

int link_open(unsigned node, const struct link_settings *settings, struct link **ret, struct err *err);
/* Puts the veth back. */
int link_close(struct link *l, struct err *err);

#endif
