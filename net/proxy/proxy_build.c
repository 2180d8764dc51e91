/* See proxy_build_int.h. */
#include "net/proxy/proxy_build_int.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/limits.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

/* Everything that lands in a rule is checked: the API's word is not enough for a root shell's grammar. */
static const char *safe_ip(struct arena *a, const struct proxy_family *f, struct slice s)
{
	struct ip ip;
	char text[IP_TEXT_MAX];
	return ip_parse(s, &ip) && ip.family == f->family ? arena_strdup(a, ip_write(&ip, text)) : NULL;
}

/* "ADDRESS/BITS"; NULL: it is none of this family. */
static const char *safe_cidr(struct arena *a, const struct proxy_family *f, struct slice s)
{
	struct slice bits = slice_trim(s), address = slice_cut(&bits, '/');
	const char *ip = safe_ip(a, f, address);
	uint64_t n;
	return ip && slice_to_u64(bits, &n) && n <= ip_bits(f->family) ? arena_printf(a, "%s/%u", ip, (unsigned)n)
	                                                               : NULL;
}

static const char *safe_protocol(struct slice s)
{
	return slice_is(s, "UDP") ? "udp" : slice_is(s, "SCTP") ? "sctp" : "tcp";
}

/* Upstream's default, and the most that it takes. */
enum { AFFINITY_S = 10800, AFFINITY_S_MAX = 86400 };

/* What a slice says of an endpoint that can be led to. */
struct candidate {
	struct proxy_endpoint endpoint;
	bool is_ready; /* else it serves still while it ends */
	bool is_local;
	bool has_hints, is_for_us; /* hints of zones, and ours is among them */
};

struct candidates {
	struct candidate *items;
	size_t count, cap;
};

static struct candidate *candidate_new(struct arena *a, struct candidates *l, const char *ip, int port)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->items[i].endpoint.port == port && strcmp(l->items[i].endpoint.ip, ip) == 0)
			return NULL;
	if (l->count == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 8;
		struct candidate *bigger = ARENA_ARRAY(a, struct candidate, cap);
		if (l->count)
			memcpy(bigger, l->items, l->count * sizeof *bigger);
		l->items = bigger;
		l->cap = cap;
	}
	l->items[l->count] = (struct candidate){.endpoint = {ip, port}};
	return &l->items[l->count++];
}

static int slice_port(const struct json *slice, struct slice name, struct slice protocol)
{
	JSON_FOREACH (p, json_get(slice, "ports"))
		if (slice_eq(json_get_str(p, "name"), name) && slice_eq(json_get_str(p, "protocol"), protocol))
			return (int)json_get_int(p, "port", 0);
	return 0;
}

static void read_hints(const struct proxy_service *v, const struct json *endpoint, struct candidate *c)
{
	JSON_FOREACH (it, json_path(endpoint, "hints", "forZones", NULL)) {
		c->has_hints = true;
		c->is_for_us |= slice_is(json_get_str(it, "name"), v->zone);
	}
}

static void add_candidate(const struct proxy_service *v, struct arena *a, const struct proxy_family *f,
        const struct json *endpoint, int port, struct candidates *ret)
{
	const struct json *conditions = json_get(endpoint, "conditions");
	bool is_ready = json_get_bool(conditions, "ready", true),
	     is_leaving =
	             json_get_bool(conditions, "serving", is_ready) && json_get_bool(conditions, "terminating", false);
	const char *ip =
	        is_ready || is_leaving ? safe_ip(a, f, json_str(json_at(json_get(endpoint, "addresses"), 0))) : NULL;
	struct candidate *c = ip ? candidate_new(a, ret, ip, port) : NULL;
	if (!c)
		return;
	c->is_ready = is_ready;
	c->is_local = slice_is(json_get_str(endpoint, "nodeName"), v->node_name);
	read_hints(v, endpoint, c);
}

