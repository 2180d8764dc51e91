/* What the downward API may name: fields of a pod and of a container's resources, as text. Any thread that may read the
 * pod. */
#ifndef K3X_NODE_GROUND_POD_FIELDS_H
#define K3X_NODE_GROUND_POD_FIELDS_H

#include "base/err.h"
#include "node/ground/pod_record.h"

/* metadata.name, metadata.labels['x'], status.podIP, ...: NULL when there is no such field. */
const char *pod_field(const struct pod *p, struct arena *a, struct slice path);
/* NULL: err says what is wrong with the reference. */
const char *pod_resource_field(
        const struct pod *p, struct arena *a, const struct json *container, const struct json *ref, struct err *err);

#endif
