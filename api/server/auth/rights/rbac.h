/* What roles say about bindings, in upstream's words. The authorizer itself is a row of authorize.c. API loop. */
#ifndef K3X_API_SERVER_AUTH_RIGHTS_RBAC_H
#define K3X_API_SERVER_AUTH_RIGHTS_RBAC_H

#include "api/server/auth/rights/rbac_index.h"

enum { RBAC_ABSENT_BYTES_MAX = 1024 }; /* of roles named as absent in one refusal */

/* Appends: RoleBinding "NAME/NS" of Role "ROLE" to User "U". */
void rbac_describe_grant(const struct rbac_grant *g, struct strbuf *out);
/* Appends: role.rbac.authorization.k8s.io "ROLE" not found. */
void rbac_describe_absent(const struct rbac_grant *g, struct strbuf *out);

#endif
