/* Rows of the resource registry made from a CustomResourceDefinition.
 *
 *     struct custom_resources set;
 *     if (custom_resources_make(arena, crd, &set, &err) == 0)
 *             for (size_t i = 0; i < set.count; i++)
 *                     if (set.served[i]) resources_add(&set.rows[i], &err);
 *
 * The arena must live as long as the rows: until the process ends. The CRD is expected to have passed validation and
 * defaulting; what is missing all the same is refused. Any thread. */
#ifndef K3X_API_MACHINERY_SCHEMA_CUSTOM_RESOURCE_H
#define K3X_API_MACHINERY_SCHEMA_CUSTOM_RESOURCE_H

#include "api/machinery/schema/resources.h"

struct custom_resources {
	struct resource *rows; /* one for each version, in the CRD's order; `custom` is NULL and the caller's to set */
	bool *served;          /* spec.versions[i].served */
	size_t count;
};

/* Every row knows the row of the storage version as its `storage`, served or not. ERR_INVAL names what is missing. */
int custom_resources_make(struct arena *a, const struct json *crd, struct custom_resources *out, struct err *err);

#endif
