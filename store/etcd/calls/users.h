/* Auth: users. */
#ifndef K3X_STORE_ETCD_CALLS_USERS_H
#define K3X_STORE_ETCD_CALLS_USERS_H

#include "store/etcd/serve/method.h"

etcd_handler etcd_user_add, etcd_user_get, etcd_user_list, etcd_user_delete, etcd_user_change_password;
etcd_handler etcd_user_grant_role, etcd_user_revoke_role;

#endif
