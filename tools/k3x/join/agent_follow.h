/* What a node that is in a cluster took from it when it joined, and what may be another since: the settings that are
 * the cluster's (agent/cluster.json) and the CAs (agent/server-ca.crt, client-ca.crt). Blocks; any one thread without a
 * loop, with settings of its own. */
#ifndef K3X_TOOLS_K3X_JOIN_AGENT_FOLLOW_H
#define K3X_TOOLS_K3X_JOIN_AGENT_FOLLOW_H

#include "api/server/auth/identity/join_token.h"
#include "tools/k3x/server_settings.h"

struct agent_news {
	bool settings; /* they are others: they count from the next start on */
	bool cas;      /* files have changed, and are to be loaded again */
};

/* Asks the server at `url`, and puts what differs into the files. An error leaves them as they are. */
int agent_follow(struct server_settings *s, const char *url, struct agent_news *ret, struct err *err);

/* At the start: asks the server of --server, or else one that the balancer knew, and takes what is in the files when
 * none answers, which is told. */
void agent_ask_for_news(struct server_settings *s);

/* Was the CA that a token names by its hash this cluster's before it had another? */
bool agent_had_ca(struct server_settings *s, const char *hash);

/* Does the CA that the token names continue the one that is here, as the server of --server shows it? Then the token
 * is one that was made since. */
bool agent_meets_successor(struct server_settings *s, const struct join_token *token);

#endif
