/* Locks and elections, which are made of other calls. */
#ifndef K3X_STORE_ETCD_CALLS_RECIPES_H
#define K3X_STORE_ETCD_CALLS_RECIPES_H

#include "store/etcd/serve/method.h"

etcd_handler etcd_lock, etcd_unlock, etcd_campaign, etcd_proclaim, etcd_leader, etcd_resign;
etcd_opener etcd_observe_open;

#endif
