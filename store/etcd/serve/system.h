/* What is known of the system keyspace: users and roles, and alarms. See system.c. */
#ifndef K3X_STORE_ETCD_SERVE_SYSTEM_H
#define K3X_STORE_ETCD_SERVE_SYSTEM_H

#include "store/etcd/serve/system_state.h"

struct etcd_service;

void etcd_system_start(struct etcd_service *s);
void etcd_system_release(struct etcd_service *s);
bool etcd_system_is_fresh(const struct etcd_service *s);
/* Runs w when it has been read (again). `refused`: a request was refused because it has changed. */
void etcd_system_wait(struct etcd_service *s, struct etcd_waiter *w, bool refused);
void etcd_waiter_cancel(struct etcd_waiter *w);
void etcd_system_tick(struct etcd_service *s);

#endif
