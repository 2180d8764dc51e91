/* The database that the servers of a cluster share in place of keeping their state themselves: one server of it in a
 * namespace of its own, the last of the net's. Called from the harness's main thread only. */
#ifndef K3X_JEPSEN_DATASTORE_H
#define K3X_JEPSEN_DATASTORE_H

#include "base/mem/arena.h"
#include "jepsen/node.h"

struct datastore_kind;

struct datastore {
	const struct datastore_kind *kind; /* NULL: the cluster has none */
	struct node node;                  /* its process; no disk of its own, and no shim */
};

/* Is there a database of that name ("postgres", "mysql", "etcd")? NULL: no. */
const struct datastore_kind *datastore_find(const char *name);

/* Makes an empty one below `scratch`, its log in `run_dir`, and starts it; servers wait until it answers. */
int datastore_open(struct datastore *d, const struct datastore_kind *kind, struct net_node *net, const char *scratch,
        const char *run_dir, struct err *err);
void datastore_close(struct datastore *d); /* of one that was not opened: nothing */

/* What servers are told by --datastore-endpoint. */
const char *datastore_endpoint(const struct datastore *d, struct arena *a);

int datastore_start(struct datastore *d, struct err *err);
void datastore_kill(struct datastore *d); /* SIGKILL for every process of it */
void datastore_pause(struct datastore *d);
void datastore_resume(struct datastore *d);

#endif
