/* What the files of join/ share. */
#ifndef K3X_API_SERVER_JOIN_JOIN_INT_H
#define K3X_API_SERVER_JOIN_JOIN_INT_H

#include "api/server/join/join.h"
#include "base/pki/pki.h"
#include "base/rt/pool.h"

struct raft_engine;

/* What signs for those who join; counted, for a call that was begun goes on with what it began with. API loop. */
struct join_cas {
	unsigned refs;
	struct pki_pair server, client;
};
void join_cas_unref(struct join_cas *c); /* NULL is allowed */

struct join {
	struct api_server *server;
	struct raft_engine *raft; /* NULL: the store is another */
	struct api_join_options options;
	struct arena arena;
	struct pool *pool;      /* hashes of passwords, questions to peers */
	struct pool *operating; /* what an operator asks, which may take minutes; made when it is needed */
	struct join_cas *cas;
	bool is_adding; /* a member: one at a time */
	unsigned out;   /* calls that wait for something */
	void (*closed)(void *arg);
	void *closed_arg;
};

/* A call that waits for something holds the room, and itself. */
void join_begin(struct join *j, struct call *c);
/* Its end: answers with err, unless err->code is 0 and it was answered. */
void join_end(struct join *j, struct call *c, const struct err *err);

void join_bootstrap(struct join *j, struct call *c); /* members.c */
void join_member(struct join *j, struct call *c);
void join_operate(struct join *j, struct call *c, struct slice name); /* operate.c */
void join_client_kubelet(struct join *j, struct call *c);             /* nodes.c */
void join_serving_kubelet(struct join *j, struct call *c);
void join_client_proxy(struct join *j, struct call *c);

#endif
