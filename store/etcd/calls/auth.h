/* Auth: switching it on and off, and logging in. */
#ifndef K3X_STORE_ETCD_CALLS_AUTH_H
#define K3X_STORE_ETCD_CALLS_AUTH_H

#include "store/etcd/serve/method.h"

etcd_handler etcd_auth_enable, etcd_auth_disable, etcd_auth_status, etcd_authenticate;

#endif
