/* Waiting for one's turn: what locks and elections are made of. See turn.c. */
#ifndef K3X_STORE_ETCD_CALLS_TURN_INT_H
#define K3X_STORE_ETCD_CALLS_TURN_INT_H

#include "store/etcd/serve/call.h"

struct etcd_turn {
	struct etcd_call *call;
	struct slice prefix; /* "name/" */
	struct slice key;    /* prefix and the lease in hex */
	struct slice value;
	int64_t lease;
	int64_t revision; /* at which the key was created: the place in the queue */
	bool was_there;   /* the same lease had queued before */
	bool had_to_wait;
	struct slice old_value;              /* was_there: what it held */
	int64_t txn_revision;                /* of the answer to queueing up */
	struct store_watch *watch;           /* of who is before */
	void (*queued)(struct etcd_call *c); /* the key is there; goes on with etcd_turn_wait() */
	void (*mine)(struct etcd_call *c);   /* nobody is before */
	bool leaves;                         /* the client has gone: the key is to be removed */
};

/* Queues up under `name` with the lease (0: a new one of 60 s). c->state becomes the turn, for whom the callbacks are.
 * When the client goes away meanwhile the key is removed. */
void etcd_turn_start(struct etcd_call *c, struct slice name, struct slice value, int64_t lease,
        void (*queued)(struct etcd_call *c), void (*mine)(struct etcd_call *c));
void etcd_turn_wait(struct etcd_call *c);

/* A transaction that does `op` if the key was created at this revision. */
struct store_op etcd_turn_guarded(struct arena *a, struct slice key, int64_t created, const struct store_op *op);

/* The oldest key of an election: its leader's. */
struct store_range etcd_election_first(struct arena *a, struct slice name);

#endif
