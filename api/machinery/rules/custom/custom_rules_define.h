/* Rules in CEL as a definition is written: what may be wrong with them. Any thread. */
#ifndef K3X_API_MACHINERY_RULES_CUSTOM_CUSTOM_RULES_DEFINE_H
#define K3X_API_MACHINERY_RULES_CUSTOM_CUSTOM_RULES_DEFINE_H

#include "api/machinery/rules/field_errors.h"
#include "base/json/json.h"

/* A fieldPath ("." and a name, "['" and a name "']") by the schema that its rule stands in. False: it names nothing.
 * *ret: as messages have it, with a point before it. In the arena. */
bool custom_field_path(struct arena *a, const struct json *schema, struct slice path, const char **ret);

/* All rules of an openAPIV3Schema that is structural otherwise: adds what is wrong with them, in upstream's words. */
void custom_rules_define(struct field_errors *e, const struct json *schema, const char *path);

#endif
