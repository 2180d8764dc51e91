/* AuthenticationConfiguration: issuers of tokens and who may be anonymous (--authentication-config). Any thread. */
#ifndef K3X_API_SERVER_AUTH_IDENTITY_AUTHENTICATION_CONFIG_H
#define K3X_API_SERVER_AUTH_IDENTITY_AUTHENTICATION_CONFIG_H

#include "api/server/auth/identity/jwt_rules.h"

enum { JWT_ISSUERS_MAX = 64 };

struct authentication_config {
	struct arena arena;
	const struct jwt_rules *issuers[JWT_ISSUERS_MAX];
	size_t count;
	/* Who proves nothing may ask as system:anonymous: everything, or these paths alone. */
	bool allows_anonymous;
	const char *const *anonymous_paths;
	size_t n_anonymous_paths;
};

/* Of a file's text. own: the issuers of service accounts, whose tokens are nobody else's. ERR_INVAL in upstream's
 * words. */
int authentication_config_parse(
        struct slice text, const struct flag_list *own, struct authentication_config **ret, struct err *err);
int authentication_config_load(
        const char *path, const struct flag_list *own, struct authentication_config **ret, struct err *err);
void authentication_config_free(struct authentication_config *c); /* NULL is allowed */

#endif
