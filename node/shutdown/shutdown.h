/* The machine's end: pods end first, in order. Loop's thread. */
#ifndef K3X_NODE_SHUTDOWN_SHUTDOWN_H
#define K3X_NODE_SHUTDOWN_SHUTDOWN_H

#include "base/err.h"

struct kubelet_config;
struct node;
struct shutdown;

/* Before the node starts: what was asked for is possible. ERR_INVAL names the field. */
int shutdown_check(const struct kubelet_config *c, struct err *err);

/* By n->config; NULL: nobody asked for it. changed(n): n->is_shutting_down is another. */
struct shutdown *shutdown_new(struct node *n, void (*changed)(struct node *n));
/* closed(arg) on the loop. */
void shutdown_close(struct shutdown *s, void (*closed)(void *arg), void *arg);

#endif
