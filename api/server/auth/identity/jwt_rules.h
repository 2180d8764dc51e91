/* Whose token it is, by the rules for one issuer: which claims must hold, and what they make of a user. Rules come from
 * an AuthenticationConfiguration (authentication_config.h) or from the arguments oidc-.... Pure, any thread. */
#ifndef K3X_API_SERVER_AUTH_IDENTITY_JWT_RULES_H
#define K3X_API_SERVER_AUTH_IDENTITY_JWT_RULES_H

#include "api/server/arguments.h"
#include "api/server/auth/user.h"
#include "base/err.h"

struct cel_program;
struct cel_type;

/* A part of a user: of a claim, with a text before it, or of an expression over `claims`. Neither: it has none. */
struct jwt_mapping {
	const char *claim, *prefix;
	const struct cel_program *program;
};

struct jwt_extra {
	const char *key;
	const struct cel_program *program;
};

/* A claim that must have a value, or an expression that must be true: over `claims`, or over `user`. */
struct jwt_rule {
	const char *claim, *value;
	const struct cel_program *program;
	const char *expression, *message; /* message: "" when none was given */
};

struct jwt_rules {
	const char *issuer_url, *discovery_url, *ca_pem; /* NULL: the issuer's own, the system's roots */
	const char *const *audiences;                    /* one of which a token must be for */
	size_t n_audiences;
	const struct flag_list *algorithms; /* NULL: all that are known */
	struct jwt_mapping username, groups, uid;
	const struct jwt_extra *extras;
	const struct jwt_rule *claim_rules, *user_rules;
	size_t n_extras, n_claim_rules, n_user_rules;
};

/* Of the arguments, which are checked: ERR_INVAL names the one that is missing or odd. In the arena, and borrows from
 * them. A prefix of names that is not set is the issuer and '#', but none for the claim "email"; "-" says none. */
int jwt_rules_of_arguments(
        struct arena *a, const struct api_oidc_arguments *args, const struct jwt_rules **ret, struct err *err);

/* The types of what expressions see. */
extern const struct cel_type jwt_claims_type;

/* May tokens be signed by this algorithm? */
bool jwt_rules_allow(const struct jwt_rules *r, struct slice algorithm);

/* Whose token it is that has these claims, once its signature is known to fit: *ret is a reference, *expires_s when it
 * ends. ERR_UNAUTHENTICATED says what is amiss. */
int jwt_rules_user(const struct jwt_rules *r, struct slice claims, int64_t now_s, struct user **ret, int64_t *expires_s,
        struct err *err);

#endif
