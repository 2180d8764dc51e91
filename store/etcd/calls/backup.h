/* Hashes, and snapshots while the store runs. */
#ifndef K3X_STORE_ETCD_CALLS_BACKUP_H
#define K3X_STORE_ETCD_CALLS_BACKUP_H

#include "store/etcd/serve/method.h"

etcd_handler etcd_hash, etcd_hash_kv;
etcd_opener etcd_snapshot_open;

#endif
