/* Deletions: of an object, of those of a collection, and evictions.
 *
 * Three ways an object goes (Kubernetes API concepts, "Resource deletion"):
 *   at once      nothing holds it back
 *   graceful     a pod that runs somewhere gets a deletionTimestamp and grace; its kubelet deletes it with grace 0 when
 *                the containers are gone
 *   finalizing   finalizers (its own, or those that propagation asks for) keep it with a deletionTimestamp until the
 *                last of them is taken away by an update
 * Namespaces always finalize: the namespace controller empties them. */
#ifndef K3X_API_SERVER_VERBS_DELETION_H
#define K3X_API_SERVER_VERBS_DELETION_H

#include "api/server/verbs/mutation.h"

struct deletion {
	struct mutation mutation; /* first */
	struct json *options;     /* DeleteOptions */
};

/* For the route's object: reads the options of body and query. */
int deletion_init(
        struct deletion *d, const struct mutation_verb *verb, struct call *c, struct arena *a, struct err *err);

/* A mutation_verb's decode: removes, marks as dying, or settles what is dying already. */
int deletion_decode(struct mutation *m, struct err *err);

/* DeleteOptions ask for one themselves. */
bool deletion_asks_for_dry_run(const struct json *options);

#endif
