/* The roles and bindings that a cluster has from its first moment, as upstream's 1.32: tables, a file for each group of
 * them. What makes objects of them is duties/policy.c. Constant data; any thread. */
#ifndef K3X_API_SERVER_AUTH_ROLES_POLICY_H
#define K3X_API_SERVER_AUTH_ROLES_POLICY_H

#include <stddef.h>

/* Lists with commas between; "" is the core group, and ",events.k8s.io" is it and another. Either `resources` or
 * `urls`. */
struct policy_rule {
	const char *verbs, *groups, *resources, *names, *urls;
};

struct policy_role {
	const char *name;
	const char *ns;         /* NULL: a ClusterRole */
	const char *aggregates; /* to "admin", "edit", "view", commas between: its labels. NULL: none */
	const char *collects;   /* "admin", ...: its rules are those of the roles with this label. NULL: its own */
	struct policy_rule rules[32]; /* ends with verbs NULL */
};

struct policy_binding {
	const char *name;
	const char *ns;       /* NULL: a ClusterRoleBinding */
	const char *role;     /* a Role of the namespace or, without one, a ClusterRole */
	const char *subjects; /* "Group:G", "User:U" or "ServiceAccount:NS/NAME", commas between; "": nobody yet */
};

/* Ends with name NULL. */
extern const struct policy_role policy_cluster_roles[]; /* policy_cluster.c */
extern const struct policy_role policy_controllers[];   /* policy_controllers.c: system:controller:NAME, bound to the
                                                           service account NAME of kube-system; `name` is NAME */
extern const struct policy_role policy_roles[];         /* policy_namespaces.c */
extern const struct policy_binding policy_cluster_bindings[]; /* policy_cluster.c */
extern const struct policy_binding policy_bindings[];         /* policy_namespaces.c */

/* The role that is called so, NULL when there is none. */
const struct policy_role *policy_find(const char *name);

#define POLICY_READ "get,list,watch"
#define POLICY_WRITE "create,delete,deletecollection,patch,update"
#define POLICY_ALL "create,delete,deletecollection,get,list,patch,update,watch"
#define POLICY_EVENTS \
	{ \
		"create,patch,update", ",events.k8s.io", "events" \
	}

#endif
