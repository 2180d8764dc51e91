/* The kinds of pod networks, and what they make of a packet. Any thread. */
#ifndef K3X_NET_FABRIC_BACKEND_H
#define K3X_NET_FABRIC_BACKEND_H

#include "base/ip.h"

enum fabric_backend { FABRIC_NONE, FABRIC_VXLAN, FABRIC_HOST_GW, FABRIC_WIREGUARD, FABRIC_BACKENDS_END };

/* What --flannel-backend takes. */
#define FABRIC_BACKENDS "vxlan, host-gw, wireguard-native or none"
/* False: no name of one. */
bool fabric_backend_parse(const char *text, enum fabric_backend *ret);

/* What a pod's packet may have: the link's, less the overlay's head, in whichever family that is less. 0: not known.
 * given: what is to be taken for the link's; 0: what it has. node_ip_other: NULL when there is none. */
unsigned fabric_pod_mtu(
        enum fabric_backend backend, unsigned given, const char *iface, const char *node_ip, const char *node_ip_other);
/* The same on a link of this index. */
unsigned fabric_mtu_on(enum fabric_backend backend, unsigned given, enum ip_family f, int beneath);
/* Index of the link to other nodes; 0: there is none. iface: NULL: the one that has the address. */
int fabric_link_beneath(const char *iface, const struct ip *node_ip);

#endif
