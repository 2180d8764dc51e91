/* Secrets at rest as k3s has them: an EncryptionConfiguration that all servers share, and the stages in which its key
 * is changed. What decides is here, as texts in and out; the keeper brings them to all servers, `k3x secrets-encrypt`
 * asks.
 */
#ifndef K3X_TOOLS_K3X_KEYS_SERVER_ENCRYPTION_H
#define K3X_TOOLS_K3X_KEYS_SERVER_ENCRYPTION_H

#include "tools/k3x/server_settings.h"

#define ENCRYPTION_CONFIG_PLACE "server/cred/encryption-config.json"
#define ENCRYPTION_STATE_PLACE "server/cred/encryption-state.json"

enum { ENCRYPTION_KEYS_MAX = 16 };

struct encryption_texts {
	struct slice config, state; /* empty: there is none */
};

/* A first configuration, enabled. provider: "aescbc" or "secretbox". Texts in the arena. */
int encryption_new(struct arena *a, const char *provider, int64_t now_s, struct encryption_texts *ret, struct err *err);

/* What is to become of it:
 *   enable, disable   what is written from now on is encrypted, or plain
 *   prepare           there is a second key, of `provider`, that reads
 *   rotate            it writes
 *   finish            the others are gone: everything was written anew
 * Each is for the stage it belongs to, else ERR_CONFLICT, unless forced. Enabling what is not there makes a first one.
 * Texts in the arena. Pure. */
int encryption_change(struct arena *a, const struct encryption_texts *now, const char *what, const char *provider,
        bool is_forced, int64_t now_s, struct encryption_texts *ret, struct err *err);

struct encryption_view {
	bool is_there, is_enabled;
	const char *stage; /* "start", "prepare", "rotate", "reencrypt_finished" */
	const char *hash;  /* "STAGE-SHA256", which all servers must have alike; "" when there is none */
	struct {
		const char *type, *name; /* "AES-CBC", "XSalsa20-POLY1305" */
	} keys[ENCRYPTION_KEYS_MAX];     /* the first is active */
	size_t n_keys;
};
int encryption_describe(
        struct arena *a, const struct encryption_texts *now, struct encryption_view *ret, struct err *err);

/* Of this data directory; what is not there is empty. In the settings' arena. */
int encryption_read(struct server_settings *s, struct encryption_texts *ret, struct err *err);
/* --secrets-encryption on a server that begins a cluster: before anything is stored. Nothing happens elsewhere. */
int encryption_begin(struct server_settings *s, int64_t now_s, struct err *err);

#endif
