/* The way back to one server: `k3x server --cluster-reset`. */
#ifndef K3X_TOOLS_K3X_SERVER_RESET_H
#define K3X_TOOLS_K3X_SERVER_RESET_H

#include "tools/k3x/server_settings.h"

/* Makes this server, which is stopped, the only one of its cluster: from its own data, or from a snapshot. Prints what
 * was done and what to do next. Keys and tokens stay. ERR_LOCKED: it runs. */
int server_reset(struct server_settings *s, struct err *err);

#endif
