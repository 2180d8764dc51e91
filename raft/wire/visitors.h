/* Connections that others make to a server: greeted, then either their messages are delivered, or the connection is
 * handed on. Strangers have a deadline and a limit per address, and do not take the places of members. One loop.
 * Private to raft/. See visitors.c. */
#ifndef K3X_RAFT_WIRE_VISITORS_H
#define K3X_RAFT_WIRE_VISITORS_H

#include "raft/wire/peer_stats.h"
#include "raft/wire/wire_frame.h"

#include "base/mem/list.h"
#include "base/rt/loop.h"
#include "base/wire/conn.h"
#include "raft/wire/refusals.h"

struct visitors_options {
	struct loop *loop;
	uint64_t cluster_id, id;
	struct slice secret; /* empty: none */
	struct peer_table *stats;
	/* A message of a peer. ERR_PROTOCOL: its connection is closed. */
	int (*on_message)(void *arg, uint64_t from, struct slice message, struct err *err);
	/* A connection for something else was greeted: it is the callee's now, which starts it. False: it is closed. */
	bool (*on_visitor)(void *arg, struct conn *c, const struct wire_hello *hello);
	void *arg;
	/* A peer has greeted us: it is there, and says where it is reached. */
	void (*on_greeted)(void *greeted_arg, uint64_t id, struct slice address);
	void (*on_gone)(void *greeted_arg); /* the memory of a connection was freed */
	void *greeted_arg;
};

struct visitors {
	struct visitors_options o;
	struct list_link strangers; /* not greeted yet, oldest first */
	struct list_link peers;     /* greeted: they send messages */
	unsigned n_strangers, n_peers, open_conns;
	struct refusals *refusals;
	bool closing;
};

enum {
	VISITORS_STRANGERS_MAX = 128,
	VISITORS_STRANGERS_PER_ADDRESS_MAX = 32,
	VISITORS_PER_PEER_MAX = 4, /* a peer that came again while its old connection was not yet seen to be dead */
	VISITORS_PEERS_MAX = 128,
	VISITORS_GREET_MS_MAX = 5000,
};

void visitors_init(struct visitors *v, const struct visitors_options *o, struct refusals *refusals);
void visitors_accept(struct visitors *v, struct conn *c);
void visitors_tick(struct visitors *v); /* now and then: deadlines */
void visitors_close(struct visitors *v);

#endif
