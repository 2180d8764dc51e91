/* The way of a request: everything between the transport that took it and the handler that answers it. */
#ifndef K3X_API_SERVER_DISPATCH_H
#define K3X_API_SERVER_DISPATCH_H

#include "api/server/call.h"

/* The head of the request is in the call (method, path, query, headers, user); answers it, now or later. API loop. */
void api_dispatch(struct call *c);

/* Answers a call that the transport does not let in: it is not known who asks (401, c->user NULL), what he says of whom
 * he acts as is wrong, or the server is not ready. API loop. */
void api_refuse(struct call *c, const struct err *err);

#endif
