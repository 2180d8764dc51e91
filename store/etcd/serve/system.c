/* What this server knows of the system keyspace: users, roles and alarms, read as a whole whenever it has changed.
 *
 * The engine says its version at any time without I/O; while that is what was read last, requests are judged by what
 * was read. Else they wait here for one read that serves all of them:
 *
 *     fresh --version moves on, or a request is refused as too old--> loading --read--> fresh, the waiting run
 *
 * A request that was judged carries the version along and is refused by the state machine when it has moved on; it is
 * judged again by what is read then. Such a read must see at least what the refusal saw, so it is linearizable; the
 * others may come from this server's own state, because the version guards them. Who begins to wait while a read is
 * under way waits for the next one.
 *
 * What can go wrong: the read fails (no quorum); the waiting are told, and the next one tries again. */
#include "store/etcd/serve/system.h"

#include "base/check.h"
#include "base/log.h"
#include "store/etcd/auth/auth.h"
#include "store/etcd/serve/alarm.h"
#include "store/etcd/serve/service.h"

#include <stdlib.h>

bool etcd_system_is_fresh(const struct etcd_service *s)
{
	return s->system.version && s->system.version >= store_system_version(s->store);
}

static void load(struct etcd_service *s);

static void take_alarms(struct etcd_service *s, const struct store_system_entry *entries, size_t n)
{
	struct etcd_system *y = &s->system;
	uint32_t before = s->alarms;
	y->alarms = xrealloc(y->alarms, (n + 1) * sizeof *y->alarms);
	y->n_alarms = 0;
	s->alarms = 0;
	for (size_t i = 0; i < n; i++)
		if (etcd_alarm_parse(entries[i].key, &y->alarms[y->n_alarms])) {
			s->alarms |= 1u << y->alarms[y->n_alarms].alarm;
			y->n_alarms++;
		}
	if (before != s->alarms)
		log_warn("store", "alarms changed", "standing=%zu", y->n_alarms);
}

static void loaded(struct store_request *req)
{
	struct etcd_service *s = CONTAINER_OF(req, struct etcd_service, system.request);
	struct etcd_system *y = &s->system;
	struct list_link run;
	struct err err = req->err;
	s->calls--;
	y->is_loading = false;
	if (err.code == 0 && req->system.version >= y->version) {
		etcd_auth_state_free(y->auth);
		y->auth = etcd_auth_state_new(req->system.entries, req->system.n_entries);
		take_alarms(s, req->system.entries, req->system.n_entries);
		y->version = req->system.version;
	}
	store_request_release(req);
	list_init(&run);
	for (struct list_link *l; (l = list_pop_front(&y->waiters));)
		list_push_back(&run, l);
	for (struct list_link *l; (l = list_pop_front(&y->later));)
		list_push_back(&y->waiters, l);
	if (!list_empty(&y->waiters))
		load(s);
	for (struct list_link *l; (l = list_pop_front(&run));) {
		struct etcd_waiter *w = CONTAINER_OF(l, struct etcd_waiter, link);
		w->run(w, err.code ? &err : NULL);
	}
}

static void load(struct etcd_service *s)
{
	LOOP_CHECK_OWNER(s->loop);
	struct etcd_system *y = &s->system;
	y->request = (struct store_request){.type = STORE_REQUEST_SYSTEM_READ,
	        .system.is_local = !y->wants_linearizable,
	        .loop = s->loop,
	        .done = loaded};
	y->wants_linearizable = false;
	y->is_loading = true;
	s->calls++;
	store_submit(s->store, &y->request);
}

void etcd_system_wait(struct etcd_service *s, struct etcd_waiter *w, bool refused)
{
	LOOP_CHECK_OWNER(s->loop);
	struct etcd_system *y = &s->system;
	y->wants_linearizable |= refused;
	list_push_back(y->is_loading ? &y->later : &y->waiters, &w->link);
	if (!y->is_loading)
		load(s);
}

void etcd_waiter_cancel(struct etcd_waiter *w)
{
	if (w->run && w->link.next)
		list_del(&w->link);
}

void etcd_system_start(struct etcd_service *s)
{
	LOOP_CHECK_OWNER(s->loop);
	list_init(&s->system.waiters);
	list_init(&s->system.later);
	s->system.auth = etcd_auth_state_new(NULL, 0);
	load(s);
}

void etcd_system_tick(struct etcd_service *s)
{
	if (!etcd_system_is_fresh(s) && !s->system.is_loading)
		load(s);
}

void etcd_system_release(struct etcd_service *s)
{
	etcd_auth_state_free(s->system.auth);
	free(s->system.alarms);
}
