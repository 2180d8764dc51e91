/* Structural schemas (KEP "Graduate CustomResourceDefinitions", Kubernetes documentation "Specifying a structural
 * schema"): what an openAPIV3Schema of a CustomResourceDefinition must be for its objects to be pruned and filled in.
 */
#ifndef K3X_API_MACHINERY_RULES_CUSTOM_STRUCTURAL_H
#define K3X_API_MACHINERY_RULES_CUSTOM_STRUCTURAL_H

#include "api/machinery/rules/validate.h"
#include "base/json/json.h"

/* Adds all that is wrong with it, in upstream's words; `path` is where it stands. */
void structural_check(struct field_errors *e, const struct json *schema, const char *path);
/* The same of what the root may not say where the status is written by itself: what is not a matter of properties would
 * be lost there. */
void structural_check_beside_status(struct field_errors *e, const struct json *schema, const char *path);

#endif
