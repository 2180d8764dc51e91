/* What an ID token of an OpenID Connect issuer says, and who that is here. Pure, any thread. */
#ifndef K3X_API_SERVER_AUTH_OIDC_CLAIMS_H
#define K3X_API_SERVER_AUTH_OIDC_CLAIMS_H

#include "api/server/arguments.h"
#include "api/server/auth/user.h"
#include "base/err.h"

/* Checks the arguments among themselves: ERR_INVAL names the one that is missing or odd. */
int oidc_arguments_check(const struct api_oidc_arguments *o, struct err *err);

/* May tokens be signed by this algorithm? */
bool oidc_allows(const struct api_oidc_arguments *o, struct slice algorithm);

/* Whose token it is that has these claims, once its signature is known to fit: *ret is a reference, *expires_s when it
 * ends. The prefix of names, when none is set, is the issuer and '#', but none for the claim "email"; "-" says none.
 * ERR_UNAUTHENTICATED says what is amiss. */
int oidc_user(const struct api_oidc_arguments *o, struct slice claims, int64_t now_s, struct user **ret,
        int64_t *expires_s, struct err *err);

#endif
