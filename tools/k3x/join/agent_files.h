/* What joining and following have in common: an agent's files, and what they say of it to a server. */
#ifndef K3X_TOOLS_K3X_JOIN_AGENT_FILES_H
#define K3X_TOOLS_K3X_JOIN_AGENT_FILES_H

#include "tools/k3x/join/join_contact.h"
#include "tools/k3x/server_settings.h"

/* place: "agent/cluster.json". What was read lies in the arena, and ends with a zero byte. */
bool agent_has_file(struct server_settings *s, const char *place);
int agent_write_file(struct server_settings *s, const char *place, struct slice text, unsigned mode, struct err *err);

/* By the certificate of the kubelet while it is good, for a token may have been changed since. */
void agent_choose_proof(struct server_settings *s, struct join_contact *c);

/* The cluster's settings, as GET /v1-k3x/config answers them, into the agent's. */
int agent_take_settings(struct server_settings *s, struct slice text, struct err *err);

/* What may pass: a server that is not up, or not yet ready. */
bool agent_may_pass(const struct err *err);

#endif
