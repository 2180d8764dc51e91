/* What was last read of the system keyspace, and who waits for it. See system.c. */
#ifndef K3X_STORE_ETCD_SERVE_SYSTEM_STATE_H
#define K3X_STORE_ETCD_SERVE_SYSTEM_STATE_H

#include "base/mem/list.h"
#include "store/engine.h"
#include "store/etcd/auth/auth.h"
#include "store/etcd/serve/alarm.h"

/* Waits until what is known of the system keyspace is fresh again. `err` is NULL when it is. */
struct etcd_waiter {
	struct list_link link;
	void (*run)(struct etcd_waiter *w, const struct err *err);
};

/* What was last read of the system keyspace (system.c). */
struct etcd_system {
	int64_t version; /* 0: nothing was read yet */
	struct etcd_auth_state *auth;
	struct etcd_alarm_entry *alarms;
	size_t n_alarms;
	struct store_request request;
	bool is_loading;
	bool wants_linearizable;  /* the next read must be: a request was refused as too old */
	struct list_link waiters; /* for the read under way */
	struct list_link later;   /* for the next one */
};

#endif
