/* What a service account's token says: the claims of RFC 7519 and the one of Kubernetes, as a struct. Any thread. */
#ifndef K3X_API_SERVER_AUTH_IDENTITY_CLAIMS_H
#define K3X_API_SERVER_AUTH_IDENTITY_CLAIMS_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"

/* An object that the token belongs to, or dies with. */
struct claims_object {
	bool is_named; /* the claim is there, whatever it holds */
	struct slice name, uid;
};

/* Who issues tokens of service accounts by upstream's older claims. */
#define CLAIMS_LEGACY_ISSUER "kubernetes/serviceaccount"

struct claims {
	bool is_legacy; /* that one: of namespace, account and Secret, by names alone; nothing expires */
	struct slice issuer, id, subject, ns;
	struct claims_object account, pod, secret, node;
	int64_t expires_s, issued_s, not_before_s; /* since the epoch; 0: not said */
	int64_t warn_after_s; /* whoever shows it after this should have taken a new one; 0: not said */
	const struct slice *audiences;
	size_t audience_count;
};

/* Texts are copied into the arena. What is absent or of another type is SLICE_NULL, 0 or false; a single audience is a
 * list of one. ERR_INVAL for text that is no JSON object, and for all that json_lib_parse() refuses. */
int claims_parse(struct arena *a, struct slice text, struct claims *ret, struct err *err);
/* Appends them as JSON, without what is not named; not those of upstream's older tokens, which nobody makes here. */
void claims_write(const struct claims *c, struct strbuf *out);

#endif
