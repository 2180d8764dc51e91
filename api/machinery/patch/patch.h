/* The three patch formats that change a tree: JSON patch (RFC 6902), JSON merge patch (RFC 7386) and Kubernetes'
 * strategic merge patch, driven by the schema's patch strategies and merge keys.
 *
 * All work on arena trees: `object` is changed in place, or the result returned, new nodes come from the arena, and
 * patch nodes are linked into the result, so the patch must not be used again. All take linear time in the object and
 * the patch, but for a JSON patch, whose operations each walk the containers on their path: it and the strategic one
 * ask the arena's budget (base/mem/budget.h) and end with its error. Any thread. */
#ifndef K3X_API_MACHINERY_PATCH_PATCH_H
#define K3X_API_MACHINERY_PATCH_PATCH_H

#include "api/machinery/schema/schema.h"
#include "base/err.h"
#include "base/json/json.h"

/* Operations one JSON patch may have (upstream's limit). */
enum { PATCH_OPERATIONS_MAX = 10000 };

/* `patch` is the array of operations. ERR_INVAL when it is malformed, ERR_INVALID_OBJECT when it does not apply: a path
 * that is missing, a test that fails (upstream answers 422 then). Returns the new root through *object. */
int patch_json_apply(struct arena *a, struct json **object, const struct json *patch, struct err *err);

/* Never fails: null deletes, objects merge, all else replaces. */
struct json *patch_merge_apply(struct arena *a, struct json *object, const struct json *patch);

/* Directives: $patch (replace, delete, merge), $retainKeys, $setElementOrder/NAME, $deleteFromPrimitiveList/NAME.
 * ERR_INVAL when a directive is wrong or an element lacks its merge key. */
int patch_strategic_apply(struct arena *a, struct json *object, const struct json *patch,
        const struct schema_type *type, struct err *err);

#endif
