/* The tokens by which others join this server's cluster, as files. */
#ifndef K3X_TOOLS_K3X_KEYS_SERVER_TOKEN_H
#define K3X_TOOLS_K3X_KEYS_SERVER_TOKEN_H

#include "tools/k3x/server_settings.h"

/* Makes server/token, server/node-token and, where --agent-token asks for it, server/agent-token; or checks that what
 * is there fits the flags. Any one thread. ERR_INVAL: a flag says something else than the file. */
int server_token_prepare(struct server_settings *s, const char *ca_pem, struct err *err);

/* The secret in server/token, in the arena. ERR_NOT_FOUND: there is none. */
int server_token_secret(struct server_settings *s, struct slice *ret, struct err *err);

#endif
