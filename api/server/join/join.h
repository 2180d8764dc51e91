/* Joining: what a server answers to others that want to be servers or nodes of its cluster. API loop.
 *
 *     GET  /cacerts, /ping                       everybody
 *     GET  /v1-k3x/config, readyz, client-ca.crt, server-ca.crt                    a token, or a node's certificate
 *     POST /v1-k3x/client-kubelet.crt, serving-kubelet.crt, client-kube-proxy.crt  the same; see nodes.c
 *     GET  /v1-k3x/connect                       a node's certificate; see ../tunnel
 *     GET  /v1-k3x/server-bootstrap, POST /v1-k3x/server-join                      a server's token; see members.c
 *     POST /v1-k3x/server-operate/NAME                      a server's token, or a master; see operate.c */
#ifndef K3X_API_SERVER_JOIN_JOIN_H
#define K3X_API_SERVER_JOIN_JOIN_H

#include "api/server/call.h"
#include "api/server/join/words.h"

struct join;
struct raft_peer_access;

/* What an operator asks of a server itself: whoever starts it knows how. */
struct join_operator {
	/* Does what NAME says and appends JSON. It may block; one call at a time, on a thread that is not the loop's.
	 * ERR_NOT_FOUND: there is no such operation. */
	int (*run)(void *arg, struct slice name, struct slice body, struct strbuf *answer, struct err *err);
	void *arg;
};

struct api_join_options {
	struct join_settings settings;
	uint64_t cluster_id;
	const struct raft_peer_access *access; /* NULL: the peer port is closed, and servers can't join. Borrowed */
	const char *client_ca_file, *client_ca_key_file, *server_ca_file, *server_ca_key_file;
	/* While this file is there, what the store has of the cluster's keys is of before: nobody is offered it. NULL:
	 * none. */
	const char *stale_mark_file;
	struct join_operator operator; /* run NULL: there is none */
};

/* Strings are copied where they are needed. */
int join_new(struct api_server *s, const struct api_join_options *o, struct join **ret, struct err *err);
/* No more calls come; closed(arg) when those that are out have ended, maybe from inside. */
void join_close(struct join *j, void (*closed)(void *arg), void *arg);
/* The files of the CAs were changed: what signs from now on. On error those of before stay. API loop. */
int join_reload(struct join *j, struct err *err);
void join_free(struct join *j); /* NULL is allowed; after closing, or when no call ever came */

/* Is it one of the paths above? Pure. */
bool join_is_path(struct slice path);
/* Answers it; the body is there. */
void join_handle(struct call *c);

#endif
