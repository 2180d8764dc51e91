/* The keys of servers that share a datastore. See server_share.c. */
#ifndef K3X_TOOLS_K3X_KEYS_SERVER_SHARE_H
#define K3X_TOOLS_K3X_KEYS_SERVER_SHARE_H

#include "store/engine.h"
#include "tools/k3x/server_settings.h"

/* Takes the cluster's keys out of the datastore with the help of --token, or begins the cluster and puts them there, so
 * that of several servers that begin at once one does. Makes certificates, and says in the settings which cluster it
 * is. The store is open. ERR_INVAL: a token is needed; ERR_UNAUTHENTICATED: it is another; ERR_CONFLICT: the data
 * directory has keys of another cluster. Slow; any one thread. */
int server_share_keys(struct server_settings *s, struct engine *store, struct err *err);

#endif
