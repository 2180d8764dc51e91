/* A cluster that runs, as the source of a migration: copies of it, and the stop of its writes. See live.c. Functions
 * block; one thread. */
#ifndef K3X_TOOLS_MOVING_LIVE_H
#define K3X_TOOLS_MOVING_LIVE_H

#include "tools/operate/admin.h"
#include "tools/store/hold.h"
#include "tools/store/source.h"

/* Zeroed but for `source` before live_open(); released after. */
struct live {
	struct store_source *source; /* of a data directory: its copies are the server's from live_open() on */
	struct admin admin;
	struct store_hold hold;
	bool is_held;
};

/* A datastore's name: the source is to be opened before. A data directory (DATA/server/db): finds the server of it, by
 * its kubeconfig. */
int live_open(struct live *l, struct err *err);

/* Nothing is written from when this returns, for `seconds` at most: then writes go on, whatever becomes of us. */
int live_hold(struct live *l, int64_t seconds, struct err *err);
/* Writes go on. Nothing when they are not held. */
void live_end(struct live *l);
/* They don't go on any more, and are told why. ERR_CONFLICT: the time was over before. */
int live_end_for_good(struct live *l, const char *why, struct err *err);
/* Whoever holds writes back: they go on. */
int live_undo(struct live *l, struct err *err);

void live_release(struct live *l);

#endif
