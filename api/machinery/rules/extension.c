/* The groups that extend the API itself: definitions, aggregated services and admission. Their status is
 * nobody's but the server's. */
#include "api/machinery/rules/definition.h"
#include "api/machinery/rules/groups.h"
#include "api/machinery/table/printers.h"

const struct kind_ops kinds_extension[] = {
        {.kind = "APIService", .status_keeps = STATUS_KEEPS_ALL},
        {.kind = "CustomResourceDefinition",
                .status_keeps = STATUS_KEEPS_ALL,
                .defaults = definition_defaults,
                .validate = definition_validate,
                .prepare_create = definition_prepare_create,
                .prepare_update = definition_prepare_update,
                .cleanup = DEFINITION_CLEANUP,
                .columns = "Name,Created At:date",
                .cells = table_definition},
        {.kind = "ValidatingAdmissionPolicy", .status_keeps = STATUS_KEEPS_ALL},
        {0},
};
