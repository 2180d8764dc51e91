/* Roles and bindings of the tables as objects, and what stored ones lack of them. Pure; any thread. */
#ifndef K3X_API_SERVER_DUTIES_ROLES_RECONCILE_H
#define K3X_API_SERVER_DUTIES_ROLES_RECONCILE_H

#include "api/server/auth/roles/policy.h"
#include "base/json/json.h"

/* In the arena; `name` NULL: the row's. */
struct json *role_object(struct arena *a, const struct policy_role *r, const char *name);
struct json *binding_object(struct arena *a, const struct policy_binding *b);

/* Adds to the stored object what it lacks of the wanted one: rules, selectors, subjects, labels, annotations; nothing
 * is taken away. False: it lacks nothing, or its annotation rbac.authorization.kubernetes.io/autoupdate is "false". */
bool role_reconcile(struct arena *a, struct json *stored, const struct json *wanted);
/* *ret_is_other: it binds another role, which an update cannot mend: it is to be made anew. */
bool binding_reconcile(struct arena *a, struct json *stored, const struct json *wanted, bool *ret_is_other);

#endif
