/* The view of the runtime: looks at what it runs and keeps the records of pods' sandboxes and containers. Loop's
 * thread. */
#ifndef K3X_NODE_RUNTIME_VIEW_H
#define K3X_NODE_RUNTIME_VIEW_H

#include "base/mem/str.h"

struct container;
struct node;
struct pod;
struct view;

/* Whom the view tells; all are called on the loop. */
struct view_callbacks {
	/* Something runs for a pod that node_pod() does not know: makes the pod, or NULL when it is not to be looked
	 * at. */
	struct pod *(*stranger)(struct node *n, struct slice uid, struct slice ns, struct slice name);
	/* The container's record is about to be freed. */
	void (*container_gone)(struct container *c);
	/* A look has ended; `changed` says that it showed something new of this pod. */
	void (*looked)(struct pod *p, bool changed);
};

struct view *view_new(struct node *n, const struct view_callbacks *callbacks);
/* No look begins any more; closed(arg) on the loop. Calls under way may still end until the CRI is closed too: then
 * comes view_free(). */
void view_close(struct view *v, void (*closed)(void *arg), void *arg);
void view_free(struct view *v);

/* The CRI is up, perhaps again: follow its events and look. */
void view_start(struct node *n);
/* Looks soon; returns the generation of the look that will tell of everything up to now. */
uint64_t view_look(struct node *n);
/* Of the last complete look; 0: there was none. */
uint64_t view_generation(const struct node *n);

#endif
