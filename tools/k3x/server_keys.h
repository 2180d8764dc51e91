/* The keys that all servers of a cluster have: in files of a data directory, and sealed under the token in the store.
 */
#ifndef K3X_TOOLS_K3X_SERVER_KEYS_H
#define K3X_TOOLS_K3X_SERVER_KEYS_H

#include "tools/k3x/server_settings.h"

enum { SERVER_KEYS_MAX = 16 };

struct engine;

struct server_key {
	const char *place; /* "server/tls/server-ca.key"; static */
	struct slice text;
};

/* Takes apart what pack() made; texts in the arena. ERR_INVAL: it is not, or keys are missing. Pure. */
int server_keys_parse(
        struct arena *a, struct slice text, struct server_key ret[SERVER_KEYS_MAX], size_t *n, struct err *err);

/* Unseals what the store of a cluster has and writes it into this data directory. ERR_CONFLICT: there is a CA of
 * another cluster. ERR_UNAUTHENTICATED: the secret is not the one it was sealed with. Slow; any one thread. */
int server_keys_write(struct server_settings *s, struct slice sealed, struct slice secret, struct err *err);

/* A data directory with a store and without keys, as after restoring a backup onto a new machine: takes the keys out of
 * the store with the help of --token. Nothing happens where they are there. Before the store is opened. */
int server_keys_recover(struct server_settings *s, struct err *err);

/* Sees to it that the store has the keys, and what this server is called, on a thread of its own, until it has or is
 * told to stop. Settings and engine stay as long. */
struct keys_keeper;
struct keys_keeper *keys_keeper_start(const struct server_settings *s, struct engine *store);
void keys_keeper_stop(struct keys_keeper *k); /* NULL is allowed */

#endif
