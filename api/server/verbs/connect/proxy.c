/* pods/NAME/proxy/PATH, services/NAME/proxy/PATH, nodes/NAME/proxy/PATH: whatever is asked there, passed on, every
 * method and upgrades too. NAME is "[SCHEME:]NAME[:PORT]". Upstream: ResourceLocation of registry/core/pod, service,
 * node.
 *
 * Pods are dialed at their address from this server, which must be able to reach them; a node's kubelet by its tunnel
 * as for logs. With https nobody's certificate is checked, for pods have none that anybody vouches for. What a browser
 * finds in the answer, redirects and links, holds here (passing/links.h).
 *
 * Whoever may upgrade a connection to a kubelet may run commands in every pod of the node, so that "get" is not enough
 * for it: "create" of nodes/proxy is asked for. */
#include "api/server/verbs/connect/connect_int.h"

#include "api/server/answer.h"
#include "api/server/auth/rights/authorize.h"
#include "api/server/cache/fresh.h"
#include "api/server/passing/backend.h"
#include "api/server/passing/forward.h"
#include "api/server/passing/headers.h"
#include "api/server/state.h"
#include "api/server/status.h"
#include "api/server/verbs/connect/kubelet_int.h"
#include "base/check.h"
#include "base/wire/tls.h"
#include "base/wire/url.h"

#include <arpa/inet.h>

enum { CONNECT_MS = 10000 };

struct place {
	struct links_place links;
	struct slice scheme, name, port; /* as the path says */
	struct slice path;               /* there */
	struct kubelet kubelet;          /* address NULL: it goes to another */
	struct authorization z;
};

/* ---- the name ---- */

static int read_name(struct call *c, struct place *p, struct err *err)
{
	struct slice rest = c->route.name, first = slice_cut(&rest, ':');
	p->name = first;
	p->port = rest;
	if (rest.ptr && memchr(rest.ptr, ':', rest.len)) {
		p->scheme = first;
		p->name = slice_cut(&p->port, ':');
	}
	bool is_scheme = !p->scheme.ptr || slice_is(p->scheme, "http") || slice_is(p->scheme, "https");
	if (!p->name.len || !is_scheme || (p->port.len && memchr(p->port.ptr, ':', p->port.len)))
		return err_set(err, ERR_INVAL, "invalid %s request \"%.*s\": [http:|https:]NAME[:PORT] is meant",
		        c->route.resource->singular, SLICE_FMT(c->route.name));
	return 0;
}

static struct object *find_object(struct call *c, const struct place *p)
{
	struct slice key = p->name;
	if (c->route.resource->namespaced)
		key = slice_of(arena_printf(&c->arena, "%.*s/%.*s", SLICE_FMT(c->route.ns), SLICE_FMT(p->name)));
	return cache_get(cache_resource(c->server->cache, c->route.resource), key);
}

/* A directory without its slash: relative links in it would lead astray. */
static bool redirects(struct call *c)
{
	bool reads = slice_is(c->method, "GET") || slice_is(c->method, "HEAD");
	if (!reads || c->route.tail.len || !c->exchange || http_wants_upgrade(c->exchange, NULL))
		return false;
	const char *to = arena_printf(
	        &c->arena, "%.*s/%s%.*s", SLICE_FMT(c->path), c->query.len ? "?" : "", SLICE_FMT(c->query));
	http_set_header(c->exchange, "location", slice_of(to));
	call_respond_text(c, 301, "text/plain", SLICE("Moved Permanently\n"));
	return true;
}

/* ---- passing on ---- */

static void tell(struct forward *f, const struct err *why, struct err *ret)
{
	const struct place *p = f->arg;
	kubelet_unreached(f->call, &p->kubelet, why, ret);
}

static void add_forwarded(struct call *c, struct header_list *headers)
{
	if (!c->exchange)
		return;
	const struct http_request *r = http_request(c->exchange);
	struct slice from = slice_of(r->peer->address);
	while (from.len && from.ptr[from.len - 1] != ':')
		from.len--;
	from.len -= from.len > 0;
	headers_add(headers, "x-forwarded-for", from);
	headers_add(headers, "x-forwarded-host", r->authority);
	headers_add(headers, "x-forwarded-proto", slice_of(r->is_tls ? "https" : "http"));
	headers_add(headers, "x-forwarded-uri", c->path);
}

