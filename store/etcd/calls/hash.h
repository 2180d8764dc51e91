/* Hashes of what the store holds. */
#ifndef K3X_STORE_ETCD_CALLS_HASH_H
#define K3X_STORE_ETCD_CALLS_HASH_H

#include "store/etcd/serve/method.h"

etcd_handler etcd_hash, etcd_hash_kv;

#endif
