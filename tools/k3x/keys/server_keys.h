/* The keys that all servers of a cluster have: in files of a data directory, and sealed under the token in the store.
 */
#ifndef K3X_TOOLS_K3X_KEYS_SERVER_KEYS_H
#define K3X_TOOLS_K3X_KEYS_SERVER_KEYS_H

#include "tools/k3x/server_settings.h"

enum { SERVER_KEYS_MAX = 16 };

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

/* Something in the place of what a file has: of one that is written later. */
struct server_keys_change {
	struct slice secret; /* of the token; empty: that of server/token */
	struct server_key keys[SERVER_KEYS_MAX];
	size_t n;
	/* It was computed of the encryption configuration that encryption_describe() tells by this hash, and is for no
	 * other; then what else was written at the same moment is no hindrance. NULL: it is not about that. */
	const char *encryption_from;
};

/* The cluster's keys as this data directory has them, but for what is to be changed, twice: sealed under the token's
 * secret, for who joins and for new machines (JOIN_KEYS_KEY), and sealed under what all servers have already, the key
 * of the peers' first CA, for servers that are members (SERVER_KEYS_NEWER_KEY). Appends. Slow. */
#define SERVER_KEYS_NEWER_KEY "k3x/newer"
/* That key, once the peers have another CA. */
#define SERVER_KEYS_SEAL_PLACE "server/tls/etcd/seal.key"
/* Text in the settings' arena. */
int server_keys_read_seal(struct server_settings *s, struct slice *ret, struct err *err);
/* A mark: what the store has is of before (a snapshot was restored), and the files are right. */
#define SERVER_OWN_KEYS_MARK "server/db/own-keys"
int server_keys_seal(struct server_settings *s, const struct server_keys_change *c, struct strbuf *for_joining,
        struct strbuf *for_members, struct err *err);

/* What members are told, into the files: only what differs is written, what the token names last. *changed says which:
 * bits of SERVER_KEYS_TOKEN, ... ERR_UNAUTHENTICATED: it was sealed by servers of another cluster. Slow. */
enum {
	SERVER_KEYS_TOKEN = 1,
	SERVER_KEYS_SERVICE = 2,
	SERVER_KEYS_CLIENT_CA = 4,
	SERVER_KEYS_SERVER_CA = 8,
	SERVER_KEYS_ENCRYPTION = 16,
	SERVER_KEYS_PEER_CA = 32,
	SERVER_KEYS_PROXY_CA = 64
};
int server_keys_follow(struct server_settings *s, struct slice for_members, unsigned *changed, struct err *err);

/* Does what a crash has left of that; nothing where there is nothing. Before anything else looks at keys. */
int server_keys_resume(struct server_settings *s, struct err *err);

#endif
