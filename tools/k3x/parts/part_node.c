/* The node as a part of a server or an agent: the kubelet on a loop of its own. Stopping it leaves pods and containerd
 * running. See parts.h. */
#include "tools/k3x/parts/part_client.h"

#include "base/mem/arena.h"
#include "net/fabric/fabric.h"
#include "net/mirror/image_peers.h"
#include "net/policy/policy_metrics.h"
#include "node/node.h"
#include "node/runtime/system_image.h"
#include "tools/k3x/system_names.h"

#include <stdlib.h>

struct node_part {
	struct client *client;
	struct client *reader;     /* of all Nodes; NULL: nobody wants them */
	struct image_peers *peers; /* NULL with it */
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

static void reader_closed(void *arg)
{
	struct node_part *p = arg;
	client_close(p->client, client_closed, p);
}

static void peers_closed(void *arg)
{
	struct node_part *p = arg;
	client_close(p->reader, reader_closed, p);
}

static void node_closed(void *arg)
{
	struct node_part *p = arg;
	if (p->peers)
		image_peers_close(p->peers, peers_closed, p);
	else
		reader_closed(p);
}

static const char *find_image(void *arg, struct arena *a, struct slice repository, struct slice reference)
{
	return image_peers_find(arg, a, repository, reference);
}

static void close_part(void *state, void (*closed)(void *arg), void *arg)
{
	struct node_part *p = state;
	p->closed = closed;
	p->arg = arg;
	node_close(p->node, node_closed, p);
}

static void write_more_metrics(void *arg, struct strbuf *out)
{
	policy_metrics_write(arg, out);
}

static void *start(const struct part_env *env, struct err *err)
{
	struct server_settings *s = env->settings;
	struct node_part *p = xcalloc(1, sizeof *p);
	struct node_options o = {
	        .loop = env->loop,
	        .data_dir = s->data_dir,
	        .is_default_data_dir = strcmp(s->data_dir, "/var/lib/k3x") == 0,
	        .config = s->kubelet,
	        .node_name = s->node_name,
	        .node_ip = s->node_ip,
	        .node_ip_other = s->node_ip_other,
	        .labels = s->node_label.items,
	        .labels_count = s->node_label.count,
	        .taints = s->node_taint.items,
	        .taints_count = s->node_taint.count,
	        .node_external_ip = s->node_external_ip,
	        .is_server = !s->is_agent,
	        .container_runtime_endpoint = s->container_runtime_endpoint,
	        .pause_image = system_name(&s->arena, s->system_registry, s->pause_image),
	        .system_image = system_name(&s->arena, s->system_registry, SYSTEM_IMAGE),
	        .has_wasm = s->wasm,
	        .wasm_root = s->wasm_root,
	        .pods_max = (unsigned)s->max_pods,
	        .resolv_conf = s->resolv_conf,
	        .cluster_cidr = s->cluster_cidr,
	        .has_own_network = s->fabric_backend == FABRIC_NONE,
	        .has_fabric = s->fabric_backend != FABRIC_NONE,
	        .cni_conf = s->flannel_cni_text,
	        .cluster_dns = s->cluster_dns,
	        .cluster_domain = s->cluster_domain,
	        .kubelet_port = (int)s->kubelet_port,
	        .serving_cert_file = server_file(s, "agent/serving-kubelet.crt"),
	        .serving_key_file = server_file(s, "agent/serving-kubelet.key"),
	        .client_ca_file = server_file(s, s->is_agent ? "agent/client-ca.crt" : "server/tls/client-ca.crt"),
	};
	if (!s->disable_network_policy) {
		o.more_metrics = write_more_metrics;
		o.more_metrics_arg = env->policies;
	}
	o.pod_mtu =
	        fabric_pod_mtu(s->fabric_backend, s->fabric_conf.mtu, s->flannel_iface, s->node_ip, s->node_ip_other);
	if (part_client(env, PART_IS_KUBELET, &p->client, err) != 0) {
		free(p);
		return NULL;
	}
	o.client = p->client;
	if (s->embedded_registry && part_client(env, PART_IS_PROXY, &p->reader, err) == 0) {
		p->peers = image_peers_new(p->reader, s->node_name);
		o.find_image = find_image;
		o.find_image_arg = p->peers;
	}
	if (!err->code && node_new(&o, &p->node, err) == 0)
		return p;
	node_closed(p);
	return NULL;
}

const struct part part_node = {false, "node", wanted, start, close_part};
