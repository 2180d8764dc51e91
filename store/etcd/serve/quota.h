/* The quota and alarms. Functions that say `refused` have answered the call when they return true. See quota.c. */
#ifndef K3X_STORE_ETCD_SERVE_QUOTA_H
#define K3X_STORE_ETCD_SERVE_QUOTA_H

#include "store/etcd/serve/call.h"

etcd_handler etcd_alarm;

bool etcd_op_refused(struct etcd_call *c); /* by what c->request.op writes */
bool etcd_lease_refused(struct etcd_call *c);
void etcd_quota_tick(struct etcd_service *s);

#endif
