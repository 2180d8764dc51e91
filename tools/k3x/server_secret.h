/* The Secret that says where a server's snapshots go, read by the server itself. */
#ifndef K3X_TOOLS_K3X_SERVER_SECRET_H
#define K3X_TOOLS_K3X_SERVER_SECRET_H

#include "tools/k3x/server_settings.h"
#include "tools/snapshots/settings.h"

/* s3_settings_resolve() by way of this server's API, as its administrator. Blocks for as long as that takes; any thread
 * without a loop. ERR_UNAVAILABLE and its like: the API is not there yet. */
int server_s3_resolve(const struct server_settings *s, const struct s3_settings *from, struct arena *a,
        struct s3_settings *ret, struct err *err);

#endif
