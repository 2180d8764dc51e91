/* Regular compaction of the store. See compact.c. */
#ifndef K3X_API_SERVER_COMPACT_INT_H
#define K3X_API_SERVER_COMPACT_INT_H

#include "api/server/server_int.h"

struct compactor;

struct compactor *compactor_new(struct api_server *s);
/* Frees it, when a compaction under way has been answered; closed(server) is called from the loop. */
void compactor_close(struct compactor *k, void (*closed)(struct api_server *s));

#endif
