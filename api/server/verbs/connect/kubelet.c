/* See kubelet_int.h. An agent keeps a tunnel to every server it can reach, and it is taken where it is, for it works in
 * both directions of any firewall; a node without one (a server's own, or an agent that is just connecting) is dialed
 * at its InternalIP, or where nodes are told to reach each other by external addresses at its ExternalIP when it has
 * one. Either way TLS is spoken with the kubelet itself, whose certificate must be for that address. */
#include "api/server/verbs/connect/kubelet_int.h"

#include "api/server/cache/cache.h"
#include "api/server/state.h"
#include "api/server/status.h"
#include "api/server/tunnel/tunnel.h"

enum { CONNECT_MS = 10000, KUBELET_PORT = 10250 };

static const char *address_of(struct call *c, const struct json *status, const char *type)
{
	JSON_FOREACH (it, json_get(status, "addresses"))
		if (slice_is(json_get_str(it, "type"), type))
			return json_cstr(&c->arena, json_get(it, "address"));
	return NULL;
}

int kubelet_find(struct call *c, struct slice node, struct kubelet *ret, struct err *err)
{
	const struct resource *r = resource_find(SLICE(""), SLICE("v1"), SLICE("nodes"));
	struct object *o = cache_get(cache_resource(c->server->cache, r), node);
	if (!o)
		return status_not_found(err, r, node);
	if (!c->server->kubelet_tls)
		return err_set(err, ERR_UNAVAILABLE, "this server has no identity towards kubelets");
	struct json *tree = json_parse(&c->arena, object_text(o), NULL, NULL), *status = json_get(tree, "status");
	struct kubelet k = {.node = node};
	k.port = (int)json_int(json_path(status, "daemonEndpoints", "kubeletEndpoint", "Port", NULL), KUBELET_PORT);
	if (c->server->options.kubelets_are_external)
		k.address = address_of(c, status, "ExternalIP");
	if (!k.address)
		k.address = address_of(c, status, "InternalIP");
	if (!k.address)
		return err_set(err, ERR_UNAVAILABLE, "node \"%.*s\" has not reported an address yet", SLICE_FMT(node));
	*ret = k;
	return 0;
}

struct http_client *kubelet_connect(struct call *c, const struct kubelet *k)
{
	struct http_client_options o = {.loop = c->server->loop,
	        .host = k->address,
	        .port = k->port,
	        .tls = c->server->kubelet_tls,
	        .connect_ms = CONNECT_MS,
	        .protocol = HTTP_CLIENT_H1};
	if (tunnel_is_open(c->server->tunnels, k->node)) {
		struct tunnel_way *w = ARENA_NEW(&c->arena, struct tunnel_way);
		w->tunnels = c->server->tunnels;
		w->node = (struct slice){arena_memdup(&c->arena, k->node.ptr, k->node.len), k->node.len};
		o.dial = tunnel_dial;
		o.dial_arg = w;
	}
	return http_client_new(&o);
}

void kubelet_unreached(const struct call *c, const struct kubelet *k, const struct err *why, struct err *ret)
{
	bool has_tunnel = tunnel_is_open(c->server->tunnels, k->node);
	err_set(ret, ERR_UNAVAILABLE, "the kubelet of node %.*s cannot be reached%s: %s", SLICE_FMT(k->node),
	        has_tunnel ? " through its tunnel" : ", which has no tunnel to this server", why->msg);
}
