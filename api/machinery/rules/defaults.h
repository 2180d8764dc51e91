/* Defaulting: what upstream's SetDefaults_* functions and the schema's +default markers fill in before an object is
 * stored. In place, new nodes from the arena, idempotent. Any thread. */
#ifndef K3X_API_MACHINERY_RULES_DEFAULTS_H
#define K3X_API_MACHINERY_RULES_DEFAULTS_H

#include "api/machinery/schema/resources.h"

void defaults_apply(struct arena *a, const struct resource *r, struct json *object);

#endif
