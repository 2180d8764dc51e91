/* What each source of a volume demands, for pods, their templates and PersistentVolumes. Pure; any thread. */
#ifndef K3X_API_MACHINERY_RULES_POD_VOLUME_SOURCES_H
#define K3X_API_MACHINERY_RULES_POD_VOLUME_SOURCES_H

#include "api/machinery/rules/field_errors.h"

/* A volume of a pod at `field` ("spec.volumes[2]") must have one source, and that one must be whole. */
void validate_volume_source(struct field_errors *e, const char *field, const struct json *volume);
/* The members of one source alone: `kind` is its name ("nfs"), `field` the path of what holds it. Kinds that there are
 * not are left alone. */
void validate_source_members(struct field_errors *e, const char *field, const char *kind, const struct json *source);
/* NULL when the path has no ".." among its parts, or is relative as well; else upstream's message. */
const char *path_goes_up(struct slice path);
const char *path_not_descending(struct slice path);
/* The name of a CSI driver, as upstream's ValidateCSIDriverName. */
void validate_csi_driver_name(struct field_errors *e, const char *field, struct slice name);
/* A FieldRef or a ResourceFieldRef, of an environment variable or a file of a volume. `allowed` has commas between. */
void validate_field_ref(struct field_errors *e, const char *field, const struct json *ref, const char *allowed);
void validate_resource_ref(struct field_errors *e, const char *field, const struct json *ref, bool is_volume);

#endif
