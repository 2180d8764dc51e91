/* The two halves of applying: what an applier names is merged into the live object, and what it does not name any more
 * is taken out (structured-merge-diff's Merge and prune). Any thread. */
#ifndef K3X_API_MACHINERY_FIELDS_MERGE_H
#define K3X_API_MACHINERY_FIELDS_MERGE_H

#include "api/machinery/fields/field_set.h"
#include "api/machinery/fields/shape.h"
#include "base/err.h"

/* Merges `config` into `live`, which is changed in place; what is taken from config is copied. Maps and structs are
 * merged member by member, lists with keys and sets element by element, in the order of config woven with what only
 * live has; all else is replaced. ERR_TOO_BIG and ERR_TIMEOUT when the arena's budget is used up. */
int merge_objects(
        struct arena *a, const struct schema_type *type, struct json *live, const struct json *config, struct err *err);

/* Takes out of `object`, in place, what is in `last` and not in `owned`: fields, members of maps, elements of lists. A
 * struct or map that loses all it has goes too, unless it is owned itself. */
void prune_object(struct arena *a, const struct schema_type *type, struct json *object, const struct field_set *last,
        const struct field_set *owned);

#endif
