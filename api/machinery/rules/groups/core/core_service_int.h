/* What core_service.c and core_service_validate.c share: what a service's type means. Pure; `spec` may be NULL. */
#ifndef K3X_API_MACHINERY_RULES_GROUPS_CORE_SERVICE_INT_H
#define K3X_API_MACHINERY_RULES_GROUPS_CORE_SERVICE_INT_H

#include "base/json/json.h"

bool service_has_type(const struct json *spec, const char *type);
/* Reached from outside the cluster. */
bool service_is_external(const struct json *spec);
/* It has a port for health checks of its own. */
bool service_needs_health_port(const struct json *spec);

#endif
