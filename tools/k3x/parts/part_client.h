/* The way of a part to the API: inside the process on a server, through the balancer on an agent. */
#ifndef K3X_TOOLS_K3X_PARTS_PART_CLIENT_H
#define K3X_TOOLS_K3X_PARTS_PART_CLIENT_H

#include "tools/k3x/parts/parts.h"

/* What an agent has instead of an API server of its own. The contexts are renewed by whoever owns them. */
struct agent_access {
	const char *url;                     /* of the balancer: "https://127.0.0.1:6444" */
	const char *fallback;                /* of --server: "10.0.0.1:6443" */
	struct tls_context *kubelet, *proxy; /* identities of the node */
};

enum part_identity {
	PART_IS_KUBELET, /* system:node:NAME */
	PART_IS_PROXY,   /* system:kube-proxy */
};

/* On the part's loop. */
int part_client(const struct part_env *env, enum part_identity identity, struct client **ret, struct err *err);

#endif
