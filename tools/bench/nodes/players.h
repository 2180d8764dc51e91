/* Nodes that are made up, and somebody who plays their kubelets: Leases are renewed every ten seconds, pods that are
 * bound become Running and Ready, and those that are to end do. All over HTTPS, as the administrator, on one thread of
 * its own. Counts may be asked from any thread; the other functions are for the main thread. */
#ifndef K3X_TOOLS_BENCH_NODES_PLAYERS_H
#define K3X_TOOLS_BENCH_NODES_PLAYERS_H

#include "tools/bench/bench.h"

struct players;

struct players_options {
	const struct bench_server *server;
	unsigned nodes;    /* node-0 ... */
	unsigned zones;    /* topology.kubernetes.io/zone: zone-0 ... */
	unsigned cpus;     /* of each */
	bool only_watches; /* pods stay Pending, and end when they are deleted with no grace */
};

/* Returns when all nodes are there. */
int players_new(const struct players_options *o, struct players **ret, struct err *err);
void players_free(struct players *p); /* NULL is allowed; the nodes stay */

/* Pods that there are, that have a node, and that run. */
unsigned players_present(const struct players *p);
unsigned players_bound(const struct players *p);
unsigned players_running(const struct players *p);

#endif
