/* Snapshots while the store runs. */
#ifndef K3X_STORE_ETCD_CALLS_SNAPSHOT_H
#define K3X_STORE_ETCD_CALLS_SNAPSHOT_H

#include "store/etcd/serve/method.h"

struct etcd_service;

etcd_opener etcd_snapshot_open;

/* Once a second: clients that take nothing are cut off. */
void etcd_snapshots_tick(struct etcd_service *s);
/* With the service, when no snapshot is under way any more. */
void etcd_snapshots_release(struct etcd_service *s);

#endif
