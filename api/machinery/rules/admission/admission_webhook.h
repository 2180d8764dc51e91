/* MutatingWebhookConfiguration and ValidatingWebhookConfiguration: defaults and validation. Any thread. */
#ifndef K3X_API_MACHINERY_RULES_ADMISSION_ADMISSION_WEBHOOK_H
#define K3X_API_MACHINERY_RULES_ADMISSION_ADMISSION_WEBHOOK_H

#include "api/machinery/rules/validate.h"
#include "base/json/json.h"

void webhook_mutating_defaults(struct arena *a, struct json *object);
void webhook_validating_defaults(struct arena *a, struct json *object);
void webhook_mutating_validate(struct field_errors *e, const struct json *object, const struct json *old);
void webhook_validating_validate(struct field_errors *e, const struct json *object, const struct json *old);

#endif
