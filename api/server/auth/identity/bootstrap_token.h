/* Bootstrap tokens, "abcdef.0123456789abcdef": credentials that have an end, for machines that come in and then have
 * better ones. Each is a Secret of the type bootstrap.kubernetes.io/token in kube-system, made by `k3x token create` or
 * by anybody who may make Secrets there. */
#ifndef K3X_API_SERVER_AUTH_IDENTITY_BOOTSTRAP_TOKEN_H
#define K3X_API_SERVER_AUTH_IDENTITY_BOOTSTRAP_TOKEN_H

#include "api/server/auth/user.h"
#include "base/err.h"

struct api_server;

#define BOOTSTRAP_TOKEN_SECRET_TYPE "bootstrap.kubernetes.io/token"
#define BOOTSTRAP_TOKEN_SECRET_PREFIX "bootstrap-token-"

enum { BOOTSTRAP_TOKEN_ID_BYTES = 6, BOOTSTRAP_TOKEN_SECRET_BYTES = 16 };

struct bootstrap_token {
	struct slice id, secret; /* point into the text */
};

/* Is it "ID.SECRET", of six and sixteen small letters and digits? Pure, any thread. */
bool bootstrap_token_parse(struct slice text, struct bootstrap_token *ret);

/* May a token have this group? "system:bootstrappers:" and small letters, digits, ':' and '-'. Pure. */
bool bootstrap_token_is_group(struct slice group);

/* What the text of a Secret says of a token that was shown: *ret is a reference to the user system:bootstrap:ID.
 * ERR_UNAUTHENTICATED says why not, without repeating the token. Pure. */
int bootstrap_token_judge(
        const struct bootstrap_token *t, struct slice secret_object, int64_t now_s, struct user **ret, struct err *err);

/* Finds the Secret and asks it. API loop. */
int bootstrap_token_user(struct api_server *s, const struct bootstrap_token *t, struct user **ret, struct err *err);

#endif
