/* The pod network between nodes: packets to a pod of another node find their way there.
 *
 * vxlan: an overlay that needs nothing of the network beneath but UDP (port 8472) between nodes; host-gw: plain routes,
 * for nodes on one link. As flannel does it, with its names (link flannel.1, VNI 1, annotations on the node), so that
 * nodes of both find each other. What pods send out of the cluster is masqueraded, by a table of nftables of our own.
 *
 * Routes and the link stay when it is closed, for pods run on; what an earlier run has left is adopted or removed at
 * the start. IPv4. */
#ifndef K3X_NET_FABRIC_FABRIC_H
#define K3X_NET_FABRIC_FABRIC_H

#include "api/client/client.h"

enum fabric_backend { FABRIC_NONE, FABRIC_VXLAN, FABRIC_HOST_GW };

/* False: no name of one. "wireguard-native" is not built. */
bool fabric_backend_parse(const char *text, enum fabric_backend *ret);

struct fabric_options {
	struct client *client; /* borrowed; its loop is the fabric's. It may read nodes */
	struct client *own;    /* on the same loop; it may annotate the own node (a kubelet sees no other one) */
	const char *node_name;
	const char *node_ip;
	const char *iface; /* NULL: the link that has node_ip */
	const char *link;  /* of the overlay: "flannel.1" */
	const char *cluster_cidr;
	enum fabric_backend backend; /* not FABRIC_NONE */
	const char *nft_path;        /* NULL: "nft" on PATH */
};

struct fabric;

/* Never fails: what can't be done yet is tried again, and said in the log. Loop's thread. */
struct fabric *fabric_new(const struct fabric_options *options);
void fabric_close(struct fabric *f, void (*closed)(void *arg), void *arg);

/* What a pod's packet may have: the link's, less the overlay's head. 0: not known. Any thread. */
unsigned fabric_pod_mtu(enum fabric_backend backend, const char *iface, const char *node_ip);

#endif
