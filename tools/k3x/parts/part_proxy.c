/* The service proxy as a part of a server or an agent. See parts.h. */
#include "tools/k3x/parts/part_client.h"

#include "base/mem/arena.h"
#include "net/proxy/proxy.h"

#include <stdlib.h>

struct proxy_part {
	struct client *client;
	struct proxy *proxy;
	void (*closed)(void *arg);
	void *arg;
};

static bool wanted(const struct server_settings *s)
{
	return !s->disable_agent && !s->disable_kube_proxy;
}

static void *start(const struct part_env *env, struct err *err)
{
	struct proxy_part *p = xcalloc(1, sizeof *p);
	if (part_client(env, PART_IS_PROXY, &p->client, err) != 0) {
		free(p);
		return NULL;
	}
	struct proxy_options o = {.client = p->client,
	        .node_name = env->settings->node_name,
	        .cluster_cidr = env->settings->cluster_cidr,
	        .node_ip = env->settings->node_ip,
	        .node_ip_other = env->settings->node_ip_other,
	        .arguments = env->settings->proxy};
	p->proxy = proxy_new(&o);
	return p;
}

static void client_closed(void *arg)
{
	struct proxy_part *p = arg;
	void (*closed)(void *) = p->closed;
	void *closed_arg = p->arg;
	free(p);
	closed(closed_arg);
}

static void proxy_closed(void *arg)
{
	struct proxy_part *p = arg;
	client_close(p->client, client_closed, p);
}

static void close_part(void *state, void (*closed)(void *arg), void *arg)
{
	struct proxy_part *p = state;
	p->closed = closed;
	p->arg = arg;
	proxy_close(p->proxy, proxy_closed, p);
}

const struct part part_proxy = {false, "proxy", wanted, start, close_part};
