/* The pod network between nodes as a part of a server or an agent. See parts.h. */
#include "tools/k3x/parts/part_client.h"

#include "base/hash.h"
#include "base/mem/arena.h"
#include "net/fabric/fabric.h"
#include "net/fabric/wireguard/tunnel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct fabric_part {
	struct client *client, *own;
	struct fabric *fabric;
	void (*closed)(void *arg);
	void *arg;
};

static bool wanted(const struct server_settings *s)
{
	return !s->disable_agent && s->fabric_backend != FABRIC_NONE;
}

static bool is_default(const struct server_settings *s)
{
	return strcmp(s->data_dir, "/var/lib/k3x") == 0;
}

/* Several servers on one machine (tests) must not share links. */
static void name_links(struct server_settings *s, struct fabric_options *o)
{
	unsigned id = (unsigned)fnv1a32_add(FNV1A32_INIT, s->data_dir, strlen(s->data_dir));
	bool plain = is_default(s);
	o->vxlan = plain ? "flannel.1" : arena_printf(&s->arena, "k3xv%08x", id);
	o->vxlan_v6 = plain ? "flannel-v6.1" : arena_printf(&s->arena, "k3xw%08x", id);
	o->wireguard = plain ? "flannel-wg" : arena_printf(&s->arena, "k3xg%08x", id);
	o->wireguard_v6 = plain ? "flannel-wg-v6" : arena_printf(&s->arena, "k3xh%08x", id);
}

static int make_folder(const char *path, struct err *err)
{
	return mkdir(path, 0755) == 0 || errno == EEXIST ? 0 : err_errno(err, errno, "make the folder %s", path);
}

/* What this machine lacks for it is said now, and not by pods that don't reach each other. */
static int prepare_wireguard(struct server_settings *s, const struct fabric_options *o,
        struct fabric_wireguard_options *ret, struct err *err)
{
	struct arena *a = &s->arena;
	const char *state = is_default(s) ? "/run/k3x" : arena_printf(a, "%s/agent/run", s->data_dir);
	ret->log_file = arena_printf(a, "%s/agent/wireguard-go.log", s->data_dir);
	ret->pid_files[IP_V4] = arena_printf(a, "%s/wireguard-%s.pid", state, o->wireguard);
	ret->pid_files[IP_V6] = arena_printf(a, "%s/wireguard-%s.pid", state, o->wireguard_v6);
	if (wireguard_check(err) != 0 || make_folder(state, err) != 0)
		return err->code;
	return wireguard_keys_load(arena_printf(a, "%s/agent/wireguard.key", s->data_dir), &ret->keys, err);
}

static int open_clients(struct fabric_part *p, const struct part_env *env, struct err *err)
{
	if (part_client(env, PART_IS_PROXY, &p->client, err) != 0)
		return err->code;
	if (part_client(env, PART_IS_KUBELET, &p->own, err) != 0)
		client_close(p->client, NULL, NULL);
	return err->code;
}

static void *start(const struct part_env *env, struct err *err)
{
	struct server_settings *s = env->settings;
	struct fabric_part *p = xcalloc(1, sizeof *p);
	struct fabric_wireguard_options with_keys = {0};
	struct fabric_options o = {.node_name = s->node_name,
	        .node_ip = s->node_ip,
	        .node_ip_other = s->node_ip_other,
	        .external_ip = s->flannel_external_ip ? s->node_external_ip : NULL,
	        .iface = s->flannel_iface,
	        .with_keys = &with_keys,
	        .masquerades_v6 = s->flannel_ipv6_masq,
	        .cluster_cidr = s->cluster_cidr,
	        .conf = &s->fabric_conf,
	        .backend = s->fabric_backend};
	name_links(s, &o);
	if ((o.backend == FABRIC_WIREGUARD && prepare_wireguard(s, &o, &with_keys, err) != 0) ||
	        open_clients(p, env, err) != 0) {
		free(p);
		return NULL;
	}
	o.client = p->client;
	o.own = p->own;
	p->fabric = fabric_new(&o);
	explicit_bzero(&with_keys, sizeof with_keys);
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
