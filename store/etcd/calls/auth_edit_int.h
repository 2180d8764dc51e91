/* Changes of users and roles, gathered and submitted as one. */
#ifndef K3X_STORE_ETCD_CALLS_AUTH_EDIT_INT_H
#define K3X_STORE_ETCD_CALLS_AUTH_EDIT_INT_H

#include "store/etcd/serve/call.h"

struct etcd_edit {
	struct etcd_call *call;
	struct store_system_entry *list;
	size_t n, cap;
	uint64_t revision; /* of the auth store, after it */
};

/* Room for `max` changes beside that of the revision, which is raised. Memory is the call's. */
struct etcd_edit etcd_edit_begin(struct etcd_call *c, size_t max);
void etcd_edit_set(struct etcd_edit *e, const char *kind, struct slice name, struct slice value);
void etcd_edit_drop(struct etcd_edit *e, const char *kind, struct slice name);
void etcd_edit_user(struct etcd_edit *e, const Etcdpb__User *u);
void etcd_edit_role(struct etcd_edit *e, const Etcdpb__Role *r);
/* The user as it is, but for one role. */
void etcd_edit_user_without(struct etcd_edit *e, const struct etcd_user *old, const char *role);
/* Submits, and answers the call with a header. */
void etcd_edit_submit(struct etcd_edit *e);
/* The answer of a change that changes nothing. */
void etcd_edit_none(struct etcd_call *c);

#endif
