/* What kinds that make pods by a selector and a template share. */
#ifndef K3X_API_MACHINERY_RULES_GROUPS_WORKLOAD_INT_H
#define K3X_API_MACHINERY_RULES_GROUPS_WORKLOAD_INT_H

#include "api/machinery/rules/checks.h"

/* spec.selector is there, is not empty, and matches the labels of spec.template. */
void check_selector_fits(struct field_errors *e, const struct json *spec);

#endif
