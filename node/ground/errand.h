/* Blocking work on the node's pool: files, mounts, logs. A node does not close before its errands have ended. */
#ifndef K3X_NODE_GROUND_ERRAND_H
#define K3X_NODE_GROUND_ERRAND_H

#include "base/rt/pool.h"

struct node;

/* Embedded by the caller. */
struct errand {
	struct pool_work work; /* used by the errand */
	struct node *n;
	void (*run)(struct errand *e); /* on a pool thread */
	void (*done)(
	        struct errand *e); /* on the node's loop, once, never inside errand_start(); may free what embeds it */
};

/* Loop's thread. False: too much is queued; nothing was taken, neither function is called. */
bool errand_start(struct node *n, struct errand *e, void (*run)(struct errand *e), void (*done)(struct errand *e));

#endif
