/* The type that objects of a kind have in expressions, by the kind's own fields: for warnings about expressions that
 * cannot be right. Nothing is said of sizes. */
#ifndef K3X_API_MACHINERY_CEL_KIND_TYPE_H
#define K3X_API_MACHINERY_CEL_KIND_TYPE_H

#include "api/machinery/schema/schema.h"
#include "base/cel/cel.h"

/* In the arena. NULL type: any. Any thread. */
const struct cel_type *kind_cel_type(struct arena *a, const struct schema_type *type);

#endif
