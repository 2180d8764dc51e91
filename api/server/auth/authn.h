/* Who is asking: client certificates, service account tokens, bootstrap tokens, join tokens. API loop. */
#ifndef K3X_API_SERVER_AUTH_AUTHN_H
#define K3X_API_SERVER_AUTH_AUTHN_H

#include "api/server/auth/claims.h"
#include "api/server/auth/user.h"
#include "base/err.h"

struct api_server;
struct authenticator;
struct http_exchange;

/* Loads the service account keys: the first in the file signs, the others verify too. */
int authenticator_new(struct api_server *s, struct authenticator **ret, struct err *err);
void authenticator_free(struct authenticator *a);
/* Reads the key and the join tokens again; on error those of before stay. Tokens signed with a key that is in the
 * file no more are good no more. */
int authenticator_reload(struct api_server *s, struct err *err);

/* *ret is a reference to who the peer's certificate or the bearer token of the request says it is. ERR_UNAUTHENTICATED
 * when neither proves anything; then `*is_silent` says that neither was there. */
int authn_request(struct api_server *s, struct http_exchange *x, struct user **ret, bool *is_silent, struct err *err);

/* Of a bearer token; and what it says, in the arena: nothing when it is a bootstrap token. */
int authn_token(struct api_server *s, struct arena *a, struct slice token, struct user **ret, struct claims *ret_claims,
        struct err *err);

/* Signs a service account token with these claims. Appends. */
int authn_sign(struct api_server *s, const struct claims *claims, struct strbuf *out, struct err *err);
const char *authn_issuer(const struct api_server *s);

#endif
