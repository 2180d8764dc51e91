/* Maintenance and gRPC's health service. */
#ifndef K3X_STORE_ETCD_CALLS_MAINTENANCE_H
#define K3X_STORE_ETCD_CALLS_MAINTENANCE_H

#include "store/etcd/serve/method.h"

etcd_handler etcd_status, etcd_defragment, etcd_health_check;
etcd_opener etcd_health_watch_open;

#endif
