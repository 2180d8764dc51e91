/* What comes along, what changes and what does not, counted: the table that import and export print. See k3s_table.c.
 */
#ifndef K3X_TOOLS_MOVING_K3S_TABLE_H
#define K3X_TOOLS_MOVING_K3S_TABLE_H

#include "base/mem/str.h"

#include <stdint.h>
#include <stdio.h>

enum k3s_fate { K3S_TAKEN, K3S_CHANGED, K3S_LEFT, K3S_FATES };

enum { K3S_TABLE_ROWS_MAX = 512 };

struct k3s_table_row {
	char what[96];
	enum k3s_fate fate;
	const char *why;
	int64_t n;
};

/* Zeroed before its first use; nothing to release. */
struct k3s_table {
	struct k3s_table_row rows[K3S_TABLE_ROWS_MAX];
	size_t n;
	int64_t objects[K3S_FATES]; /* of k3s_table_count() alone */
};

/* One more of what this key is of: "configmaps", "example.com/boats". why: a constant; NULL: nothing to say. */
void k3s_table_count(struct k3s_table *t, struct slice key, enum k3s_fate fate, const char *why);
/* A line of its own. */
void k3s_table_add(struct k3s_table *t, const char *what, enum k3s_fate fate, const char *why);
/* Sorted: what is taken, what changes, what is left out. */
void k3s_table_print(struct k3s_table *t, FILE *out);

#endif
