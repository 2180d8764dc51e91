/* What `kubectl get` prints: the columns of a kind and the cells of an object, as upstream's printers make them
 * (meta.k8s.io/v1 Table). Kinds without columns of their own print NAME and AGE. Reads object texts with the scanner,
 * or a small arena tree where a cell needs arithmetic. Any thread. */
#ifndef K3X_API_MACHINERY_TABLE_TABLE_H
#define K3X_API_MACHINERY_TABLE_TABLE_H

#include "api/machinery/schema/resources.h"

/* Appends the columnDefinitions array. */
void table_write_columns(struct strbuf *out, const struct resource *r);

/* Appends the cells array of one object. now_s: wall clock in seconds, for ages. */
void table_write_cells(struct strbuf *out, const struct resource *r, struct slice object_text, int64_t now_s);

#endif
