/* What fields an object has, and in which fields two differ (structured-merge-diff's ToFieldSet and Compare). Any
 * thread. */
#ifndef K3X_API_MACHINERY_FIELDS_COMPARE_H
#define K3X_API_MACHINERY_FIELDS_COMPARE_H

#include "api/machinery/fields/field_set.h"
#include "api/machinery/fields/shape.h"
#include "base/err.h"

struct comparison {
	struct field_set added, modified, removed; /* roots */
};

/* From `old` to `now`. Both are trees in Go's form (decode_normalise()). A container that appears or goes is named with
 * all below it. Names are borrowed from the trees. */
void compare_objects(struct arena *a, const struct schema_type *type, const struct json *old, const struct json *now,
        struct comparison *out);
bool comparison_is_empty(const struct comparison *c);

/* The leaves that an object names: what its applier owns. ERR_INVAL, in upstream's words, when an element of a list
 * lacks its key or comes twice:
 *     .spec.template.spec.containers: duplicate entries for key [name="web"] */
int fields_of_object(struct arena *a, const struct schema_type *type, const struct json *object, struct field_set *out,
        struct err *err);

#endif
