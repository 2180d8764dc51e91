/* Following what objects own: the events of an owner and of its children become the owner's key in a queue, for every
 * controller whose objects have pods, replica sets or others under them.
 *
 *     s->children = (struct children){.kind = "ReplicaSet", .queue = s->queue, .expectations = &s->expectations};
 *     children_follow(c, &s->children, REPLICASETS, PODS);
 *
 * An event of a child wakes the owner that controls it, if it is still the one that is meant; an orphan wakes the
 * owners of its namespace whose spec.selector matches it, as one of them may adopt it. Expectations are lowered on the
 * way. All on the client's loop. */
#ifndef K3X_API_CONTROLLERS_CHILDREN_H
#define K3X_API_CONTROLLERS_CHILDREN_H

#include "api/client/expectations.h"
#include "api/client/informer_set.h"
#include "api/client/meta.h"
#include "api/client/work_queue.h"

struct controllers;

struct children {
	/* set by the controller */
	const char *kind; /* of the owners */
	struct work_queue *queue;
	struct expectations *expectations; /* NULL: it has none */
	bool selector_is_map;              /* spec.selector is a map of labels (replication controllers) */
	/* set by children_follow() */
	struct shared_informer *owners, *children;
	struct informer_index *owners_by_namespace;
	struct informer_index *by_owner; /* of the children: informer_index_owner() */
};

/* Listens to both until the controllers close; `x` lives as long as they. */
void children_follow(struct controllers *c, struct children *x, const char *owners_path, const char *children_path);
/* Another kind of children of the same owners, whose own events children_follow() brings already (with another `x`). */
void children_follow_also(
        struct controllers *c, struct children *x, const char *owners_path, const char *children_path);
/* A LabelSelector that wants these labels. In the arena. */
struct json *children_selector_of_map(struct arena *a, const struct json *labels);
/* The owner that a reference means, if it is still the same object; NULL else. */
struct informer_object *children_owner(const struct children *x, struct slice ns, const struct owner_ref *ref);

#endif
