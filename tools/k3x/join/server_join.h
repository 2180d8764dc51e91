/* Joining the cluster of another server: `k3x server --server URL --token TOKEN`. */
#ifndef K3X_TOOLS_K3X_JOIN_SERVER_JOIN_H
#define K3X_TOOLS_K3X_JOIN_SERVER_JOIN_H

#include "tools/k3x/server_settings.h"

struct server_store;

/* First of all: does this server have to join, or go on joining, or is it a member already? When it joins, the
 * cluster's keys and id are fetched and written here. ERR_* say what does not fit and the mend. Blocks. */
int server_join_begin(struct server_settings *s, bool *is_joining, struct err *err);

/* Its store is open: becomes a member, catches up, and is given a vote; waits for all of that. */
int server_join_finish(struct server_settings *s, struct server_store *store, struct err *err);

#endif
