/* Whose pod is it: adoption and release by ownerReferences, for every controller that has pods or replica sets under
 * it. Upstream: pkg/controller/controller_ref_manager.go. */
#ifndef K3X_API_CONTROLLERS_CLAIM_H
#define K3X_API_CONTROLLERS_CLAIM_H

#include "api/client/informer_set.h"
#include "api/client/meta.h"
#include "api/client/work_queue.h"
#include "api/machinery/schema/selector.h"

struct claim {
	struct work *work;                            /* calls go with it */
	const char *api_version, *kind;               /* of the owner: "apps/v1", "ReplicaSet" */
	const char *child_api_version, *child_plural; /* "v1", "pods" */
	struct meta owner;
	const struct label_selector *selector;
	const struct informer_index *by_owner; /* informer_index_owner() of the children */
	const char *finalizer;                 /* comes with adoption and goes with release; NULL: none */
	bool adopts_inactive;                  /* pods that have ended are not adopted; replica sets always are */
	/* What else makes a child the owner's; NULL: nothing. */
	bool (*is_member)(const struct claim *c, const struct meta *child);
};

/* Collects the children that are the owner's and match, into the work's arena. Orphans that match are asked for,
 * children that no longer match let go: *changes says that such calls were sent, and their events will bring the owner
 * again. */
struct informer_object **claim_children(struct claim *c, size_t *count, bool *changes);

#endif
