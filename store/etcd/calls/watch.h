/* Watch. */
#ifndef K3X_STORE_ETCD_CALLS_WATCH_H
#define K3X_STORE_ETCD_CALLS_WATCH_H

#include "store/etcd/serve/method.h"

struct etcd_service;

etcd_opener etcd_watch_open;
/* Once a second: notifications of progress. */
void etcd_watch_tick(struct etcd_service *s);

#endif
