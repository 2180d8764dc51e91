/* The groups that extend the API itself: definitions, aggregated services and admission. Their status is
 * nobody's but the server's. */
#include "api/machinery/rules/admission/admission_policy.h"
#include "api/machinery/rules/admission/admission_webhook.h"
#include "api/machinery/rules/groups/aggregated_service.h"
#include "api/machinery/rules/custom/definition.h"
#include "api/machinery/rules/groups.h"
#include "api/machinery/rules/names.h"
#include "api/machinery/table/printers.h"

const struct kind_ops kinds_extension[] = {
        {.kind = "APIService",
                .check_name = check_path_segment, /* "v1." is one */
                .status_keeps = STATUS_KEEPS_ALL,
                .defaults = aggregated_service_defaults,
                .validate = aggregated_service_validate,
                .validate_part = aggregated_service_validate_status,
                .columns = "Name,Service,Available,Age",
                .cells = table_aggregated_service},
        {.kind = "CustomResourceDefinition",
                .status_keeps = STATUS_KEEPS_ALL,
                .defaults = definition_defaults,
                .validate = definition_validate,
                .validate_part = definition_validate_status,
                .warn = definition_warn,
                .prepare_create = definition_prepare_create,
                .prepare_update = definition_prepare_update,
                .cleanup = DEFINITION_CLEANUP,
                .columns = "Name,Created At:date",
                .cells = table_definition},
        {.kind = "MutatingWebhookConfiguration",
                .defaults = webhook_mutating_defaults,
                .validate = webhook_mutating_validate,
                .columns = "Name,Webhooks:integer,Age",
                .cells = table_admission_webhooks},
        {.kind = "ValidatingAdmissionPolicy",
                .traits = KIND_IS_POLICY,
                .status_keeps = STATUS_KEEPS_ALL,
                .defaults = policy_defaults,
                .validate = policy_validate,
                .validate_part = policy_validate_status,
                .columns = "Name,Validations:integer,ParamKind,Age",
                .cells = table_admission_policy},
        {.kind = "ValidatingAdmissionPolicyBinding",
                .traits = KIND_IS_POLICY_BINDING,
                .defaults = policy_binding_defaults,
                .validate = policy_binding_validate,
                .columns = "Name,PolicyName,ParamRef,Age",
                .cells = table_admission_binding},
        {.kind = "ValidatingWebhookConfiguration",
                .defaults = webhook_validating_defaults,
                .validate = webhook_validating_validate,
                .columns = "Name,Webhooks:integer,Age",
                .cells = table_admission_webhooks},
        {0},
};
