/* The way to the API server of a program that runs as a pod of the cluster, or beside it. */
#ifndef K3X_TOOLS_ADDONS_IN_CLUSTER_H
#define K3X_TOOLS_ADDONS_IN_CLUSTER_H

#include "api/client/client.h"
#include "base/wire/tls.h"

/* Whom to ask, and as whom. */
struct in_cluster {
	const char *server_url;
	struct tls_options tls;         /* whom to believe, and the certificate where there is one */
	const char *token, *token_file; /* NULL: none */
};

/* kubeconfig NULL: as every pod finds it, by KUBERNETES_SERVICE_HOST and the files of its service account. Texts are
 * kept in the arena. ERR_NOT_FOUND: there is no such variable; other errors name the file and what is wrong with it. */
int in_cluster_find(struct arena *a, const char *kubeconfig, struct in_cluster *ret, struct err *err);

/* The loop's thread. */
int in_cluster_client(const struct in_cluster *c, struct loop *loop, struct client **ret, struct err *err);

#endif
