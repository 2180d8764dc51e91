/* Who is bound to which roles: roles and bindings of the watch cache, compiled, by user and group. API loop. */
#ifndef K3X_API_SERVER_AUTH_RIGHTS_RBAC_INDEX_H
#define K3X_API_SERVER_AUTH_RIGHTS_RBAC_INDEX_H

#include "api/server/auth/rights/rbac_rules.h"

struct cache;
struct object;
struct rbac_index;

/* A subject of a binding, as it was written. */
struct rbac_subject {
	struct slice kind, name, ns; /* ns: of a ServiceAccount */
};

/* What binds somebody to a role. Borrowed: good until the loop's next turn. */
struct rbac_grant {
	struct slice name, ns; /* of the binding; ns empty: a ClusterRoleBinding */
	struct slice role_kind, role_name;
	const struct rbac_subject *subject;
	const struct rbac_rules *rules; /* NULL: there is no such role */
};

enum rbac_kind { RBAC_ROLE, RBAC_CLUSTER_ROLE, RBAC_ROLE_BINDING, RBAC_CLUSTER_ROLE_BINDING, RBAC_KINDS };

/* Follows the cache; NULL: is told by rbac_index_change() alone. */
struct rbac_index *rbac_index_new(struct cache *c);
/* An object has come (before NULL), changed or gone (now NULL). */
void rbac_index_change(
        struct rbac_index *x, enum rbac_kind kind, const struct object *before, const struct object *now);
/* Before the cache closes. NULL is allowed. */
void rbac_index_free(struct rbac_index *x);

/* Calls fn with all that binds the user: cluster-wide, then (ns not empty) in the namespace; until it returns false. As
 * fresh as the cache. */
void rbac_index_each(struct rbac_index *x, const struct user *u, struct slice ns,
        bool (*fn)(void *arg, const struct rbac_grant *g), void *arg);
/* The first that allows it; false when none does. */
bool rbac_index_allows(struct rbac_index *x, const struct attributes *a, struct rbac_grant *ret);
/* The rules of a role; kind is "Role" or "ClusterRole". NULL: there is none. Borrowed as above. */
const struct rbac_rules *rbac_index_role(struct rbac_index *x, struct slice kind, struct slice ns, struct slice name);

#endif
