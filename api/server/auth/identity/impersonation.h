/* Acting as somebody else: the headers Impersonate-User, -Group, -Uid and -Extra-KEY. API loop. */
#ifndef K3X_API_SERVER_AUTH_IDENTITY_IMPERSONATION_H
#define K3X_API_SERVER_AUTH_IDENTITY_IMPERSONATION_H

#include "api/server/call.h"

struct http_request;
struct impersonation;

/* Of a request's headers, in the call's arena; *ret NULL: it has none. ERR_INVAL when they name nobody, or too many. */
int impersonation_read(struct call *c, const struct http_request *r, struct impersonation **ret, struct err *err);

/* Asks for the verb `impersonate` on everything that the headers name. then(c, err): err.code 0, and c->user is the
 * other one; else the 403. Never from inside. */
void impersonation_check(struct call *c, struct impersonation *i, void (*then)(struct call *c, const struct err *err));

#endif
