/* The network: a bridge in the harness's namespace, and per node a namespace with one link to it.
 *
 *     harness, clients: 10.77.0.1 on br0 ---- v0 ==== eth0 10.77.0.10, node 0
 *                                        ---- v1 ==== eth0 10.77.0.11, node 1 ...
 *
 * What is dropped is decided by nftables in the namespace that receives: a table of who hears whom, and a share of lost
 * packets per node. Clients always reach every node, so that what a cut-off server answers is seen, too. Delay, reorder
 * and duplicates are made by link.h. */
#ifndef K3X_JEPSEN_NET_H
#define K3X_JEPSEN_NET_H

#include "base/err.h"

#include <stdbool.h>

enum { NODES_MAX = 7 };

struct net_node {
	int ns_fd; /* the namespace lives as long as this is open */
	char address[24];
	bool deaf_to[NODES_MAX]; /* packets from there are dropped */
	unsigned loss_percent;   /* of what comes from other nodes */
};

struct net {
	struct net_node nodes[NODES_MAX];
	unsigned count;
};

int net_open(struct net *n, unsigned nodes, struct err *err);
void net_close(struct net *n);

/* Makes what deaf_to and loss_percent say so; established connections are cut as well. */
int net_apply(struct net *n, struct err *err);
/* Forgets all rules. */
int net_heal(struct net *n, struct err *err);

#endif
