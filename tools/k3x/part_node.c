/* The node as a part of the server: the kubelet on a loop of its own, through an in-process client. Stopping it leaves
 * pods and containerd running. See parts.h. */
#include "tools/k3x/parts.h"

#include "base/mem/arena.h"
#include "node/node.h"

#include <stdlib.h>

struct node_part {
	struct client *client;
	struct node *node;
	void (*closed)(void *arg);
	void *arg;
};

static bool wanted(const struct server_settings *s)
{
	return !s->disable_agent;
}

static void client_closed(void *arg)
{
	struct node_part *p = arg;
	void (*closed)(void *) = p->closed;
	void *closed_arg = p->arg;
	free(p);
	if (closed)
		closed(closed_arg);
}

static void node_closed(void *arg)
{
	struct node_part *p = arg;
	client_close(p->client, client_closed, p);
}

static void close_part(void *state, void (*closed)(void *arg), void *arg)
{
	struct node_part *p = state;
	p->closed = closed;
	p->arg = arg;
	node_close(p->node, node_closed, p);
}

static void *start(const struct part_env *env, struct err *err)
{
	struct server_settings *s = env->settings;
	struct node_part *p = xcalloc(1, sizeof *p);
	struct node_options o = {
	        .loop = env->loop,
	        .data_dir = s->data_dir,
	        .is_default_data_dir = strcmp(s->data_dir, "/var/lib/k3x") == 0,
	        .node_name = s->node_name,
	        .node_ip = s->node_ip,
	        .labels = s->node_label.items,
	        .labels_count = s->node_label.count,
	        .taints = s->node_taint.items,
	        .taints_count = s->node_taint.count,
	        .is_server = true,
	        .container_runtime_endpoint = s->container_runtime_endpoint,
	        .pause_image = s->pause_image,
	        .resolv_conf = s->resolv_conf,
	        .cluster_cidr = s->cluster_cidr,
	        .cluster_dns = s->cluster_dns,
	        .cluster_domain = s->cluster_domain,
	        .kubelet_port = (int)s->kubelet_port,
	        .serving_cert_file = server_file(s, "agent/serving-kubelet.crt"),
	        .serving_key_file = server_file(s, "agent/serving-kubelet.key"),
	        .client_ca_file = server_file(s, "server/tls/client-ca.crt"),
	};
	char *user = xprintf("system:node:%s", s->node_name);
	o.client = p->client = api_server_client(env->api, env->loop, user, "system:nodes,k3x:server-nodes");
	free(user);
	if (node_new(&o, &p->node, err) == 0)
		return p;
	client_close(p->client, client_closed, p);
	return NULL;
}

const struct part part_node = {false, "node", wanted, start, close_part};
