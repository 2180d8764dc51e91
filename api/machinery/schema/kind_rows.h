/* What the registry asks of the rooms above it when it makes a built-in row: api/machinery/rules/kinds.c answers. */
#ifndef K3X_API_MACHINERY_SCHEMA_KIND_ROWS_H
#define K3X_API_MACHINERY_SCHEMA_KIND_ROWS_H

struct kind_ops;

/* The behaviour of a built-in kind, NULL when nothing about it is particular. */
const struct kind_ops *kind_ops_find(const char *group, const char *kind);

#endif
