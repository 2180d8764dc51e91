/* Tokens that somebody else knows: a webhook is asked with a TokenReview, and its answer is remembered. API loop. */
#ifndef K3X_API_SERVER_AUTH_IDENTITY_TOKEN_WEBHOOK_H
#define K3X_API_SERVER_AUTH_IDENTITY_TOKEN_WEBHOOK_H

#include "api/server/arguments.h"
#include "api/server/auth/identity/token_question.h"

struct loop;
struct outgoing_pool;
struct token_webhook;

/* Reads the kubeconfig that names the webhook. *args outlives it. */
int token_webhook_new(struct loop *loop, struct outgoing_pool *pool, const struct api_token_webhook_arguments *args,
        struct token_webhook **ret, struct err *err);
/* After the pool was closed. NULL is allowed. */
void token_webhook_free(struct token_webhook *w);

/* Audiences of the question are set (the first 32 are looked at). 0 with q->user, ERR_UNAUTHENTICATED, or AUTHN_LATER:
 * then q->step tells. q->good_for is filled when the webhook names audiences; when it names none it speaks for the API,
 * which is for the caller to look at. */
int token_webhook_ask(struct token_webhook *w, struct token_question *q, struct err *err);

#endif
