/* All rows of a snapshot, and walks over its groups and versions. */
#include "api/machinery/schema/resource_rows.h"

#include <string.h>

void resource_rows_init(struct resource_rows *r)
{
	r->snapshot = resources_snapshot();
	r->rows = resources_snapshot_rows(r->snapshot, &r->count);
}

void resource_rows_release(struct resource_rows *r)
{
	resources_snapshot_unref(r->snapshot);
}

size_t resource_rows_span(const struct resource_rows *r, size_t from, bool same_version)
{
	size_t i = from + 1;
	while (i < r->count && strcmp(r->rows[i]->group, r->rows[from]->group) == 0 &&
	        (!same_version || strcmp(r->rows[i]->version, r->rows[from]->version) == 0))
		i++;
	return i;
}

size_t resource_rows_find(const struct resource_rows *r, struct slice group, struct slice version)
{
	for (size_t i = 0; i < r->count; i++)
		if (slice_is(group, r->rows[i]->group) && (!version.ptr || slice_is(version, r->rows[i]->version)))
			return i;
	return r->count;
}
