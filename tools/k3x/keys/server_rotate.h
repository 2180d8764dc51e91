/* What is to become of a cluster's token and CAs when an operator gives it others: checked, and put together for the
 * keeper, which does it. */
#ifndef K3X_TOOLS_K3X_KEYS_SERVER_ROTATE_H
#define K3X_TOOLS_K3X_KEYS_SERVER_ROTATE_H

#include "tools/k3x/keys/server_keys.h"

/* `old` must be the cluster's; `wanted` is the new secret, or a whole token of this CA; NULL: one is drawn. Texts of
 * *ret lie in the settings' arena. ERR_FORBIDDEN: old is not the one; ERR_INVAL. */
int server_rotate_token(struct server_settings *s, const char *old, const char *wanted, struct server_keys_change *ret,
        struct err *err);

/* Files of new CAs as they came: NULL where there is none. */
struct server_new_cas {
	const char *server_ca, *server_ca_key, *client_ca, *client_ca_key, *service_key; /* PEM */
	const char *peer_ca, *peer_ca_key, *proxy_ca, *proxy_ca_key;
	bool force;
};

/* Each pair must fit, be good now and, unless forced, be vouched for by the CA that it takes over from; then the old
 * ones stay trusted beside the new. The peers' CA can't be forced, but for the one they have: then those of before are
 * forgotten. Texts as above. ERR_INVAL, ERR_UNAUTHENTICATED name the file. */
int server_rotate_cas(struct server_settings *s, const struct server_new_cas *n, int64_t now_s,
        struct server_keys_change *ret, struct err *err);

#endif
