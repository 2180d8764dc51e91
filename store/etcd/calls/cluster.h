/* Cluster: who the members are, and changing that. */
#ifndef K3X_STORE_ETCD_CALLS_CLUSTER_H
#define K3X_STORE_ETCD_CALLS_CLUSTER_H

#include "store/etcd/serve/method.h"

struct etcd_service;

etcd_handler etcd_member_list, etcd_member_add, etcd_member_remove, etcd_member_promote, etcd_member_demote,
        etcd_member_update;
etcd_handler etcd_move_leader;

/* Once a second: publishes what this member says of itself, and promotes those that were added as voters and have
 * caught up. */
void etcd_cluster_tick(struct etcd_service *s);

#endif
