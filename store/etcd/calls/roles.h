/* Auth: roles. */
#ifndef K3X_STORE_ETCD_CALLS_ROLES_H
#define K3X_STORE_ETCD_CALLS_ROLES_H

#include "store/etcd/serve/method.h"

etcd_handler etcd_role_add, etcd_role_get, etcd_role_list, etcd_role_delete;
etcd_handler etcd_role_grant_permission, etcd_role_revoke_permission;

#endif
