/* One server process of the cluster: its namespace, its disk, its log, and whether it runs.
 *
 *     DOWN --start--> UP --stop/kill--> DOWN        UP <--pause/resume--> PAUSED
 *
 * A process that ends without having been asked is found by node_poll(). Called from the harness's main thread only. */
#ifndef K3X_JEPSEN_NODE_H
#define K3X_JEPSEN_NODE_H

#include "jepsen/disk.h"
#include "jepsen/net.h"

#include <sys/types.h>

enum node_state { NODE_DOWN, NODE_UP, NODE_PAUSED };

struct node {
	unsigned index;
	char name[16];
	struct net_node *net;
	struct disk disk;
	char data_dir[DISK_PATH_MAX];
	char log_path[DISK_PATH_MAX];
	char shim_dir[DISK_PATH_MAX]; /* control file and journal of the shim; "" without */
	pid_t pid;
	enum node_state state;
	bool is_member;  /* false while it is out of the cluster's configuration */
	bool was_joined; /* started into an existing cluster after a removal */
	bool excused;    /* its disk was hurt: it may end by itself until it is started again */
	bool is_damaged; /* its data was changed behind its back: it may have to be replaced */
	bool is_leaving; /* its removal was asked for, and nobody knows what came of it: it may be carried out yet */
	long log_offset; /* what the log said before is excused */
	int crash;       /* the signal that ended it; whoever reports it sets it to 0 */
	int last_status; /* of waitpid(), when it ended by itself */
};

int node_start(struct node *n, const char *const *argv, const char *const *env, struct err *err);
void node_kill(struct node *n); /* SIGKILL, waits for its end */
/* SIGTERM, then SIGKILL. False when the second one was needed. */
bool node_stop(struct node *n, int wait_ms);
void node_pause(struct node *n);
void node_resume(struct node *n);
/* True when it ended by itself; it is DOWN then and last_status says how. */
bool node_poll(struct node *n);

#endif
