/* ID tokens of an OpenID Connect issuer: its keys are found by discovery, fetched, and fetched again when a token names
 * one that is not known. API loop. */
#ifndef K3X_API_SERVER_AUTH_IDENTITY_OIDC_H
#define K3X_API_SERVER_AUTH_IDENTITY_OIDC_H

#include "api/server/auth/identity/jwt_rules.h"
#include "api/server/auth/identity/token_question.h"

struct loop;
struct oidc;
struct outgoing_pool;

/* The rules outlive it. The document of discovery lies at their discovery_url, or at the well-known path of the issuer.
 */
int oidc_new(struct loop *loop, struct outgoing_pool *pool, const struct jwt_rules *rules, struct oidc **ret,
        struct err *err);
/* Begins to fetch, so that the first token finds the keys here; whether the issuer answers is seen later. */
void oidc_start(struct oidc *o);
/* Nothing is under way. */
bool oidc_is_idle(const struct oidc *o);
/* When it is idle, as it is after the pool was closed. NULL is allowed. */
void oidc_free(struct oidc *o);

/* Is it the issuer of this one that a token names? */
bool oidc_is_of(const struct oidc *o, struct slice issuer);

/* 0 and q->user, an error, or AUTHN_LATER: then q->step tells. Audiences are not looked at: a token that is good is
 * good for the API. */
int oidc_ask(struct oidc *o, struct token_question *q, struct err *err);

#endif
