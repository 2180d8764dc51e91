/* For the builders of discovery and OpenAPI documents: all rows at once. */
#ifndef K3X_API_MACHINERY_SCHEMA_RESOURCE_ROWS_H
#define K3X_API_MACHINERY_SCHEMA_RESOURCE_ROWS_H

#include "api/machinery/schema/resources.h"

struct resource_rows {
	const struct resource *const *rows;
	size_t count;
	struct resource_snapshot *snapshot;
};

void resource_rows_init(struct resource_rows *r);
void resource_rows_release(struct resource_rows *r);

/* Index behind the last row that has the group (and, unless NULL, the version) of row `from`. */
size_t resource_rows_span(const struct resource_rows *r, size_t from, bool same_version);

/* Index of the first row of a group (and version, unless its ptr is NULL); count when there is none. */
size_t resource_rows_find(const struct resource_rows *r, struct slice group, struct slice version);

#endif
