/* What CSI drivers say of themselves, for the rows of storage.k8s.io. Private to groups/. */
#ifndef K3X_API_MACHINERY_RULES_GROUPS_STORAGE_INT_H
#define K3X_API_MACHINERY_RULES_GROUPS_STORAGE_INT_H

#include "api/machinery/rules/field_errors.h"

void csi_driver_defaults(struct arena *a, struct json *o);
void validate_csi_driver(struct field_errors *e, const struct json *object, const struct json *old);
void validate_csi_node(struct field_errors *e, const struct json *object, const struct json *old);
void validate_storage_capacity(struct field_errors *e, const struct json *object, const struct json *old);

#endif
