/* From an OpenAPI schema to the type that its values have in expressions. */
#ifndef K3X_API_MACHINERY_CEL_SCHEMA_TYPE_H
#define K3X_API_MACHINERY_CEL_SCHEMA_TYPE_H

#include "base/cel/cel.h"

/* Of a structural schema. is_root: of a whole object, so that apiVersion, kind, metadata.name and generateName are
 * there. NULL: values of this schema are not shown to expressions (nobody knows what is in them). All is copied into
 * the arena. Any thread. */
const struct cel_type *schema_cel_type(struct arena *a, const struct json *schema, bool is_root);
bool schema_is_embedded(const struct json *schema);

#endif
