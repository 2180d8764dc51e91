/* Who is asking: client certificates; tokens of service accounts, of a file, of an OIDC issuer, that a webhook knows,
 * bootstrap tokens; join tokens. API loop. */
#ifndef K3X_API_SERVER_AUTH_IDENTITY_AUTHN_H
#define K3X_API_SERVER_AUTH_IDENTITY_AUTHN_H

#include "api/server/auth/identity/claims.h"
#include "api/server/auth/identity/token_question.h"
#include "base/err.h"

struct api_server;
struct authenticator;
struct http_exchange;
struct legacy_tokens;

/* Loads the service account keys (the first in the file signs, the others verify too) and what the arguments name:
 * files, an issuer, a webhook. */
int authenticator_new(struct api_server *s, struct authenticator **ret, struct err *err);
/* The server is up: what must be fetched from others is. */
void authenticator_start(struct authenticator *a);
void authenticator_free(struct authenticator *a);
/* Now and then: the file of --authentication-config is read again when it has changed; on error its issuers stay as
 * they were. */
void authenticator_look(struct api_server *s);
void authenticator_metrics(const struct api_server *s, struct strbuf *out);
/* May somebody who proves nothing ask for this path as system:anonymous, as that file says? */
bool authn_allows_anonymous(const struct api_server *s, struct slice path);
/* Reads the key and the join tokens again; on error those of before stay. Tokens signed with a key that is in the
 * file no more are good no more. */
int authenticator_reload(struct api_server *s, struct err *err);

/* q->user is a reference to who the peer's certificate or the bearer token of the request says it is. 0, an error, or
 * AUTHN_LATER (then q->done tells, and q->token is a copy in q->arena). ERR_UNAUTHENTICATED when neither proves
 * anything; then `*is_silent` says that neither was there. q's arena, done and arg are set. */
int authn_request(
        struct api_server *s, struct http_exchange *x, struct token_question *q, bool *is_silent, struct err *err);

/* Of a bearer token alone. */
int authn_token(struct api_server *s, struct token_question *q, struct err *err);

/* The tokens in Secrets that were used; see legacy_token.h. */
struct legacy_tokens *authn_legacy_tokens(const struct api_server *s);

/* Signs a service account token with these claims. Appends. */
int authn_sign(struct api_server *s, const struct claims *claims, struct strbuf *out, struct err *err);
const char *authn_issuer(const struct api_server *s);
/* For whom tokens are made when nobody says for whom: in the arguments' order. */
size_t authn_audiences(const struct api_server *s, const struct slice **ret);
/* Appends the documents by which others find our keys: OpenID Connect's discovery, and the keys. */
void authn_write_discovery(const struct api_server *s, struct strbuf *out);
void authn_write_keys(const struct api_server *s, struct strbuf *out);

#endif
