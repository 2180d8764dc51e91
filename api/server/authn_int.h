/* Who is asking: client certificates, service account tokens. */
#ifndef K3X_API_SERVER_AUTHN_INT_H
#define K3X_API_SERVER_AUTHN_INT_H

#include "api/server/server_int.h"

struct authenticator;

/* Loads the service account key. */
int authenticator_new(struct api_server *s, struct authenticator **ret, struct err *err);
void authenticator_free(struct authenticator *a);

/* Fills c->user from the peer's certificate or the bearer token of the request. ERR_UNAUTHENTICATED when neither proves
 * anything. */
int authn_request(struct call *c, struct http_exchange *x, struct err *err);
/* A bearer token: fills the user (bytes in the arena) and, when not NULL, the audiences it was made for. */
int authn_token(struct api_server *s, struct arena *a, struct slice token, struct user *user, struct json **audiences,
        struct err *err);

/* Signs a service account token with these claims (JSON text). Appends. */
int authn_sign(struct api_server *s, struct slice claims, struct strbuf *out, struct err *err);
const char *authn_issuer(const struct api_server *s);

#endif
