/* What core.c and the other files of its group share. */
#ifndef K3X_API_MACHINERY_RULES_GROUPS_CORE_CORE_INT_H
#define K3X_API_MACHINERY_RULES_GROUPS_CORE_CORE_INT_H

#include "api/machinery/rules/validate.h"

struct warnings;

void validate_config_map(struct field_errors *e, const struct json *object, const struct json *old);
void secret_defaults(struct arena *a, struct json *o);
void secret_string_data(struct arena *a, struct json *object);
void secret_update(struct arena *a, struct json *object, const struct json *old, const char *sub);
void validate_secret(struct field_errors *e, const struct json *object, const struct json *old);

void endpoints_defaults(struct arena *a, struct json *o);
void validate_endpoints(struct field_errors *e, const struct json *object, const struct json *old);

/* In the words of either group. */
void validate_event(struct field_errors *e, const struct json *object, const struct json *old);
int event_convert(struct arena *a, struct json *object, const struct resource *to, struct err *err);

void node_defaults(struct arena *a, struct json *o);
void validate_node(struct field_errors *e, const struct json *object, const struct json *old);
void validate_node_status(struct field_errors *e, const struct json *object, const struct json *old);

void persistent_volume_claim_defaults(struct arena *a, struct json *o);
void claim_prepare_create(struct arena *a, struct json *object);
void claim_prepare_update(struct arena *a, struct json *object, const struct json *old, const char *sub);
/* `before`: the spec that was there, NULL: none. */
void validate_claim_spec(struct field_errors *e, const char *base, const struct json *spec, const struct json *before);
void validate_claim(struct field_errors *e, const struct json *object, const struct json *old);
void validate_claim_status(struct field_errors *e, const struct json *object, const struct json *old);
void validate_volume(struct field_errors *e, const struct json *object, const struct json *old);

void service_defaults(struct arena *a, struct json *o);
void service_prepare_update(struct arena *a, struct json *object, const struct json *old, const char *sub);
void validate_service(struct field_errors *e, const struct json *object, const struct json *old);
void validate_service_status(struct field_errors *e, const struct json *object, const struct json *old);

void warn_of_service(struct warnings *w, const struct json *object, const struct json *old);
void warn_of_volume(struct warnings *w, const struct json *object, const struct json *old);
void warn_of_claim(struct warnings *w, const struct json *object, const struct json *old);

#endif
