/* The rows of each API group, one array per file; each ends with a row whose kind is NULL. To add a kind: a row here
 * and one in api/machinery/schema/resources_table.h. To add a group: a file, a line here and one in kinds.c. */
#ifndef K3X_API_MACHINERY_RULES_GROUPS_H
#define K3X_API_MACHINERY_RULES_GROUPS_H

#include "api/machinery/schema/kind_ops.h"

extern const struct kind_ops kinds_core[];
extern const struct kind_ops kinds_apps[];
extern const struct kind_ops kinds_autoscaling[];
extern const struct kind_ops kinds_batch[];
extern const struct kind_ops kinds_certificates[];
extern const struct kind_ops kinds_coordination[];
extern const struct kind_ops kinds_discovery[];
extern const struct kind_ops kinds_extension[];
extern const struct kind_ops kinds_flowcontrol[];
extern const struct kind_ops kinds_networking[];
extern const struct kind_ops kinds_node[];
extern const struct kind_ops kinds_policy[];
extern const struct kind_ops kinds_rbac[];
extern const struct kind_ops kinds_scheduling[];
extern const struct kind_ops kinds_storage[];

#endif
