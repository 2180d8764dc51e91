/* Lease. */
#ifndef K3X_STORE_ETCD_CALLS_LEASE_H
#define K3X_STORE_ETCD_CALLS_LEASE_H

#include "store/etcd/serve/method.h"

etcd_handler etcd_lease_grant, etcd_lease_revoke, etcd_lease_ttl, etcd_lease_list;
etcd_opener etcd_lease_keepalive_open;

#endif
