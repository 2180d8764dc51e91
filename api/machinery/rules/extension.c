/* The groups that extend the API itself: definitions, aggregated services and admission. Their status is
 * nobody's but the server's. */
#include "api/machinery/rules/admission_policy.h"
#include "api/machinery/rules/custom/definition.h"
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
        {.kind = "ValidatingAdmissionPolicy",
                .status_keeps = STATUS_KEEPS_ALL,
                .defaults = policy_defaults,
                .validate = policy_validate,
                .columns = "Name,Validations:integer,ParamKind,Age",
                .cells = table_admission_policy},
        {.kind = "ValidatingAdmissionPolicyBinding",
                .defaults = policy_binding_defaults,
                .validate = policy_binding_validate,
                .columns = "Name,PolicyName,ParamRef,Age",
                .cells = table_admission_binding},
        {0},
};
