/* APIService (apiregistration.k8s.io/v1): an API group and version, and who serves it. Upstream:
 * kube-aggregator pkg/apis/apiregistration/validation. Any thread. */
#ifndef K3X_API_MACHINERY_RULES_GROUPS_AGGREGATED_SERVICE_H
#define K3X_API_MACHINERY_RULES_GROUPS_AGGREGATED_SERVICE_H

#include "api/machinery/rules/field_errors.h"
#include "base/json/json.h"

void aggregated_service_defaults(struct arena *a, struct json *o);
void aggregated_service_validate(struct field_errors *e, const struct json *object, const struct json *old);
/* After a write of its status. */
void aggregated_service_validate_status(struct field_errors *e, const struct json *object, const struct json *old);

#endif
