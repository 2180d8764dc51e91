/* KV: reading and writing keys. */
#ifndef K3X_STORE_ETCD_CALLS_KV_H
#define K3X_STORE_ETCD_CALLS_KV_H

#include "store/etcd/serve/method.h"

etcd_handler etcd_range, etcd_put, etcd_delete_range, etcd_txn, etcd_compact;

#endif
