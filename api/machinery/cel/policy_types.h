/* Type checking of a ValidatingAdmissionPolicy: expressions that compile against any object, and cannot be right for
 * the kinds that the policy names. */
#ifndef K3X_API_MACHINERY_CEL_POLICY_TYPES_H
#define K3X_API_MACHINERY_CEL_POLICY_TYPES_H

#include "base/json/json.h"

/* status.typeChecking of a policy's spec: {} or {"expressionWarnings": [...]}. In the arena; any thread. */
struct json *policy_type_check(struct arena *a, const struct json *spec);

#endif
