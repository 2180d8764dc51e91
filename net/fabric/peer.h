/* What the fabric has to know of a node, read from its object. Pure; any thread. */
#ifndef K3X_NET_FABRIC_PEER_H
#define K3X_NET_FABRIC_PEER_H

#include "base/ip.h"
#include "net/fabric/backend.h"
#include "net/fabric/wireguard/key.h"

/* Annotations as flannel keeps them, so that nodes of both understand each other. */
#define FABRIC_ANNOTATION "flannel.alpha.coreos.com/"

/* A node in one of the two families. */
struct peer_end {
	struct ip host;           /* where the node is */
	struct ip overwrite;      /* where somebody says that it is to be, instead; of interest to itself alone */
	struct ip_net pods;       /* its pods' network */
	unsigned char mac[6];     /* of its end of VXLAN */
	struct wireguard_key key; /* of its end of WireGuard, the public one */
	bool has_pods, has_host, has_overwrite, has_mac, has_key;
};

struct peer {
	struct peer_end ends[IP_FAMILIES]; /* by enum ip_family */
	enum fabric_backend backend;       /* as it says; FABRIC_NONE: nothing that we know */
};

/* Of a node's JSON text. What is absent or does not read is not there. */
struct peer peer_read(struct slice node);
bool peer_end_equal(const struct peer_end *a, const struct peer_end *b);
/* Both have the same hardware address, or the same key: one of them takes what is the other's. */
bool peer_end_is_same(const struct peer_end *a, const struct peer_end *b);

/* "10.42.1.0/24", "fd00:42:0:1::/64": a network of pods; not all there is. */
bool peer_parse_network(struct slice text, struct ip_net *ret);
/* "aa:bb:cc:dd:ee:ff", of one host. */
bool peer_parse_mac(struct slice text, unsigned char ret[6]);

#endif
