/* Pods and pod templates, for the groups that have them. */
#ifndef K3X_API_MACHINERY_RULES_CORE_POD_INT_H
#define K3X_API_MACHINERY_RULES_CORE_POD_INT_H

#include "api/machinery/rules/validate.h"

void pod_defaults(struct arena *a, struct json *o);
void pod_spec_defaults(struct arena *a, struct json *spec);
/* Of spec.template in a workload. */
void pod_template_defaults(struct arena *a, struct json *o);
void pod_prepare_create(struct arena *a, struct json *object);

void validate_pod(struct field_errors *e, const struct json *object, const struct json *old);
/* `claims`: claim templates whose volumes every pod gets; NULL: none. */
void validate_pod_template(
        struct field_errors *e, const char *field, const struct json *tmpl, const struct json *claims);

#endif
