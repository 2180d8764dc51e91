/* The garbage collector's graph: who depends on whom. It holds only objects that have owners, as edges from an owner's
 * uid to its dependents; whether an owner exists is asked of the informers. Pure: no API. One thread. */
#ifndef K3X_API_CONTROLLERS_GC_GRAPH_H
#define K3X_API_CONTROLLERS_GC_GRAPH_H

#include "api/client/meta.h"
#include "base/mem/list.h"
#include "base/mem/map.h"

struct gc_edge {
	struct list_link link; /* in the owner's list */
	struct gc_object *dependent;
	struct gc_owner *owner;
	bool blocks; /* blockOwnerDeletion */
};

/* An object with owners. */
struct gc_object {
	struct slice uid;
	unsigned kind;    /* the caller's number for its resource */
	struct slice key; /* "ns/name" */
	size_t count;
	struct gc_edge edges[];
};

/* Somebody's owner, whether it exists or not. */
struct gc_owner {
	struct slice uid;
	struct list_link dependents;
	size_t count;
};

struct gc_graph {
	struct map objects, owners;
};

void gc_graph_init(struct gc_graph *g);
void gc_graph_release(struct gc_graph *g);

/* The object's owners as they are now: adds, changes or, without owners, removes it. */
void gc_graph_set(struct gc_graph *g, unsigned kind, struct slice key, struct slice uid, struct slice owners);
void gc_graph_remove(struct gc_graph *g, struct slice uid);
const struct gc_object *gc_graph_object(const struct gc_graph *g, struct slice uid); /* NULL: it has no owners */
/* NULL when nothing depends on it. */
const struct gc_owner *gc_graph_owner(const struct gc_graph *g, struct slice uid);

/* Whether a way leads from one object's blocking dependents, and theirs, back to it, over objects that `passes` lets
 * through (the first one included): they wait for each other, and nobody else is waited for on that way. */
bool gc_graph_leads_back(const struct gc_graph *g, const struct gc_object *from, struct slice to_uid,
        bool (*passes)(void *arg, const struct gc_object *o), void *arg);

#define GC_DEPENDENTS_FOREACH(e, owner) \
	struct list_link *e##_head = (owner) ? (struct list_link *)&(owner)->dependents : NULL; \
	for (struct list_link *e##_at = e##_head ? e##_head->next : NULL; e##_at != e##_head; e##_at = e##_at->next) \
		for (struct gc_edge *e = CONTAINER_OF(e##_at, struct gc_edge, link); e; e = NULL)

#endif
