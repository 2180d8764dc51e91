/* What the keys written last are in SQLite: for the applying thread, who would look each up there once per flush. */
#ifndef K3X_STORE_MACHINE_MEMORY_RECENT_ROWS_H
#define K3X_STORE_MACHINE_MEMORY_RECENT_ROWS_H

#include "base/mem/map.h"

#include <stdbool.h>
#include <stdint.h>

enum { RECENT_ROWS_MAX = 16384 };

struct recent_rows {
	struct map by_key;
	size_t key_bytes;
};

/* The newest row of a key that is there. */
struct recent_row {
	struct slice key;
	int64_t id, created, version, lease;
};

void recent_rows_release(struct recent_rows *r); /* empty, and may be used again */
void recent_rows_set(struct recent_rows *r, const struct recent_row *row);
void recent_rows_drop(struct recent_rows *r, struct slice key);
/* NULL: not known, it may be there or not. Valid until the next call that changes something. */
const struct recent_row *recent_rows_get(const struct recent_rows *r, struct slice key);

#endif
