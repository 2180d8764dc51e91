/* The node.k8s.io group: runtime classes. */
#include "api/machinery/rules/groups.h"

const struct kind_ops kinds_node[] = {
        {.kind = "RuntimeClass", .immutable = "handler"},
        {0},
};
