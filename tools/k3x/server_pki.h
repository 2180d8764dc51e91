/* The keys and certificates of a server, and the kubeconfig of its administrator. Main thread. */
#ifndef K3X_TOOLS_K3X_SERVER_PKI_H
#define K3X_TOOLS_K3X_SERVER_PKI_H

#include "tools/k3x/server_settings.h"

#define SERVER_PEER_LEAF "server/tls/etcd/peer-server-client"

/* The folders of a data directory, a server's or an agent's. */
int server_make_folders(struct server_settings *s, struct err *err);

/* Makes the CAs, certificates, keys and tokens that are missing, renews what is due. *renewed (may be NULL)
 * says whether a serving certificate changed. The folders are there. */
int server_pki_prepare(struct server_settings *s, bool *renewed, struct err *err);

/* Writes the admin kubeconfig, for the API at this port. */
int server_write_kubeconfig(struct server_settings *s, int port, struct err *err);

#endif
