/* What core.c and the other files of its group, and of groups that embed its kinds, share. */
#ifndef K3X_API_MACHINERY_RULES_GROUPS_CORE_INT_H
#define K3X_API_MACHINERY_RULES_GROUPS_CORE_INT_H

#include "api/machinery/rules/validate.h"

int event_convert(struct arena *a, struct json *object, const struct resource *to, struct err *err);

void node_defaults(struct arena *a, struct json *o);
void validate_node(struct field_errors *e, const struct json *object, const struct json *old);

void volume_claim_defaults(struct arena *a, struct json *o);

void service_defaults(struct arena *a, struct json *o);
void service_prepare_update(struct arena *a, struct json *object, const struct json *old, const char *sub);
void validate_service(struct field_errors *e, const struct json *object, const struct json *old);

#endif
