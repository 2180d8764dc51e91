/* Rows of the resource registry made from a CustomResourceDefinition.
 *
 *     struct custom_resources *set;
 *     if (custom_resources_new(crd, &set, &err) == 0)
 *             for (size_t i = 0; i < set->count; i++)
 *                     if (set->served[i]) resources_add(&set->rows[i], &err);
 *     ...
 *     resources_retire(&set->rows[i]), ..., custom_resources_unref(set);
 *
 * The rows, and the types of their schemas, lie in one arena that is freed when nobody has a reference any more: who
 * made them, and every snapshot of the registry that shows one. The CRD is expected to have passed validation and
 * defaulting; what is missing all the same is refused. Any thread. */
#ifndef K3X_API_MACHINERY_SCHEMA_CUSTOM_RESOURCE_H
#define K3X_API_MACHINERY_SCHEMA_CUSTOM_RESOURCE_H

#include "api/machinery/schema/resources.h"

struct custom_resources {
	struct resource_owner owner; /* of every row */
	struct arena arena;
	struct resource *rows; /* one for each version, in the CRD's order; `custom` and `columns` are NULL and the
	                          caller's to set */
	bool *served;          /* spec.versions[i].served */
	size_t count;
	atomic_bool is_terminating; /* the caller's to set, at any time */
	/* The caller's, before the rows are seen by anybody: how versions are converted, and its end, which comes with
	 * the last reference, on any thread. */
	struct resource_conversion *conversion;
	void (*free_conversion)(struct resource_conversion *c);
};

/* Every row knows the row of the storage version as its `storage`, served or not. ERR_INVAL names what is missing. The
 * tree is read during the call alone. */
int custom_resources_new(const struct json *crd, struct custom_resources **ret, struct err *err);
void custom_resources_unref(struct custom_resources *set); /* NULL is fine */

#endif
