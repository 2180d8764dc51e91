/* Columns of custom resources: additionalPrinterColumns of a definition's version, their JSON paths compiled once. Lies
 * in an arena and never changes: any thread.
 *
 * Of JSONPath what printer columns are made of: .name, ['name'], [0], [*], [?(@.name=="value")], with backslashes
 * before dots in names. */
#ifndef K3X_API_MACHINERY_TABLE_CUSTOM_COLUMNS_H
#define K3X_API_MACHINERY_TABLE_CUSTOM_COLUMNS_H

#include "api/machinery/table/cells.h"
#include "base/err.h"

struct custom_columns;
struct custom_path;

/* NULL with ERR_INVAL: it is none of ours. */
const struct custom_path *custom_path_new(struct arena *a, struct slice text, struct err *err);
/* The first value it finds; NULL: none. */
const struct json *custom_path_find(const struct custom_path *p, const struct json *object);

/* Of a version of spec.versions. A column whose path is none of ours is left out (whoever writes it is told). */
const struct custom_columns *custom_columns_new(struct arena *a, const struct json *version);
void custom_columns_write(struct strbuf *out, const struct custom_columns *c);
void custom_columns_cells(struct cells *cells, const struct custom_columns *c);

#endif
