/* The datastore of a server. Main thread. */
#ifndef K3X_TOOLS_K3X_SERVER_STORE_H
#define K3X_TOOLS_K3X_SERVER_STORE_H

#include "tools/k3x/server_settings.h"

struct engine;

/* Opens it as the settings say; store_close() it. */
int server_store_open(struct server_settings *s, struct engine **ret, struct err *err);

#endif
