/* The quota and alarms. Functions that say `refused` have answered the call when they return true. See quota.c. */
#ifndef K3X_STORE_ETCD_SERVE_QUOTA_H
#define K3X_STORE_ETCD_SERVE_QUOTA_H

#include "store/etcd/serve/call.h"

etcd_handler etcd_alarm;

bool etcd_op_refused(struct etcd_call *c); /* by what c->request.op writes */
bool etcd_lease_refused(struct etcd_call *c);
void etcd_quota_tick(struct etcd_service *s);
/* Is this server's disk full? It is looked at now: who was refused a write is told why by the very next call. It heals
 * by itself, so it may be over by the one after. The service's loop. */
bool etcd_is_disk_full(const struct etcd_service *s);

#endif
