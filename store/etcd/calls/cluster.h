/* Cluster: who the members are, and changing that. */
#ifndef K3X_STORE_ETCD_CALLS_CLUSTER_H
#define K3X_STORE_ETCD_CALLS_CLUSTER_H

#include "store/etcd/serve/method.h"

struct etcd_service;
struct store_system_entry;

etcd_handler etcd_member_list, etcd_member_add, etcd_member_remove, etcd_member_promote, etcd_member_demote,
        etcd_member_update;
etcd_handler etcd_move_leader;

/* The system keyspace was read anew: members that were updated are where their records say. */
void etcd_cluster_take_addresses(struct etcd_service *s, const struct store_system_entry *entries, size_t n);

/* Once a second: publishes what this member says of itself, and promotes those that were added as voters and have
 * caught up. */
void etcd_cluster_tick(struct etcd_service *s);

#endif
