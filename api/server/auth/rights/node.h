/* Who is a node. Any thread. */
#ifndef K3X_API_SERVER_AUTH_RIGHTS_NODE_H
#define K3X_API_SERVER_AUTH_RIGHTS_NODE_H

#include "api/server/auth/user.h"

/* A kubelet: system:node:NAME in system:nodes. *ret_name is empty when it does not say which. */
bool node_identity(const struct user *u, struct slice *ret_name);

#endif
