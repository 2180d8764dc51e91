/* What the versions of a definition say: names, schemas, subresources, columns, selectable fields, deprecation. Any
 * thread. */
#ifndef K3X_API_MACHINERY_RULES_CUSTOM_DEFINITION_VERSION_H
#define K3X_API_MACHINERY_RULES_CUSTOM_DEFINITION_VERSION_H

#include "api/machinery/rules/validate.h"
#include "api/machinery/rules/warnings.h"
#include "base/json/json.h"

/* Adds what is wrong, in upstream's words and at its places. `before`: spec.versions of what is stored, NULL at a
 * creation: a schema that is as it was there is not weighed anew. */
void definition_versions_check(struct field_errors *e, const struct json *versions, const struct json *before);
/* Tells of columns that will not be shown. */
void definition_versions_warn(struct warnings *w, const struct json *versions);

#endif
