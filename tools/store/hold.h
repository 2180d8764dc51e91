/* A stop of all writes, while a cluster is moved away (STORE_HOLD_KEY, store/engine.h). Functions block; any thread but
 * the store's. See hold.c. */
#ifndef K3X_TOOLS_STORE_HOLD_H
#define K3X_TOOLS_STORE_HOLD_H

#include "store/engine.h"

struct store_hold {
	int64_t lease, version; /* the system's, while it is held */
};

/* Nothing is written from when this returns, for `seconds` at most. ERR_CONFLICT: writes are held back already. */
int store_hold_begin(struct engine *e, int64_t seconds, struct store_hold *ret, struct err *err);
/* Writes go on. That it is over already is no error. */
int store_hold_end(struct engine *e, const struct store_hold *h, struct err *err);
/* It stays so for good, and every write is told `why`. ERR_CONFLICT: it has ended meanwhile, and writes go on. */
int store_hold_for_good(struct engine *e, const struct store_hold *h, const char *why, struct err *err);
/* Whoever holds writes back, and why: they go on. */
int store_hold_undo(struct engine *e, struct err *err);

#endif