/* What is compressed has no links that can be found. */
static void drop_encodings(struct header_list *headers)
{
	for (size_t i = 0; i < headers->count; i++)
		if (slice_is(headers->items[i].name, "accept-encoding"))
			headers->items[i].value = SLICE("identity");
}

/* host: "address:port" of the other side. */
static void start(struct call *c, struct place *p, struct http_client *client, const char *host)
{
	struct forward *f = ARENA_NEW(&c->arena, struct forward);
	struct header_list headers;
	headers_of_request(c, 4, &headers);
	drop_encodings(&headers);
	add_forwarded(c, &headers);
	p->links = (struct links_place){.there = host,
	        .prefix = arena_printf(&c->arena, "%.*s", (int)(c->path.len - c->route.tail.len), c->path.ptr),
	        .here = c->exchange ? http_request(c->exchange)->authority : SLICE_NULL};
	f->client = client;
	f->target =
	        arena_printf(&c->arena, "%.*s%s%.*s", SLICE_FMT(p->path), c->query.len ? "?" : "", SLICE_FMT(c->query));
	f->headers = headers.items;
	f->headers_count = headers.count;
	f->place = &p->links;
	if (c->exchange && http_wants_upgrade(c->exchange, NULL))
		f->upgrade = arena_printf(&c->arena, "%.*s", SLICE_FMT(http_header(c->exchange, "upgrade")));
	f->tell = p->kubelet.address ? tell : NULL;
	f->arg = p;
	forward_start(f, c);
}

/* Nobody's certificate is checked. */
static int make_tls(struct api_server *s, struct err *err)
{
	struct tls_options o = {.skip_verify = true};
	return s->any_tls ? 0 : tls_context_new(&o, &s->any_tls, err);
}

static void start_at(struct call *c, struct place *p, const char *host, int port)
{
	struct err err = ERR_INIT;
	bool is_tls = slice_is(p->scheme, "https");
	if (is_tls && make_tls(c->server, &err) != 0) {
		call_respond_err(c, &err);
		return;
	}
	struct http_client_options o = {.loop = c->server->loop,
	        .host = host,
	        .port = port,
	        .tls = is_tls ? c->server->any_tls : NULL,
	        .connect_ms = CONNECT_MS,
	        .protocol = HTTP_CLIENT_H1};
	start(c, p, http_client_new(&o), url_authority(&c->arena, host, port));
}

/* Addresses that mean this server itself, or nobody, are not for others to reach. */
static bool may_be_reached(const char *address)
{
	struct in_addr v4;
	struct in6_addr v6;
	if (inet_pton(AF_INET, address, &v4) == 1) {
		uint32_t a = ntohl(v4.s_addr);
		return a >> 24 != 127 && a >> 16 != 0xa9fe && a != 0 && a >> 28 < 14;
	}
	if (inet_pton(AF_INET6, address, &v6) != 1)
		return false;
	return !IN6_IS_ADDR_LOOPBACK(&v6) && !IN6_IS_ADDR_LINKLOCAL(&v6) && !IN6_IS_ADDR_MULTICAST(&v6) &&
	       !IN6_IS_ADDR_UNSPECIFIED(&v6);
}

static int read_port(const struct place *p, int fallback, int *ret, struct err *err)
{
	int64_t port = fallback;
	if (p->port.len && (!slice_to_i64(p->port, &port) || port < 1 || port > 65535))
		return err_set(err, ERR_INVAL, "\"%.*s\" is no port: a number from 1 to 65535 is", SLICE_FMT(p->port));
	*ret = (int)port;
	return 0;
}

