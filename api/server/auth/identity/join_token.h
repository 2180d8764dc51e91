/* Join tokens: what a server or an agent shows to come into a cluster. Three forms:
 *
 *     SECRET                          the secret alone; the CA is trusted as it comes
 *     K10<hash>::<user>:<secret>      hash: SHA-256 in hex of the CA bundle's PEM text; user: "server" or "node"
 *     K10<hash>::<id>.<secret>        a bootstrap token (bootstrap_token.h), for agents; shown as a bearer token
 *
 * Parsing is pure, any thread; the rest as said. */
#ifndef K3X_API_SERVER_AUTH_IDENTITY_JOIN_TOKEN_H
#define K3X_API_SERVER_AUTH_IDENTITY_JOIN_TOKEN_H

#include "api/server/auth/user.h"
#include "base/err.h"

enum { JOIN_SECRET_BYTES_MIN = 4, JOIN_SECRET_BYTES_MAX = 256, JOIN_TOKEN_BYTES_MAX = 512 };

struct join_token {
	char ca_hash[65];    /* lower case hex; "" in the short form */
	struct slice user;   /* "server", "node"; empty in the short form and of a bootstrap token */
	struct slice secret; /* points into the text; of a bootstrap token "<id>.<secret>" */
	bool is_bootstrap;
};

/* Takes a token apart, white space around it excepted. ERR_INVAL says what is wrong with it, without repeating it. */
int join_token_parse(struct slice text, struct join_token *ret, struct err *err);

/* The secrets of a cluster, as files hold them; read at the start. API loop. */
struct join_secrets;

/* agent_file: for agents alone; NULL, or not there: the server's is good for both. Neither: nobody joins by a token. */
int join_secrets_load(const char *server_file, const char *agent_file, struct join_secrets **ret, struct err *err);
void join_secrets_free(struct join_secrets *s); /* NULL is allowed */

/* Who asks with "Authorization: Basic base64(user:secret)": *ret is a reference to the user "server" (group k3x:server)
 * or "node" (k3x:agent). ERR_UNAUTHENTICATED says what does not fit. */
int join_secrets_user(const struct join_secrets *s, struct slice credentials, struct user **ret, struct err *err);

#endif