/* Endpoints of a port over all slices of the family. */
static struct candidates collect(
        const struct proxy_service *v, struct arena *a, const struct proxy_family *f, const struct json *port)
{
	struct slice name = json_get_str(port, "name"), protocol = json_get_str(port, "protocol");
	struct candidates all = {0};
	for (size_t i = 0; i < v->slices_count; i++) {
		int target = slice_port(v->slices[i], name, protocol);
		if (target < 1 || target > 65535)
			continue;
		JSON_FOREACH (e, json_get(v->slices[i], "endpoints"))
			add_candidate(v, a, f, e, target, &all);
	}
	return all;
}

/* Every endpoint that is ready has hints, and one is meant for our zone. */
static bool uses_zones(const struct candidates *all, const char *zone)
{
	bool any = false;
	for (size_t i = 0; i < all->count; i++) {
		if (all->items[i].is_ready && !all->items[i].has_hints)
			return false;
		any |= all->items[i].is_ready && all->items[i].is_for_us;
	}
	return any && *zone;
}

struct choice {
	bool local_only, of_our_zone;
};

static bool fits(const struct candidate *c, struct choice want)
{
	return (!want.local_only || c->is_local) && (!want.of_our_zone || c->is_for_us);
}

/* Those that are ready; where none is, those that end and serve still. */
static const struct proxy_endpoint *choose(
        struct arena *a, const struct candidates *all, struct choice want, size_t *ret_count)
{
	struct proxy_endpoint *list = ARENA_ARRAY(a, struct proxy_endpoint, all->count + 1);
	*ret_count = 0;
	for (int leaving = 0; leaving < 2 && !*ret_count; leaving++)
		for (size_t i = 0; i < all->count; i++)
			if (all->items[i].is_ready == !leaving && fits(&all->items[i], want))
				list[(*ret_count)++] = all->items[i].endpoint;
	return list;
}

/* Twice the same is once. */
static void add_address(struct arena *a, struct proxy_port *port, size_t cap, struct slice text)
{
	const char *ip = safe_ip(a, port->family, text);
	for (size_t i = 0; ip && i < port->n_addresses; i++)
		if (strcmp(port->addresses[i], ip) == 0)
			return;
	CHECK(!ip || port->n_addresses < cap);
	if (ip)
		port->addresses[port->n_addresses++] = ip;
}

static void fill_addresses(struct arena *a, struct proxy_port *port, const struct json *service)
{
	struct json *spec = json_get(service, "spec"), *externals = json_get(spec, "externalIPs");
	struct json *ingress = json_path(service, "status", "loadBalancer", "ingress", NULL);
	struct json *ips = json_get(spec, "clusterIPs");
	size_t cap = 1 + (ips ? ips->count : 0) + (externals ? externals->count : 0) + (ingress ? ingress->count : 0);
	port->addresses = ARENA_ARRAY(a, const char *, cap);
	JSON_FOREACH (it, ips)
		add_address(a, port, cap, json_str(it));
	add_address(a, port, cap, json_get_str(spec, "clusterIP"));
	port->n_cluster_addresses = port->n_addresses;
	JSON_FOREACH (it, externals)
		add_address(a, port, cap, json_str(it));
	port->n_open_addresses = port->n_addresses;
	JSON_FOREACH (it, ingress)
		if (!slice_is(json_get_str(it, "ipMode"), "Proxy")) /* there it is the balancer that answers */
			add_address(a, port, cap, json_get_str(it, "ip"));
}

/* Ranges of another family let nobody of this one in. */
static void fill_sources(struct arena *a, struct proxy_port *port, const struct json *ranges)
{
	port->sources = ARENA_ARRAY(a, const char *, (ranges ? ranges->count : 0) + 1);
	JSON_FOREACH (it, ranges) {
		const char *range = safe_cidr(a, port->family, json_str(it));
		if (range)
			port->sources[port->n_sources++] = range;
	}
	if (ranges && ranges->count && !port->n_sources)
		port->sources[port->n_sources++] =
		        port->family->family == IP_V6 ? "ff00::/128" : "255.255.255.255/32"; /* nobody's */
}

