/* Users in the reviews that webhooks are sent and answer: authentication.k8s.io's TokenReview, authorization.k8s.io's
 * SubjectAccessReview. Pure, any thread. */
#ifndef K3X_API_SERVER_AUTH_REVIEW_JSON_H
#define K3X_API_SERVER_AUTH_REVIEW_JSON_H

#include "api/server/auth/attributes.h"
#include "base/err.h"

/* Appends the review of a token, for these audiences. api_version: "authentication.k8s.io/v1". */
void token_review_write(struct strbuf *out, const char *api_version, struct slice token, const struct slice *audiences,
        size_t n_audiences);

/* What a webhook has answered to it. ERR_UNAUTHENTICATED: it does not know the token, in its words; ERR_INVAL: it is no
 * answer to such a question. Else *ret is a reference to the user, without the group of the authenticated, and
 * good_for_each(arg, audience) was called for each audience that it names. */
int token_review_read(struct slice text, void (*good_for_each)(void *arg, struct slice audience), void *arg,
        struct user **ret, struct err *err);

/* Appends the question whether somebody may do that. api_version: "authorization.k8s.io/v1" or "...v1beta1", which call
 * the groups differently. */
void access_review_write(struct strbuf *out, const char *api_version, const struct attributes *a);

/* What a webhook has answered to it: its verdict, and its reason appended. ERR_INVAL: it is no answer to such a
 * question, or says yes and no. */
int access_review_read(struct slice text, enum verdict *ret, struct strbuf *reason, struct err *err);

#endif
