/* See core_policy.c. */
#ifndef K3X_API_MACHINERY_RULES_GROUPS_CORE_POLICY_INT_H
#define K3X_API_MACHINERY_RULES_GROUPS_CORE_POLICY_INT_H

#include "api/machinery/rules/validate.h"

void validate_limit_range(struct field_errors *e, const struct json *object, const struct json *old);
void validate_resource_quota_status(struct field_errors *e, const struct json *object, const struct json *old);
void validate_resource_quota(struct field_errors *e, const struct json *object, const struct json *old);

#endif
