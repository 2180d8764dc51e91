/* The settings of a pod network beside its kind: what flannel's file net-conf.json says of one node's end
 * (https://github.com/flannel-io/flannel, Documentation/configuration.md and backends.md). Any thread. */
#ifndef K3X_NET_FABRIC_CONF_H
#define K3X_NET_FABRIC_CONF_H

#include "base/err.h"
#include "net/fabric/backend.h"

struct fabric_conf {
	uint32_t vni;                          /* of VXLAN, as all of these must be the same on all nodes, */
	uint16_t vxlan_port;                   /* and its UDP port */
	bool is_direct;                        /* VXLAN between nodes on one link: plain routes instead */
	uint16_t wireguard_ports[IP_FAMILIES]; /* UDP, by enum ip_family */
	uint16_t keepalive_s;                  /* of WireGuard; 0: none */
	uint32_t mtu;                          /* of what leaves the node; 0: that of the link */
};

/* What holds where nothing is said: VNI 1, UDP ports 8472, 51820 and 51821, 25 s, as k3s has it. */
extern const struct fabric_conf fabric_conf_default;

/* Reads the file's text: Network and IPv6Network must be the cluster's (cluster_cidr: "10.42.0.0/16,fd00:42::/56"), and
 * Backend's Type, where it is said, goes to *backend. ERR_INVAL names the member: one that is odd, or that does nothing
 * here. */
int fabric_conf_parse(struct slice text, const char *cluster_cidr, enum fabric_backend *backend,
        struct fabric_conf *ret, struct err *err);

#endif
