/* An agent's ways to the servers and back, as a part: the balancer, the list of servers that it follows through itself,
 * and a tunnel to each of them. It is started before the parts that go through it. See parts.h.
 *
 *     endpoints of the `kubernetes` Service --> balancer's list --> tunnels
 *
 * Closed in this order: endpoints, their client, tunnels, balancer. */
#include "tools/k3x/parts/part_client.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/mem/arena.h"
#include "base/rt/closing.h"
#include "base/wire/url.h"
#include "net/balancer/balancer.h"
#include "net/balancer/endpoints.h"
#include "net/tunnel/tunnel.h"

#include <stdlib.h>

struct way {
	struct tunnel *tunnel; /* NULL: free */
	char *address;
};

struct uplink_part {
	struct loop *loop;
	const struct agent_access *access;
	int kubelet_port;
	struct client *client;
	struct balancer *balancer;
	struct endpoints *endpoints;
	struct way ways[BALANCER_SERVERS_MAX + 1];
	struct closing tunnels; /* held by each that is not gone, and by the part while it lives */
	void (*closed)(void *arg);
	void *arg;
};

static bool wanted(const struct server_settings *s)
{
	return s->is_agent;
}

/* ---- tunnels: one per server that the balancer knows ---- */

static struct way *find(struct uplink_part *p, const char *address)
{
	for (size_t i = 0; i < COUNT_OF(p->ways); i++)
		if (address ? p->ways[i].tunnel && strcmp(p->ways[i].address, address) == 0 : !p->ways[i].tunnel)
			return &p->ways[i];
	return NULL;
}

static void end_way(struct uplink_part *p, struct way *w)
{
	free(TAKE(w->address));
	tunnel_close(TAKE(w->tunnel), closing_part_done, &p->tunnels);
}

static void begin_way(struct uplink_part *p, const char *address)
{
	struct way *w = find(p, NULL);
	struct arena a = ARENA_INIT;
	struct tunnel_options o = {.loop = p->loop, .tls = p->access->kubelet, .kubelet_port = p->kubelet_port};
	struct url url;
	struct err unused = ERR_INIT;
	CHECK(w && url_parse(&a, arena_printf(&a, "https://%s", address), 0, &url, &unused) == 0);
	o.host = url.host;
	o.port = url.port;
	closing_hold(&p->tunnels);
	*w = (struct way){tunnel_new(&o), xstrdup(address)};
	arena_release(&a);
}

static void follow(void *arg)
{
	struct uplink_part *p = arg;
	const char *known[BALANCER_SERVERS_MAX + 1];
	size_t n = balancer_servers(p->balancer, known, COUNT_OF(known));
	for (size_t i = 0; i < COUNT_OF(p->ways); i++) {
		bool is_known = false;
		for (size_t k = 0; p->ways[i].tunnel && k < n && !is_known; k++)
			is_known = strcmp(p->ways[i].address, known[k]) == 0;
		if (p->ways[i].tunnel && !is_known)
			end_way(p, &p->ways[i]);
	}
	for (size_t k = 0; k < n; k++)
		if (!find(p, known[k]))
			begin_way(p, known[k]);
}

static void told(void *arg, const char *const *addresses, size_t n)
{
	struct uplink_part *p = arg;
	balancer_set_servers(p->balancer, addresses, n);
}

/* ---- closing ---- */

static void balancer_closed(void *arg)
{
	struct uplink_part *p = arg;
	void (*closed)(void *) = p->closed;
	void *closed_arg = p->arg;
	free(p);
	if (closed)
		closed(closed_arg);
}

static void tunnels_closed(struct closing *c)
{
	struct uplink_part *p = CONTAINER_OF(c, struct uplink_part, tunnels);
	balancer_close(p->balancer, balancer_closed, p);
}

static void client_closed(void *arg)
{
	struct uplink_part *p = arg;
	for (size_t i = 0; i < COUNT_OF(p->ways); i++)
		if (p->ways[i].tunnel)
			end_way(p, &p->ways[i]);
	closing_part_done(&p->tunnels);
}

static void endpoints_closed(void *arg)
{
	struct uplink_part *p = arg;
	client_close(p->client, client_closed, p);
}

static void close_part(void *state, void (*closed)(void *arg), void *arg)
{
	struct uplink_part *p = state;
	p->closed = closed;
	p->arg = arg;
	endpoints_close(p->endpoints, endpoints_closed, p);
}

/* ---- start ---- */

static void *start(const struct part_env *env, struct err *err)
{
	struct uplink_part *p = xcalloc(1, sizeof *p);
	struct balancer_options o = {.loop = env->loop,
	        .address = "127.0.0.1",
	        .port = (int)env->settings->lb_port,
	        .fallback = env->agent->fallback,
	        .file = server_file(env->settings, AGENT_BALANCER_FILE),
	        .tls = env->agent->proxy,
	        .changed = follow,
	        .arg = p};
	p->loop = env->loop;
	p->access = env->agent;
	p->kubelet_port = (int)env->settings->kubelet_port;
	p->tunnels.all_closed = tunnels_closed;
	if (balancer_new(&o, &p->balancer, err) != 0) {
		free(p);
		return NULL;
	}
	closing_hold(&p->tunnels);
	CHECK(part_client(env, PART_IS_PROXY, &p->client, err) == 0); /* its URL and context are ours */
	p->endpoints = endpoints_new(p->client, told, p);
	follow(p);
	return p;
}

const struct part part_uplink = {false, "uplink", wanted, start, close_part};