/* The call's name and object, or an answer: NULL. */
static struct json *begin(struct call *c, const struct json *options, struct place *p)
{
	struct err err = ERR_INIT;
	struct json *tree = NULL;
	p->path = json_get_str(options, "path");
	if (redirects(c))
		return NULL;
	struct object *o = read_name(c, p, &err) == 0 ? find_object(c, p) : NULL;
	if (o)
		tree = json_parse(&c->arena, object_text(o), NULL, &err);
	else if (!err.code)
		status_not_found(&err, c->route.resource, p->name);
	if (!tree)
		call_respond_err(c, &err);
	return tree;
}

/* ---- pods ---- */

static int first_port(const struct json *pod)
{
	JSON_FOREACH (container, json_path(pod, "spec", "containers", NULL))
		JSON_FOREACH (port, json_get(container, "ports"))
			return (int)json_get_int(port, "containerPort", 0);
	return 0;
}

void proxy_to_pod(struct call *c, const struct json *options)
{
	struct place *p = ARENA_NEW(&c->arena, struct place);
	struct err err = ERR_INIT;
	int port = 0;
	const struct json *pod = begin(c, options, p);
	if (!pod)
		return;
	const char *address = json_cstr(&c->arena, json_path(pod, "status", "podIP", NULL));
	int fallback = first_port(pod);
	if (!address || !*address)
		err_set(&err, ERR_UNAVAILABLE, "pod \"%.*s\" has no address yet", SLICE_FMT(p->name));
	else if (!may_be_reached(address))
		err_set(&err, ERR_INVAL, "address not allowed: %s", address);
	else if (read_port(p, fallback ? fallback : slice_is(p->scheme, "https") ? 443 : 80, &port, &err) == 0)
		start_at(c, p, address, port);
	if (err.code)
		call_respond_err(c, &err);
}

/* ---- services ---- */

void proxy_to_service(struct call *c, const struct json *options)
{
	struct place *p = ARENA_NEW(&c->arena, struct place);
	struct backend b;
	struct err err = ERR_INIT;
	if (!begin(c, options, p))
		return;
	if (backend_find(c->server->cache, &c->arena, c->route.ns, p->name, p->port, &c->server->proxy_turns, &b,
	            &err) == 0 &&
	        !may_be_reached(b.host))
		err_set(&err, ERR_INVAL, "address not allowed: %s", b.host);
	if (err.code)
		call_respond_err(c, &err);
	else
		start_at(c, p, b.host, b.port);
}

/* ---- nodes ---- */

static void go_to_node(struct call *c, struct place *p)
{
	struct kubelet k;
	struct err err = ERR_INIT;
	int port = 0;
	if (kubelet_find(c, p->name, &k, &err) != 0 || read_port(p, k.port, &port, &err) != 0) {
		call_respond_err(c, &err);
		return;
	}
	if (port != k.port) {
		start_at(c, p, k.address, port);
		return;
	}
	p->kubelet = k;
	start(c, p, kubelet_connect(c, &k), url_authority(&c->arena, k.address, k.port));
}

static void may_create(struct authorization *z)
{
	struct call *c = z->arg;
	struct err err = ERR_INIT;
	if (!c->gone && z->verdict == VERDICT_ALLOW) {
		go_to_node(c, CONTAINER_OF(z, struct place, z));
	} else if (!c->gone) {
		authorize_refusal(&z->attributes, z->reason, &err);
		call_respond_err(c, &err);
	}
	call_unref(c);
}

void proxy_to_node(struct call *c, const struct json *options)
{
	struct place *p = ARENA_NEW(&c->arena, struct place);
	if (!begin(c, options, p))
		return;
	if (!c->exchange || !http_wants_upgrade(c->exchange, NULL)) {
		go_to_node(c, p);
		return;
	}
	p->z.attributes = (struct attributes){.user = c->user,
	        .is_resource = true,
	        .verb = SLICE("create"),
	        .group = SLICE(""),
	        .version = SLICE("v1"),
	        .resource = SLICE("nodes"),
	        .subresource = SLICE("proxy"),
	        .name = c->route.name};
	p->z.arena = &c->arena;
	p->z.arg = call_ref(c);
	p->z.done = may_create;
	authorize(c->server, &p->z);
}
