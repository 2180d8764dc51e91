/* What is known of the system keyspace: users and roles, and alarms. See system.c. */
#ifndef K3X_STORE_ETCD_SERVE_SYSTEM_H
#define K3X_STORE_ETCD_SERVE_SYSTEM_H

#include "base/mem/list.h"
#include "store/engine.h"
#include "store/etcd/auth/auth.h"
#include "store/etcd/serve/alarm.h"

struct etcd_service;

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

void etcd_system_start(struct etcd_service *s);
void etcd_system_release(struct etcd_service *s);
bool etcd_system_is_fresh(const struct etcd_service *s);
/* Runs w when it has been read (again). `refused`: a request was refused because it has changed. */
void etcd_system_wait(struct etcd_service *s, struct etcd_waiter *w, bool refused);
void etcd_waiter_cancel(struct etcd_waiter *w);
void etcd_system_tick(struct etcd_service *s);

#endif
