/* Tokens of service accounts that lie in Secrets (type kubernetes.io/service-account-token): who uses one is told that
 * there are better ones, the Secret says on which day its token was used last, and one that was marked as invalid is
 * good for nothing. API loop, but for the pure functions.
 *
 * What is to be written is kept here until somebody takes it (duties/legacy_tokens.c): no request waits for it. */
#ifndef K3X_API_SERVER_AUTH_IDENTITY_LEGACY_TOKEN_H
#define K3X_API_SERVER_AUTH_IDENTITY_LEGACY_TOKEN_H

#include "api/server/auth/identity/claims.h"
#include "api/server/auth/identity/token_question.h"

struct legacy_tokens;

#define LEGACY_LAST_USED "kubernetes.io/legacy-token-last-used"
#define LEGACY_INVALID_SINCE "kubernetes.io/legacy-token-invalid-since"

/* Is the Secret to be marked as used today, if its label has this date? Not again the same day, nor when another
 * server's clock says tomorrow already. Pure. */
bool legacy_wants_mark(struct slice last_used, int64_t now_s);

struct legacy_tokens *legacy_tokens_new(void);
void legacy_tokens_free(struct legacy_tokens *l); /* NULL is allowed */

/* The claims of q->token hold otherwise. Nothing when it lies in no Secret; else q->notes and q->warning are set, and
 * ERR_UNAUTHENTICATED says in upstream's words why it is good for nothing. */
int legacy_token_check(
        struct legacy_tokens *l, struct token_question *q, const struct claims *c, int64_t now_s, struct err *err);

/* Tells each Secret that was used since the last time, and forgets it; `day` as in its label. */
void legacy_tokens_take(struct legacy_tokens *l,
        void (*fn)(void *arg, struct slice ns, struct slice name, struct slice uid, const char *day), void *arg);
/* Appends lines for /metrics. */
void legacy_tokens_metrics(const struct legacy_tokens *l, struct strbuf *out);

#endif
