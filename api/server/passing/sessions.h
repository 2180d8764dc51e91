/* Connections that were upgraded: bytes both ways, until either side ends or the server does. API loop. */
#ifndef K3X_API_SERVER_PASSING_SESSIONS_H
#define K3X_API_SERVER_PASSING_SESSIONS_H

#include "api/server/call.h"
#include "base/wire/http_client.h"

/* Takes over the connections and the client. The call, which the session keeps a reference to, is audited as over when
 * the session is. */
void session_begin(struct call *c, struct http_client *client, struct conn *near, struct conn *far);

/* Ends those that are open; closed(arg) when none is left, maybe from inside. */
void sessions_close(struct api_server *s, void (*closed)(void *arg), void *arg);

#endif
