/* The keys and certificates of a server, and the kubeconfig of its administrator. */
#ifndef K3X_TOOLS_K3X_KEYS_SERVER_PKI_H
#define K3X_TOOLS_K3X_KEYS_SERVER_PKI_H

#include "tools/k3x/server_settings.h"

#define SERVER_PEER_LEAF "server/tls/etcd/peer-server-client"
#define SERVER_ADMIN_KUBECONFIG "server/cred/admin.kubeconfig" /* for this server's own commands */

/* The folders of a data directory, a server's or an agent's. */
int server_make_folders(struct server_settings *s, struct err *err);

/* The certificates of a server that CAs of the cluster sign, by the service that has them. */
enum server_leaf {
	SERVER_LEAF_ADMIN,
	SERVER_LEAF_API_SERVING,
	SERVER_LEAF_API_CLIENT,
	SERVER_LEAF_KUBELET_SERVING,
	SERVER_LEAF_KUBELET_CLIENT,
	SERVER_LEAF_FRONT_PROXY,
	SERVER_LEAF_PEER,
	SERVER_LEAVES
};
struct server_leaf_row {
	const char *service; /* k3s's name: "api-server" */
	const char *place;   /* "server/tls/client-admin", without .crt and .key */
	const char *ca;      /* the CA's place, the same way */
};
extern const struct server_leaf_row server_leaves[SERVER_LEAVES];

/* Makes the CAs, certificates, keys and tokens that are missing, renews what is due at now_s, and those of `anew`
 * (1 << SERVER_LEAF_...) all the same. *made (may be NULL) says which were made. The folders are there. One thread at a
 * time, which nobody else uses these settings on meanwhile. */
int server_pki_prepare(struct server_settings *s, int64_t now_s, unsigned anew, unsigned *made, struct err *err);

/* Writes the admin kubeconfig, for the API at this port: to --write-kubeconfig, and into the data directory. */
int server_write_kubeconfig(struct server_settings *s, int port, struct err *err);

#endif
