/* The groups that extend the API itself: definitions, aggregated services, admission and flow control. Their status is
 * nobody's but the server's. */
#include "api/machinery/rules/groups.h"

const struct kind_ops kinds_extension[] = {
        {.kind = "APIService", .status_keeps = STATUS_KEEPS_ALL},
        {.kind = "CustomResourceDefinition", .status_keeps = STATUS_KEEPS_ALL},
        {.kind = "FlowSchema", .status_keeps = STATUS_KEEPS_ALL},
        {.kind = "PriorityLevelConfiguration", .status_keeps = STATUS_KEEPS_ALL},
        {.kind = "ValidatingAdmissionPolicy", .status_keeps = STATUS_KEEPS_ALL},
        {0},
};
