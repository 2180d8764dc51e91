/* The kinds of networking.k8s.io that are too long for one file. Private to groups/. */
#ifndef K3X_API_MACHINERY_RULES_GROUPS_NETWORKING_INT_H
#define K3X_API_MACHINERY_RULES_GROUPS_NETWORKING_INT_H

#include "api/machinery/rules/field_errors.h"

void network_policy_defaults(struct arena *a, struct json *o);
void validate_network_policy(struct field_errors *e, const struct json *object, const struct json *old);

void validate_ingress(struct field_errors *e, const struct json *object, const struct json *old);
void validate_ingress_status(struct field_errors *e, const struct json *object, const struct json *old);

void ingress_class_defaults(struct arena *a, struct json *o);
void validate_ingress_class(struct field_errors *e, const struct json *object, const struct json *old);

#endif
