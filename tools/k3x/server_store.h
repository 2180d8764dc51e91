/* The datastore of a server, and the way to its peers. */
#ifndef K3X_TOOLS_K3X_SERVER_STORE_H
#define K3X_TOOLS_K3X_SERVER_STORE_H

#include "store/engine.h"
#include "store/engine/raft_engine.h"
#include "tools/k3x/server_settings.h"
#include "tools/store/answers.h"

enum { SERVER_PEER_PORT = 2380 };

struct tls_context;

struct server_store {
	struct engine *engine; /* NULL: not open */
	struct tls_context *server_tls;
	struct raft_peer_access access;
	struct serve_answers answers;
	struct removal_watch *removal;
	const char *address; /* URL for peers */
};

/* Who this server is: finds or draws the ids of cluster and member, and whether it has peers; into the settings. First
 * of all. */
int server_store_identify(struct server_settings *s, struct err *err);

/* Where peers reach this server: a URL, in the arena. */
const char *server_peer_address(struct server_settings *s);

/* Opens it as the settings say; a server with peers has its certificate for them by then. is_joining: it begins no
 * cluster, and waits for those of one to find it. *o must stay where it is. The settings stay as long. Any one thread
 * that nobody else uses these settings on meanwhile. */
int server_store_open(struct server_settings *s, bool is_joining, struct server_store *o, struct err *err);

/* Certificates were renewed. Any thread. */
void server_store_reload_tls(struct server_store *o);

/* removed(arg), on a thread of its own: this server was taken out of its cluster, and should stop. Nothing happens on a
 * server without peers. */
void server_store_watch_removal(struct server_store *o, void (*removed)(void *arg), void *arg);
void server_store_close(struct server_store *o);

#endif
