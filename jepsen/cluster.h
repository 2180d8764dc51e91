/* The cluster under test: its nodes, network and disks, started, watched, and brought back after faults. Belongs to the
 * harness's main thread. */
#ifndef K3X_JEPSEN_CLUSTER_H
#define K3X_JEPSEN_CLUSTER_H

#include "jepsen/datastore.h"
#include "jepsen/node.h"
#include "jepsen/options.h"
#include "jepsen/target.h"
#include "store/proto/rpc.pb-c.h"

enum {
	CLUSTER_CLIENT_PORT = 2379,
	CLUSTER_PEER_PORT = 2380,
	CLUSTER_API_PORT = 6443, /* of targets that serve Kubernetes' API */
	CLUSTER_HEARTBEAT_MS = 100,
	CLUSTER_ELECTION_MS = 1000,
	CLUSTER_READY_MS_MAX = 60000, /* the bound within which a healed cluster must serve again */
};

struct kube_client;
struct tls_context;

struct cluster {
	const struct target *target;
	const struct jepsen_options *options;
	const char *binary;
	const char *run_dir;
	char scratch[DISK_PATH_MAX];
	struct net net;
	struct node nodes[NODES_MAX];
	unsigned count;
	struct datastore datastore;      /* what the servers share; its place in the net comes after theirs */
	bool can_change_members;         /* cluster_probe() found out */
	struct client *admin[NODES_MAX]; /* one per node, for questions and changes */
	/* Of targets that serve Kubernetes' API: the admin's identity, what others join with, a client per node. */
	struct tls_context *tls;
	char *token;
	struct kube_client *admin_api[NODES_MAX];
};

/* Makes network and disks and starts every server. */
int cluster_open(struct cluster *c, const struct jepsen_options *o, const char *run_dir, struct err *err);
void cluster_close(struct cluster *c);

int cluster_start_node(struct cluster *c, struct node *n, struct err *err);
/* Every server answers a linearizable read within the bound; those that are down are started. */
int cluster_wait_ready(struct cluster *c, int timeout_ms, struct err *err);
/* Asks the servers what they can do. */
void cluster_probe(struct cluster *c);
/* The node that leads, -1 when nobody says so. */
int cluster_leader(struct cluster *c);
/* The node follows a leader and has a vote: one that was just added may not. */
bool cluster_votes(struct cluster *c, unsigned i);
/* Through any node that answers: NULL on failure. The answer lives until the node's next call. */
void *cluster_ask(struct cluster *c, const char *method, const ProtobufCMessage *request,
        const ProtobufCMessageDescriptor *answer, struct err *err);

/* Takes a node out of the configuration and its data with it; brings it back as a new member. */
int cluster_remove_node(struct cluster *c, struct node *n, struct err *err);
int cluster_add_node(struct cluster *c, struct node *n, struct err *err);

/* All replicas have the same hash at one revision. ERR_CORRUPT when they differ. */
int cluster_compare_hashes(struct cluster *c, struct err *err);

/* Words of a crash in the node's log; true when found, with the line. */
bool cluster_crash_words(struct cluster *c, const struct node *n, char *line, size_t size);

#endif
