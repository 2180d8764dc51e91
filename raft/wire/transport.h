/* Connections between the servers of a cluster. One for messages per peer and direction, made by the sender when there
 * is something to send; others for states and questions, which their owner drives. TLS both ways where contexts are
 * given, with certificates of the peers' CA; a secret of the cluster where one is given (greeting.h); the cluster's id
 * and the server's are checked in the greeting.
 *
 * Raft takes loss: what cannot be sent now is dropped, never queued without end. All on one loop. Private to raft/. */
#ifndef K3X_RAFT_WIRE_TRANSPORT_H
#define K3X_RAFT_WIRE_TRANSPORT_H

#include "raft/wire/greeting.h"
#include "raft/wire/peer_stats.h"
#include "raft/wire/wire_frame.h"

#include "base/rt/loop.h"
#include "base/wire/conn.h"
#include "base/wire/tls.h"

struct transport;

struct transport_options {
	struct loop *loop;
	const char *listen_host; /* NULL: does not listen */
	int listen_port;
	struct tls_context *server_tls, *client_tls; /* NULL: plain; references are taken */
	uint64_t cluster_id, id;
	struct slice secret;      /* that all members know; empty: none. Copied */
	const char *address;      /* URL by which peers reach this server */
	struct peer_table *stats; /* NULL: it has no peers, and does not listen */
	/* A message of a peer. ERR_PROTOCOL: its connection is closed. */
	int (*on_message)(void *arg, uint64_t from, struct slice message, struct err *err);
	/* A connection for something else was greeted: it is the callee's now, which starts it. False: it is closed. */
	bool (*on_visitor)(void *arg, struct conn *c, const struct wire_hello *hello);
	/* A server cannot be reached any more, or yet: once until it was reached again. May be NULL. */
	void (*on_unreachable)(void *arg, uint64_t id);
	/* A server has greeted us, and says where it is reached. May be NULL. */
	void (*on_greeted)(void *arg, uint64_t id, struct slice address);
	void *arg;
};

int transport_new(const struct transport_options *o, struct transport **ret, struct err *err);
int transport_port(const struct transport *t);

/* Sends or drops. False: it was not sent for certain; true: it may arrive. */
bool transport_send(struct transport *t, uint64_t to, const char *address, struct slice message);

/* The address that a server was last sent something at; NULL: never. Valid until the next send. */
const char *transport_address(const struct transport *t, uint64_t id);

/* Is there a connection to it, made by this side? */
bool transport_is_open(const struct transport *t, uint64_t id);

/* Who the members are now: others are forgotten when they have not been of use for a while. Also looks at deadlines: to
 * be called every second or more often. */
void transport_members(struct transport *t, const uint64_t *ids, size_t n);

/* Connects to a server that something may have to be sent to, so that the first message finds a connection. */
void transport_keep(struct transport *t, uint64_t id, const char *address);

/* A connection of the caller's own to an address, with the greeting written when it opens (the caller's on_open comes
 * first). NULL with err when the address is none. */
struct conn *transport_connect(struct transport *t, const char *address, uint64_t to, enum wire_purpose purpose,
        const struct conn_callbacks *callbacks, void *arg, struct err *err);
/* To be called by on_open of such a connection: begins *ret. It is done at once, or after some frames, each of which is
 * given to transport_greeting() (negative: close the connection). Nothing else is written before it is done. */
void transport_greet(struct transport *t, struct conn *c, uint64_t to, enum wire_purpose purpose, struct caller *ret);
int transport_greeting(struct caller *g, struct conn *c, struct slice payload, struct err *err);

/* closed(arg) comes when every connection is gone; the memory is then free. */
void transport_close(struct transport *t, void (*closed)(void *arg), void *arg);

#endif
