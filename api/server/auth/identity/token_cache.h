/* What was said of tokens a moment ago, by their hash: a bounded memory, so that a webhook is not asked for every
 * request and a signature not computed for each. One loop. */
#ifndef K3X_API_SERVER_AUTH_IDENTITY_TOKEN_CACHE_H
#define K3X_API_SERVER_AUTH_IDENTITY_TOKEN_CACHE_H

#include "api/server/auth/user.h"

struct token_cache;

struct token_cache *token_cache_new(void);
void token_cache_free(struct token_cache *c); /* NULL is allowed */

/* The hash of a token under these audiences, keyed by a secret of the process: who knows it knows no token. */
void token_cache_hash(const struct token_cache *c, struct slice token, const struct slice *audiences, size_t n,
        unsigned char ret[32]);

/* False: nothing is known. *ret: a reference to the user, NULL for a token that was refused. now_ms: of the caller's
 * clock, the same as in token_cache_put(). */
bool token_cache_get(
        struct token_cache *c, const unsigned char hash[32], uint64_t now_ms, struct user **ret, uint32_t *ret_note);
/* user NULL: it was refused. A reference is taken. note: the caller's own. */
void token_cache_put(
        struct token_cache *c, const unsigned char hash[32], uint64_t until_ms, struct user *user, uint32_t note);

#endif
