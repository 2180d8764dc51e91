/* Names of resources that are asked for, limited or counted. */
#ifndef K3X_API_MACHINERY_RULES_CHECKS_RESOURCE_H
#define K3X_API_MACHINERY_RULES_CHECKS_RESOURCE_H

#include "api/machinery/rules/checks.h"

/* Without a domain, or with one of kubernetes.io. */
bool resource_is_native(struct slice name);
/* What a quota counts; all that has a domain. */
bool resource_is_counted(struct slice name);
/* More of it may be promised than there is. Of huge pages and of extended resources a container gets what it asks for.
 */
bool resource_may_overcommit(struct slice name);

/* False: it is wrong, and that is said. */
bool check_resource_name(struct field_errors *e, const char *field, struct slice name);
/* The same of what containers ask for: of what has no domain CPU, memory, ephemeral storage and huge pages. */
void check_container_resource_name(struct field_errors *e, const char *field, struct slice name);

#endif
