/* What the pod network of one family is made of, for who does it (family.c) and for the ways that it is done. */
#ifndef K3X_NET_FABRIC_FAMILY_STATE_INT_H
#define K3X_NET_FABRIC_FAMILY_STATE_INT_H

#include "base/mem/map.h"
#include "net/fabric/conf.h"
#include "net/fabric/netlink.h"
#include "net/fabric/peer.h"

struct wireguard_tunnel;

/* Names of links, by the way that makes them. */
enum { FABRIC_LINK_NAME_MAX = 16 };
struct fabric_links {
	char vxlan[FABRIC_LINK_NAME_MAX], wireguard[FABRIC_LINK_NAME_MAX];
};

/* A node as it is in the kernel. */
struct fabric_programmed {
	struct peer_end peer;
	char name[]; /* its key in the map */
};

enum { FABRIC_NETWORKS_MAX = 8 };

struct fabric_family {
	enum ip_family family;
	enum fabric_backend backend;
	const char *iface; /* NULL: the link that has the node's address */
	struct fabric_conf conf;
	struct fabric_links links;
	struct ip host;     /* where this node is */
	struct ip external; /* where the others reach it: `host`, unless it is behind an address translation */
	struct ip public;   /* what it says of that: `external`, or what an administrator wrote on its node */
	struct ip_net cluster;
	struct netlink *netlink;                          /* borrowed */
	struct wireguard_tunnel *tunnel;                  /* borrowed; NULL: it is not done this way */
	struct wireguard_key public_key;                  /* of the tunnel */
	void (*failed)(void *arg, const struct err *err); /* of what could not be done, and has to be tried again */
	void *arg;
	/* What is so. */
	struct map peers;                          /* of struct fabric_programmed, by name */
	int beneath;                               /* the link to other nodes */
	struct ip_net around[FABRIC_NETWORKS_MAX]; /* what is on that link, where it matters */
	size_t around_count;
	int link;             /* routes go through it; 0: not there yet */
	struct peer_end self; /* its network; and once the link is there, its end of it */
	bool is_clean;
};

/* The end of the node in a slot of `peers`. */
static inline const struct peer_end *family_peer_end(const struct map_slot *slot)
{
	const struct fabric_programmed *x = slot->value;
	return &x->peer;
}

/* Whose network of pods begins with this address; NULL: nobody's. */
const struct peer_end *family_peer_of(const struct fabric_family *f, const struct ip *pods);

#endif
