/* Deadlines of leases: time, kept apart from the state machine, which knows only which leases exist. See lessor.c. */
#ifndef K3X_STORE_ENGINE_LESSOR_INT_H
#define K3X_STORE_ENGINE_LESSOR_INT_H

#include "base/err.h"
#include "base/mem/heap.h"
#include "base/mem/map.h"

#include <pthread.h>
#include <stdint.h>

struct lessor {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	bool stopping;
	bool is_resting;   /* leases do not run out: another server looks after that */
	struct map leases; /* id (its 8 bytes) -> struct lease */
	struct heap due;   /* earliest first; a kept-alive lease moves only when it comes up */
	void (*expire)(void *arg, int64_t id);
	void *arg;
};

/* Starts the thread. `expire` is called on it when a lease has run out; the callee has it revoked and the lease stays
 * until lessor_remove(), or comes up again after lessor_retry(). */
void lessor_init(struct lessor *l, void (*expire)(void *arg, int64_t id), void *arg);
void lessor_stop(struct lessor *l); /* joins the thread */
void lessor_release(struct lessor *l);

/* Any thread, all below. */

/* Whether leases run out here. When they begin to, each gets its full TTL: nobody knows here when it was last kept
 * alive. */
void lessor_rest(struct lessor *l, bool rest);
void lessor_clear(struct lessor *l); /* forgets all */

/* A lease begins with its full TTL. */
void lessor_add(struct lessor *l, int64_t id, int64_t ttl_s);
void lessor_remove(struct lessor *l, int64_t id);
/* A lease that was handed to `expire` and still stands comes up again. */
void lessor_retry(struct lessor *l, int64_t id, unsigned after_ms);
bool lessor_has(struct lessor *l, int64_t id);

/* Begins the TTL anew. False when there is no such lease or it is being revoked. */
bool lessor_keep_alive(struct lessor *l, int64_t id, int64_t *ret_ttl_s);

/* False when there is none. A lease that is being revoked has 0 seconds left. */
bool lessor_ttl(struct lessor *l, int64_t id, int64_t *ret_ttl_s, int64_t *ret_granted_s);

/* All ids, those that run out first first, from malloc. */
int64_t *lessor_list(struct lessor *l, size_t *ret_n);

#endif
