/* Rules of CustomResourceDefinitions, and what is read of them in several places. Any thread. */
#ifndef K3X_API_MACHINERY_RULES_CUSTOM_DEFINITION_H
#define K3X_API_MACHINERY_RULES_CUSTOM_DEFINITION_H

#include "api/machinery/rules/validate.h"
#include "api/machinery/rules/warnings.h"
#include "base/json/json.h"

#define DEFINITION_CLEANUP "customresourcecleanup.apiextensions.k8s.io"
#define DEFINITION_APPROVAL "api-approved.kubernetes.io"

void definition_defaults(struct arena *a, struct json *object);
void definition_prepare_create(struct arena *a, struct json *object);
void definition_prepare_update(struct arena *a, struct json *object, const struct json *old, const char *sub);
void definition_validate(struct field_errors *e, const struct json *object, const struct json *old);
/* Of its status, which is written by itself: the names that were given. */
void definition_validate_status(struct field_errors *e, const struct json *object, const struct json *old);
void definition_warn(struct warnings *w, const struct json *object, const struct json *old);

/* Is a condition of its status True? */
bool definition_has_condition(const struct json *object, const char *type);
/* What is wrong with the approval that groups of Kubernetes itself need, NULL when nothing is. *ret_reason: of the
 * condition, "" when the group needs none. */
const char *definition_approval(const struct json *object, const char **ret_reason);

#endif
