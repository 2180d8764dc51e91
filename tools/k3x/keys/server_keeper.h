/* Who looks after a server's keys, tokens and certificates while it runs: one thread, and no other touches their files.
 *
 * It sees to it that the store has the cluster's keys and this server's name, follows what other servers change of
 * them, and makes certificates anew long before they end. */
#ifndef K3X_TOOLS_K3X_KEYS_SERVER_KEEPER_H
#define K3X_TOOLS_K3X_KEYS_SERVER_KEEPER_H

#include "tools/k3x/keys/server_keys.h"

struct engine;
struct keeper;

/* What each server has of the encryption configuration, by its id: the hash that encryption_describe() tells. */
#define SERVER_ENCRYPTION_PREFIX "k3x/encryption/"

struct keeper_options {
	const struct server_settings *settings; /* copied; the strings stay as long as the keeper */
	struct engine *store;
	/* Files have changed: certificates (1 << SERVER_LEAF_...), keys (SERVER_KEYS_...). On the keeper's thread. */
	void (*changed)(void *arg, unsigned leaves, unsigned keys);
	/* Something that people should know. On the keeper's thread. */
	void (*warn)(void *arg, const char *reason, const char *message);
	void *arg;
	int64_t (*now_s)(void); /* NULL: the clock */
};

struct keeper *keeper_start(const struct keeper_options *o);
void keeper_stop(struct keeper *k); /* NULL is allowed */

/* What an operator wants; waits until it is done. Any thread but the keeper's and those it calls. */
/* These certificates anew. */
int keeper_renew(struct keeper *k, unsigned leaves, unsigned *ret_made, struct err *err);
/* In the store, and then here: other servers hear of it in a second. ERR_CONFLICT: another change came between. */
int keeper_change(struct keeper *k, const struct server_keys_change *c, struct err *err);

#endif
