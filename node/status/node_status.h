/* The Node object and its Lease. Loop's thread. */
#ifndef K3X_NODE_STATUS_NODE_STATUS_H
#define K3X_NODE_STATUS_NODE_STATUS_H

struct node;
struct node_status;

/* network_ready(n): the CNI configuration is written, pods may start. */
struct node_status *node_status_new(struct node *n, void (*network_ready)(struct node *n));
void node_status_close(struct node_status *s);
void node_status_poke(struct node *n); /* something changed */

#endif
