/* Proxies in front of the server: whoever shows a certificate of their CA says in headers for whom it asks. Pure, any
 * thread. */
#ifndef K3X_API_SERVER_AUTH_IDENTITY_FRONT_PROXY_H
#define K3X_API_SERVER_AUTH_IDENTITY_FRONT_PROXY_H

#include "api/server/arguments.h"
#include "api/server/auth/user.h"
#include "base/err.h"

struct http_request;

/* Checks the arguments among themselves. client_ca_file: the CA of clients, which must be another one unless names say
 * who is a proxy: else every client could be anybody. */
int front_proxy_check(const struct api_front_proxy_arguments *o, const char *client_ca_file, struct err *err);

/* *ret is a reference to whom the headers name; NULL: the peer is no proxy, or names nobody. ERR_UNAUTHENTICATED: too
 * many groups, or an extra key that is not percent-encoded as it should be. */
int front_proxy_user(
        const struct api_front_proxy_arguments *o, const struct http_request *r, struct user **ret, struct err *err);

#endif
