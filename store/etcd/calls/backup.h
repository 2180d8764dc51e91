/* Hashes, and snapshots while the store runs. */
#ifndef K3X_STORE_ETCD_CALLS_BACKUP_H
#define K3X_STORE_ETCD_CALLS_BACKUP_H

#include "store/etcd/serve/method.h"

etcd_handler etcd_hash, etcd_hash_kv;
etcd_opener etcd_snapshot_open;
/* At the start: copies that a crash left in the folder, which nobody else uses, are removed. */
void etcd_snapshot_forget_old(const char *folder);

#endif
