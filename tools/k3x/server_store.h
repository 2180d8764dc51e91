/* The datastore of a server. */
#ifndef K3X_TOOLS_K3X_SERVER_STORE_H
#define K3X_TOOLS_K3X_SERVER_STORE_H

#include "tools/k3x/server_settings.h"

struct engine;

/* Opens it as the settings say; store_close() it. The settings stay as long. Any one thread that nobody else uses these
 * settings on meanwhile. */
int server_store_open(struct server_settings *s, struct engine **ret, struct err *err);

#endif
