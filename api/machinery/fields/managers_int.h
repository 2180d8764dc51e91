/* What the two files of managers share. */
#ifndef K3X_API_MACHINERY_FIELDS_MANAGERS_INT_H
#define K3X_API_MACHINERY_FIELDS_MANAGERS_INT_H

#include "api/machinery/fields/managers.h"

int manager_order(const struct manager *x, const struct manager *y);
void managers_sort(struct arena *a, struct managers *m);
/* The entry of the same manager, operation, version (not of appliers) and subresource; NULL: none. */
struct manager *managers_find(const struct managers *m, const struct manager *like);
void managers_drop_empty(struct managers *m);
void managers_remove(struct managers *m, const struct manager *gone);
/* At most MANAGERS_UPDATERS_MAX entries of operation Update. */
void managers_cap(struct arena *a, struct managers *m);

#endif
