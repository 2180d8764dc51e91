/* What the fabric has to know of a node, read from its object. Pure; any thread. */
#ifndef K3X_NET_FABRIC_PEER_H
#define K3X_NET_FABRIC_PEER_H

#include "base/mem/str.h"

#include <netinet/in.h>
#include <stdbool.h>

/* Annotations as flannel keeps them, so that nodes of both understand each other. */
#define FABRIC_ANNOTATION "flannel.alpha.coreos.com/"

struct peer {
	struct in_addr host; /* where the node is */
	struct in_addr pods; /* its pods' network */
	int prefix;
	unsigned char mac[6]; /* of its end of the overlay */
	bool has_pods, has_host, has_mac;
	bool is_host_gw; /* it says so */
};

/* Of a node's JSON text. What is absent or does not read is not there. */
struct peer peer_read(struct slice node);
bool peer_equal(const struct peer *a, const struct peer *b);

/* One contains the other. */
bool peer_networks_overlap(struct in_addr a, int a_prefix, struct in_addr b, int b_prefix);

/* "10.42.1.0/24": a network of IPv4. */
bool peer_parse_network(struct slice text, struct in_addr *ret, int *ret_prefix);
/* "aa:bb:cc:dd:ee:ff", of one host. */
bool peer_parse_mac(struct slice text, unsigned char ret[6]);

#endif
