/* The way to the API server of a program that runs as a pod of the cluster, or beside it. */
#ifndef K3X_TOOLS_IN_CLUSTER_H
#define K3X_TOOLS_IN_CLUSTER_H

#include "api/client/client.h"

/* kubeconfig NULL: as every pod finds it, by KUBERNETES_SERVICE_HOST and the files of its service account; *ret stays
 * NULL where there is no such variable. Texts are kept in the arena. The loop's thread. Errors name the file and what
 * is wrong with it. */
int in_cluster_client(struct arena *a, struct loop *loop, const char *kubeconfig, struct client **ret, struct err *err);

#endif
