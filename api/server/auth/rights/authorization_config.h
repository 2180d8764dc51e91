/* AuthorizationConfiguration: which authorizers there are, in their order (--authorization-config). What the arguments
 * authorization-mode and authorization-webhook-... say becomes one, too. Any thread. */
#ifndef K3X_API_SERVER_AUTH_RIGHTS_AUTHORIZATION_CONFIG_H
#define K3X_API_SERVER_AUTH_RIGHTS_AUTHORIZATION_CONFIG_H

#include "api/server/arguments.h"
#include "api/server/auth/attributes.h"
#include "base/json/json.h"

struct match_conditions;

enum authorizer_type { AUTHORIZER_NODE, AUTHORIZER_RBAC, AUTHORIZER_WEBHOOK, AUTHORIZER_ALLOW, AUTHORIZER_DENY };

struct authorizer_config {
	enum authorizer_type type;
	const char *name;
	/* of a webhook */
	const char *kubeconfig; /* NULL: the cluster that this process is a pod of */
	const char *api_version;
	unsigned timeout_ms;
	uint64_t authorized_ttl_ms, unauthorized_ttl_ms;
	bool denies_on_failure;
	const struct match_conditions *conditions; /* NULL: none */
};

enum { AUTHORIZERS_MAX = 64 };

struct authorization_config {
	struct arena arena;
	struct authorizer_config items[AUTHORIZERS_MAX];
	size_t count;
};

/* Of a file's text. ERR_INVAL in upstream's words. */
int authorization_config_parse(struct slice text, struct authorization_config **ret, struct err *err);
int authorization_config_load(const char *path, struct authorization_config **ret, struct err *err);
/* Of the arguments. */
int authorization_config_of_arguments(
        const struct api_authorization_arguments *args, struct authorization_config **ret, struct err *err);
void authorization_config_free(struct authorization_config *c); /* NULL is allowed */

enum authorizer_match { AUTHORIZER_IS_ASKED, AUTHORIZER_IS_PASSED_OVER, AUTHORIZER_HAS_FAILED };
/* Do its conditions hold for the question? HAS_FAILED: one cannot be told; words in *ret_why, in the arena. */
enum authorizer_match authorizer_matches(
        const struct authorizer_config *c, struct arena *a, const struct attributes *z, const char **ret_why);

#endif
