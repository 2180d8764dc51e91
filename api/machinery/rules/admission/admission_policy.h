/* ValidatingAdmissionPolicy and ValidatingAdmissionPolicyBinding: what is filled in and refused. Any thread. */
#ifndef K3X_API_MACHINERY_RULES_ADMISSION_ADMISSION_POLICY_H
#define K3X_API_MACHINERY_RULES_ADMISSION_ADMISSION_POLICY_H

#include "api/machinery/rules/validate.h"
#include "base/json/json.h"

void policy_defaults(struct arena *a, struct json *object);
/* Its expressions are compiled, too; conditions that were there as they are, and what did not change at all, are not.
 */
void policy_validate(struct field_errors *e, const struct json *object, const struct json *old);
/* Of its status, which is written by itself: warnings of type checking, conditions. */
void policy_validate_status(struct field_errors *e, const struct json *object, const struct json *old);
void policy_binding_defaults(struct arena *a, struct json *object);
void policy_binding_validate(struct field_errors *e, const struct json *object, const struct json *old);

#endif
