/* How fast nodes that are not ready may lose their pods, zone by zone: when much of a zone is silent at once it is more
 * likely the network than the nodes. Pure: nodes in, a permission out, time passed in.
 *
 *     zone         nodes that are not ready                          NoExecute taints a second
 *     normal       fewer than the threshold, or two at the most       rate
 *     partial      at least the threshold, and more than two          the secondary rate in large zones, else none
 *     full         all                                                rate: the other zones are there for the pods
 *     all full     every zone                                         none, and those there are go: it is us who are
 * cut off
 *
 * Upstream: pkg/controller/nodelifecycle, handleDisruption and ComputeZoneState. */
#ifndef K3X_API_CONTROLLERS_NODE_ZONES_H
#define K3X_API_CONTROLLERS_NODE_ZONES_H

#include "base/mem/map.h"

struct node_zone;

struct node_zones {
	double rate, secondary_rate, threshold;
	size_t large;
	struct map zones; /* by name */
	size_t n_full;
};

/* Where a node is counted; zeroed at first. */
enum node_count { NODE_NOT_COUNTED, NODE_COUNTED_READY, NODE_COUNTED_NOT_READY };
struct node_place {
	struct node_zone *zone;
	enum node_count count;
};

void node_zones_release(struct node_zones *z);

enum node_zones_news {
	NODE_ZONES_PACE = 1,     /* a zone's rate is another one: its nodes may go on */
	NODE_ZONES_ALL_DOWN = 2, /* every zone is full now */
	NODE_ZONES_ANY_UP = 4,   /* no longer */
};

/* Counts a node of this zone, and no longer as before. NODE_NOT_COUNTED takes it out. Returns NODE_ZONES_ bits. */
unsigned node_zones_set(struct node_zones *z, struct node_place *p, struct slice zone, enum node_count count);

bool node_zones_all_down(const struct node_zones *z);

/* May this node be tainted now? Then it is counted against the zone's rate. Else *wait_ms says when to ask again; -1:
 * not before there is news. */
bool node_zones_may_taint(struct node_zones *z, const struct node_place *p, uint64_t now_ms, int64_t *wait_ms);

#endif
