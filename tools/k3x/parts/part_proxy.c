/* The service proxy as a part of a server or an agent. See parts.h. */
#include "tools/k3x/parts/part_client.h"

#include "base/mem/arena.h"
#include "net/proxy/proxy.h"
#include "net/proxy/proxy_remove.h"

#include <stdlib.h>

struct proxy_part {
	struct client *client;
	struct proxy *proxy;           /* NULL: there is to be none */
	struct proxy_remover *remover; /* then */
	void (*closed)(void *arg);
	void *arg;
};

/* Also where it is off: rules of an earlier run are taken away then. */
static bool wanted(const struct server_settings *s)
{
	return !s->disable_agent;
}

static int follow(struct proxy_part *p, const struct part_env *env, struct err *err)
{
	if (part_client(env, PART_IS_PROXY, &p->client, err) != 0)
		return err->code;
	struct proxy_options o = {.client = p->client,
	        .node_name = env->settings->node_name,
	        .cluster_cidr = env->settings->cluster_cidr,
	        .node_ip = env->settings->node_ip,
	        .node_ip_other = env->settings->node_ip_other,
	        .arguments = env->settings->proxy};
	p->proxy = proxy_new(&o);
	return 0;
}

static void *start(const struct part_env *env, struct err *err)
{
	struct proxy_part *p = xcalloc(1, sizeof *p);
	if (env->settings->disable_kube_proxy) {
		p->remover = proxy_remover_new(env->loop, NULL);
	} else if (follow(p, env, err) != 0) {
		free(p);
		return NULL;
	}
	return p;
}

static void all_closed(void *arg)
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
	client_close(p->client, all_closed, p);
}

static void close_part(void *state, void (*closed)(void *arg), void *arg)
{
	struct proxy_part *p = state;
	p->closed = closed;
	p->arg = arg;
	if (p->proxy)
		proxy_close(p->proxy, proxy_closed, p);
	else
		proxy_remover_close(p->remover, all_closed, p);
}

const struct part part_proxy = {false, "proxy", wanted, start, close_part};
