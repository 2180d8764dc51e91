/* The pods' network as CNI configuration. */
#ifndef K3X_NODE_RUNTIME_CNI_H
#define K3X_NODE_RUNTIME_CNI_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"

struct node;

/* The bridge of this node's pods, and the folder of host-local's addresses, in the arena. */
const char *cni_bridge(const struct node *n, struct arena *a);
const char *cni_addresses_dir(const struct node *n, struct arena *a);
#define CNI_NETWORK_NAME "cbr0"

/* Writes the configuration for the node's pod_cidr (takes it away where somebody else writes one) and turns the
 * kernel's switches on. Blocks briefly. ERR_IO. */
int cni_write(struct node *n, struct err *err);

struct cni_network {
	const char *pod_cidr; /* one of each family, with a comma between */
	const char *bridge;
	const char *addresses_dir; /* where host-local keeps what is given out */
	bool masquerades;
	unsigned mtu; /* 0: the plugin's choice */
};
struct strbuf cni_conf_text(const struct cni_network *n);
/* What flannel's own CNI plugin reads from /run/flannel/subnet.env: lines of NAME=VALUE. cluster_cidr: of the pods of
 * all nodes, the families of pod_cidr among them. */
struct strbuf cni_subnet_env(const struct cni_network *n, const char *cluster_cidr);

#endif
