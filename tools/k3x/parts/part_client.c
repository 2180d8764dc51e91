/* See part_client.h. */
#include "tools/k3x/parts/part_client.h"

#include "base/mem/arena.h"

#include <stdlib.h>

static int of_agent(const struct part_env *env, enum part_identity identity, struct client **ret, struct err *err)
{
	const struct agent_access *a = env->agent;
	struct client_https_options o = {
	        .server_url = a->url, .tls = identity == PART_IS_KUBELET ? a->kubelet : a->proxy};
	return client_https_new(env->loop, &o, ret, err);
}

int part_client(const struct part_env *env, enum part_identity identity, struct client **ret, struct err *err)
{
	if (env->agent)
		return of_agent(env, identity, ret, err);
	if (identity == PART_IS_PROXY) {
		*ret = api_server_client(env->api, env->loop, "system:kube-proxy", "system:node-proxier");
		return 0;
	}
	char *user = xprintf("system:node:%s", env->settings->node_name);
	*ret = api_server_client(env->api, env->loop, user, "system:nodes,k3x:server-nodes");
	free(user);
	return 0;
}
