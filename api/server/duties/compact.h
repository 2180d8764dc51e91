/* Regular compaction of the store. See compact.c. */
#ifndef K3X_API_SERVER_DUTIES_COMPACT_H
#define K3X_API_SERVER_DUTIES_COMPACT_H

#include "base/err.h"

struct api_server;

struct compactor;

struct compactor *compactor_new(struct api_server *s);
/* Frees it, when a compaction under way has been answered; closed(server) is called from the loop. */
void compactor_close(struct compactor *k, void (*closed)(struct api_server *s));

#endif
