/* Eviction: keeps the node from running out of memory, disk and processes. Loop's thread. */
#ifndef K3X_NODE_EVICTION_EVICTION_H
#define K3X_NODE_EVICTION_EVICTION_H

#include "base/mem/str.h"

struct eviction;
struct node;

/* By n->config; says in n->pressures what the node is short of, and pressures_changed(n) when that is another thing.
 * reclaim(n, done, arg) removes from the disk of images what no pod needs; done(arg) on the loop, once, never inside;
 * false: it can't now. */
struct eviction_callbacks {
	void (*pressures_changed)(struct node *n);
	bool (*reclaim)(struct node *n, void (*done)(void *arg), void *arg);
};
struct eviction *eviction_new(struct node *n, const struct eviction_callbacks *callbacks);
/* A round under way ends by itself, before the node's parts have closed. */
void eviction_close(struct eviction *e);
/* kubelet_evictions, as Prometheus reads it. */
void eviction_metrics_write(const struct eviction *e, struct strbuf *out);

#endif
