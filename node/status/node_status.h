/* The Node object and its Lease. Loop's thread. */
#ifndef K3X_NODE_STATUS_NODE_STATUS_H
#define K3X_NODE_STATUS_NODE_STATUS_H

#include <stdint.h>

struct node;
struct node_status;

/* network_ready(n): the CNI configuration is written, pods may start. */
struct node_status *node_status_new(struct node *n, void (*network_ready)(struct node *n));
/* What is under way is given up, each a part of the node that closes; node_status_free() when all have ended. */
void node_status_close(struct node_status *s);
void node_status_free(struct node_status *s);
void node_status_poke(struct node *n); /* something changed */
/* What all pods together may use of memory, when something is held back from them; 0: nothing is. */
int64_t node_status_pods_memory_bytes(const struct node *n);

#endif
