/* The bridge of this node's pods, beside what the bridge plugin does. */
#ifndef K3X_NODE_RUNTIME_BRIDGE_H
#define K3X_NODE_RUNTIME_BRIDGE_H

#include "base/ip.h"

/* Is this an address that the bridge may have, pods being of `cidrs` ("10.42.0.0/24,fd00:42::/64")? Pure. */
bool bridge_may_have(const struct ip *ip, const char *cidrs);

/* Takes away its IPv6 addresses that are of no range of the node's, of a network that it had before: for IPv4 the
 * plugin does so (forceAddress). Such a one would be taken for another node's pods. Told in the log when it cannot be
 * done. Any thread. */
void bridge_drop_strange_addresses(const char *bridge, const char *cidrs);

#endif
