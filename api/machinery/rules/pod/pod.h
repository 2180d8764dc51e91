/* Pods and pod templates, for the groups that have them. */
#ifndef K3X_API_MACHINERY_RULES_POD_POD_H
#define K3X_API_MACHINERY_RULES_POD_POD_H

#include "api/machinery/rules/validate.h"

void pod_defaults(struct arena *a, struct json *o);
void pod_spec_defaults(struct arena *a, struct json *spec);
/* Of spec.template in a workload. */
void pod_template_defaults(struct arena *a, struct json *o);
void pod_prepare_create(struct arena *a, struct json *object);
/* "Guaranteed", "Burstable" or "BestEffort". */
const char *pod_qos_class(const struct json *spec);
/* A write of a subresource changes its part alone: ephemeralcontainers that list, resize the containers' resources. */
void pod_prepare_update(struct arena *a, struct json *object, const struct json *old, const char *sub);

void pod_prepare_resize(struct arena *a, struct json *object, const struct json *old);

struct warnings;

/* What is told of a pod, or of a template at `base` ("spec.template."), that is accepted. */
void warn_of_pod(struct warnings *w, const char *base, const struct json *meta, const struct json *spec);
void warn_of_new_pod(struct warnings *w, const struct json *object, const struct json *old);

void validate_pod(struct field_errors *e, const struct json *object, const struct json *old);
/* After a write of a subresource: what its status says, and what was added to the ephemeral containers, which is all
 * that may happen to them. */
void validate_pod_part(struct field_errors *e, const struct json *object, const struct json *old);
/* The same of a resize: CPU and memory alone, and no other class of service. */
void validate_pod_resize(struct field_errors *e, const struct json *object, const struct json *old);
/* A selector of nodes that one of must match. */
void validate_node_selector(struct field_errors *e, const char *field, const struct json *selector);
/* spec.affinity.nodeAffinity, or one that is added to it. */
void validate_node_affinity(struct field_errors *e, const char *field, const struct json *affinity);
/* Requests and limits. */
void validate_resources(struct field_errors *e, const char *field, const struct json *resources);
/* The member tolerations of an object at `base`. */
void validate_tolerations(struct field_errors *e, const char *base, const struct json *spec);
void validate_pod_template(struct field_errors *e, const char *field, const struct json *tmpl);

#endif
