/* Automatic compaction. Stopping goes on after the return: it counts as a call. See compactor.c. */
#ifndef K3X_STORE_ETCD_COMPACTOR_INT_H
#define K3X_STORE_ETCD_COMPACTOR_INT_H

struct etcd_service;

void etcd_compactor_start(struct etcd_service *s);
void etcd_compactor_stop(struct etcd_service *s);

#endif
