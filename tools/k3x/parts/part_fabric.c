/* The pod network between nodes as a part of a server or an agent. See parts.h. */
#include "tools/k3x/parts/part_client.h"

#include "base/hash.h"
#include "base/mem/arena.h"
#include "net/fabric/fabric.h"

#include <stdlib.h>
#include <string.h>

struct fabric_part {
	struct client *client, *own;
	struct fabric *fabric;
	void (*closed)(void *arg);
	void *arg;
};

static enum fabric_backend backend_of(const struct server_settings *s)
{
	enum fabric_backend b = FABRIC_NONE;
	fabric_backend_parse(s->flannel_backend, &b); /* server_check.c has looked at it */
	return b;
}

static bool wanted(const struct server_settings *s)
{
	return !s->disable_agent && backend_of(s) != FABRIC_NONE;
}

static void *start(const struct part_env *env, struct err *err)
{
	struct server_settings *s = env->settings;
	struct fabric_part *p = xcalloc(1, sizeof *p);
	if (part_client(env, PART_IS_PROXY, &p->client, err) != 0) {
		free(p);
		return NULL;
	}
	if (part_client(env, PART_IS_KUBELET, &p->own, err) != 0) {
		client_close(p->client, NULL, NULL);
		free(p);
		return NULL;
	}
	char link[16] = "flannel.1", link_v6[16] = "flannel-v6.1";
	/* Several servers on one machine (tests) must not share a link. */
	if (strcmp(s->data_dir, "/var/lib/k3x") != 0) {
		unsigned id = (unsigned)fnv1a32_add(FNV1A32_INIT, s->data_dir, strlen(s->data_dir));
		snprintf(link, sizeof link, "k3xv%08x", id);
		snprintf(link_v6, sizeof link_v6, "k3xw%08x", id);
	}
	struct fabric_options o = {.client = p->client,
	        .own = p->own,
	        .node_name = s->node_name,
	        .node_ip = s->node_ip,
	        .node_ip_other = s->node_ip_other,
	        .iface = s->flannel_iface,
	        .link = link,
	        .link_v6 = link_v6,
	        .masquerades_v6 = s->flannel_ipv6_masq,
	        .cluster_cidr = s->cluster_cidr,
	        .backend = backend_of(s)};
	p->fabric = fabric_new(&o);
	return p;
}

static void client_closed(void *arg)
{
	struct fabric_part *p = arg;
	void (*closed)(void *) = p->closed;
	void *closed_arg = p->arg;
	free(p);
	closed(closed_arg);
}

static void own_closed(void *arg)
{
	struct fabric_part *p = arg;
	client_close(p->client, client_closed, p);
}

static void fabric_closed(void *arg)
{
	struct fabric_part *p = arg;
	client_close(p->own, own_closed, p);
}

static void close_part(void *state, void (*closed)(void *arg), void *arg)
{
	struct fabric_part *p = state;
	p->closed = closed;
	p->arg = arg;
	fabric_close(p->fabric, fabric_closed, p);
}

const struct part part_fabric = {false, "fabric", wanted, start, close_part};
