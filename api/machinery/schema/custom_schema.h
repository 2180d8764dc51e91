/* Schema types for custom resources, made at run time from the openAPIV3Schema of a CRD version.
 *
 * The result is an ordinary struct schema_type without a protobuf view: it prunes and reports unknown fields through
 * decode_object(), and tells server-side apply list types and keys. Whether
 * values have the types and bounds of the schema is validation, and not done here. */
#ifndef K3X_API_MACHINERY_SCHEMA_CUSTOM_SCHEMA_H
#define K3X_API_MACHINERY_SCHEMA_CUSTOM_SCHEMA_H

#include "api/machinery/schema/schema.h"
#include "base/err.h"
#include "base/json/json.h"

/* Makes the type of whole objects: the schema's fields, and apiVersion, kind and metadata as every object has them.
 * `name` is its OpenAPI name, `kind` its Go name; all is copied into the arena, which must live as long as the type.
 * ERR_INVAL when the schema is no object or nests deeper than JSON_DEPTH_MAX. Lists in lists and maps in maps are taken
 * as any value. Any thread. */
const struct schema_type *custom_schema_type(
        struct arena *a, const struct json *schema, const char *name, const char *kind, struct err *err);

#endif
