/* How an agent comes into a cluster, and keeps what it needs to be in it, below DATA/agent:
 *
 *     server-ca.crt, client-ca.crt    who vouches for servers, and for those who ask
 *     former-cas                      hashes of what server-ca.crt was, as older tokens have them
 *     client-kubelet, serving-kubelet, client-kube-proxy, .crt and .key
 *                                     the node's certificates; the keys are made here
 *     node-password                   by which the node's name is this machine's
 *     cluster.json                    settings that are the cluster's
 *     node                            name and addresses that the certificates are for */
#ifndef K3X_TOOLS_K3X_JOIN_AGENT_JOIN_H
#define K3X_TOOLS_K3X_JOIN_AGENT_JOIN_H

#include "tools/k3x/server_settings.h"

/* Joins, unless that was done before: then a server is asked for what is new (agent_follow.h), and none need be up.
 * Either way the cluster's settings are in *s afterwards. While no server can be reached it is tried again, for ever;
 * what does not pass by itself is an error: ERR_UNAUTHENTICATED (token or CA), ERR_FORBIDDEN (the name is another
 * node's), ERR_CONFLICT (clock, version, another cluster). Blocks; main thread, before there are loops. */
int agent_join(struct server_settings *s, struct err *err);

/* Renews the certificates that are due (a quarter of their life is left, they are missing, or the node has another
 * address), asking at `url` by the certificate that is there, or by the token where that has ended. *renewed: files
 * have changed. Blocks; any one thread, with a copy of the settings. */
int agent_certificates_renew(struct server_settings *s, const char *url, bool *renewed, struct err *err);

#endif
