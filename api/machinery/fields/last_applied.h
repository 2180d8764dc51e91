/* The annotation of client-side apply, where server-side apply meets it: objects that `kubectl apply` made are taken
 * over by `kubectl apply --server-side` without conflicts about what they still are, and go on carrying the annotation,
 * so that the way back stays open (upstream's LastAppliedManager and LastAppliedUpdater). Any thread. */
#ifndef K3X_API_MACHINERY_FIELDS_LAST_APPLIED_H
#define K3X_API_MACHINERY_FIELDS_LAST_APPLIED_H

#include "api/machinery/fields/managers.h"

/* Only kubectl's own name may. */
bool last_applied_is_for(struct slice manager);
/* Whether all conflicts are about fields that are as the annotation of `live` says: then the apply may be forced. Else
 * those that are not are left in `conflicts`. */
bool last_applied_allows(
        struct arena *a, const struct resource *r, const struct json *live, struct manager_conflicts *conflicts);
/* Sets the annotation of `object` to `config`, when it has one; to "" when that makes annotations too large. */
void last_applied_set(struct arena *a, struct json *object, const struct json *config);

#endif