static int affinity_of(const struct json *spec)
{
	if (!slice_is(json_get_str(spec, "sessionAffinity"), "ClientIP"))
		return 0;
	int64_t seconds =
	        json_int(json_path(spec, "sessionAffinityConfig", "clientIP", "timeoutSeconds", NULL), AFFINITY_S);
	return seconds < 1 || seconds > AFFINITY_S_MAX ? AFFINITY_S : (int)seconds;
}

/* A comment as nft takes it: at most NFT_COMMENT_BYTES_MAX bytes, none that ends it. */
static const char *comment_of(struct arena *a, struct slice key, struct slice port)
{
	char *text = arena_printf(a, "%.*s:%.*s", SLICE_FMT(key), SLICE_FMT(port));
	for (char *c = text; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("-./:_", *c))
			*c = '?';
	if (strlen(text) > NFT_COMMENT_BYTES_MAX)
		text[NFT_COMMENT_BYTES_MAX] = 0;
	return text;
}

static void build_port(const struct proxy_service *v, struct arena *a, const struct proxy_family *f,
        const struct json *port, struct proxy_port *out)
{
	struct json *spec = json_get(v->service, "spec");
	struct candidates all = collect(v, a, f, port);
	struct slice name = json_get_str(port, "name");
	struct choice here = {.local_only = true}, anywhere = {.of_our_zone = uses_zones(&all, v->zone)};
	bool inside_local = slice_is(json_get_str(spec, "internalTrafficPolicy"), "Local");
	*out = (struct proxy_port){.family = f,
	        .protocol = safe_protocol(json_get_str(port, "protocol")),
	        .port = (int)json_get_int(port, "port", 0),
	        .node_port = (int)json_get_int(port, "nodePort", 0),
	        .external_local = slice_is(json_get_str(spec, "externalTrafficPolicy"), "Local"),
	        .affinity_s = affinity_of(spec)};
	out->comment = comment_of(a, v->key, name);
	struct slice id = slice_of(
	        arena_printf(a, "%.*s:%.*s/%s/%d", SLICE_FMT(v->key), SLICE_FMT(name), out->protocol, out->port));
	out->chain = arena_printf(a, "%016" PRIx64, fnv1a64(id.ptr, id.len));
	out->internal = choose(a, &all, inside_local ? here : anywhere, &out->n_internal);
	out->external = choose(a, &all, out->external_local ? here : anywhere, &out->n_external);
	out->cluster = choose(a, &all, anywhere, &out->n_cluster);
	for (size_t i = 0; i < all.count; i++)
		out->n_local_ready += all.items[i].is_ready && all.items[i].is_local;
	if (out->node_port < 0 || out->node_port > 65535)
		out->node_port = 0;
	fill_addresses(a, out, v->service);
	fill_sources(a, out, json_get(spec, "loadBalancerSourceRanges"));
}

static bool has_cluster_ip(const struct json *spec)
{
	struct slice ip = json_get_str(spec, "clusterIP");
	return ip.len && !slice_is(ip, "None") && !slice_is(json_get_str(spec, "type"), "ExternalName");
}

/* A label by which a service is left to another proxy. */
static bool is_anothers(const struct json *service)
{
	return json_path(service, "metadata", "labels", "service.kubernetes.io/service-proxy-name", NULL) != NULL;
}

size_t proxy_build(const struct proxy_service *v, struct arena *a, struct proxy_port **ret)
{
	struct json *spec = json_get(v->service, "spec"), *ports = json_get(spec, "ports");
	size_t n = 0;
	if (!has_cluster_ip(spec) || !ports || is_anothers(v->service))
		return 0;
	*ret = ARENA_ARRAY(a, struct proxy_port, (size_t)ports->count * IP_FAMILIES + 1);
	for (int f = 0; f < IP_FAMILIES; f++)
		JSON_FOREACH (port, ports) {
			if (!v->serves[f])
				continue;
			build_port(v, a, &proxy_families[f], port, &(*ret)[n]);
			n += (*ret)[n].port > 0 && (*ret)[n].port < 65536 && (*ret)[n].n_cluster_addresses > 0;
		}
	return n;
}
