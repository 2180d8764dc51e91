/* The pod network between nodes: packets to a pod of another node find their way there.
 *
 * vxlan: an overlay that needs nothing of the network beneath but UDP (port 8472) between nodes; host-gw: plain routes,
 * for nodes on one link; wireguard: an encrypted overlay (UDP 51820, and 51821 of IPv6), by the kernel or by
 * wireguard-go. As flannel does it, with its names (links flannel.1 and flannel-wg, VNI 1, annotations on the node), so
 * that nodes of both find each other. With dual stack each family has an overlay and routes of its own (flannel-v6.1,
 * flannel-wg-v6). What pods send out of the cluster is masqueraded, by tables of nftables of our own; of IPv6 when that
 * is wanted.
 *
 * Routes and the link stay when it is closed, for pods run on; what an earlier run has left is adopted or removed at
 * the start. */
#ifndef K3X_NET_FABRIC_FABRIC_H
#define K3X_NET_FABRIC_FABRIC_H

#include "api/client/client.h"
#include "net/fabric/conf.h"
#include "net/fabric/wireguard/key.h"

/* What WireGuard takes beside the others. */
struct fabric_wireguard_options {
	struct wireguard_keys keys;
	const char *pid_files[2]; /* of wireguard-go, where it is the one that does it: of IPv4's device, of IPv6's */
	const char *log_file;     /* of both */
};

struct fabric_options {
	struct client *client; /* borrowed; its loop is the fabric's. It may read nodes */
	struct client *own;    /* on the same loop; it may annotate the own node (a kubelet sees no other one) */
	const char *node_name;
	const char *node_ip, *node_ip_other; /* one of each family of the cluster; NULL: it has one */
	const char *external_ip;      /* where the others reach it, "ADDRESS[,ADDRESS]" of families; NULL: there, too */
	const char *iface;            /* NULL: the link that has the address */
	const char *vxlan, *vxlan_v6; /* links of overlays: "flannel.1", "flannel-v6.1"; 15 bytes at most */
	const char *wireguard, *wireguard_v6;             /* "flannel-wg", "flannel-wg-v6" */
	const struct fabric_wireguard_options *with_keys; /* of FABRIC_WIREGUARD */
	const char *cluster_cidr;                         /* "10.42.0.0/16,fd00:42::/56" */
	bool masquerades_v6;
	enum fabric_backend backend;    /* not FABRIC_NONE */
	const struct fabric_conf *conf; /* NULL: fabric_conf_default */
	const char *nft_path;           /* NULL: "nft" on PATH */
};

struct fabric;

/* Never fails: what can't be done yet is tried again, and said in the log. Loop's thread. */
struct fabric *fabric_new(const struct fabric_options *options);
void fabric_close(struct fabric *f, void (*closed)(void *arg), void *arg);

#endif
