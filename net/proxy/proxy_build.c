/* See proxy_build_int.h. */
#include "net/proxy/proxy_build_int.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/limits.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

/* Everything that lands in a rule is checked: the API's word is not enough for a root shell's grammar. */
static const char *safe_ip(struct arena *a, struct slice s)
{
	char text[INET_ADDRSTRLEN];
	struct in_addr addr;
	if (s.len >= sizeof text)
		return NULL;
	snprintf(text, sizeof text, "%.*s", SLICE_FMT(s));
	return inet_pton(AF_INET, text, &addr) == 1 ? arena_strdup(a, text) : NULL;
}

/* "ADDRESS/BITS"; NULL: it is none. */
static const char *safe_cidr(struct arena *a, struct slice s)
{
	struct slice bits = slice_trim(s), address = slice_cut(&bits, '/');
	const char *ip = safe_ip(a, address);
	uint64_t n;
	return ip && slice_to_u64(bits, &n) && n <= 32 ? arena_printf(a, "%s/%u", ip, (unsigned)n) : NULL;
}

static const char *safe_protocol(struct slice s)
{
	return slice_is(s, "UDP") ? "udp" : slice_is(s, "SCTP") ? "sctp" : "tcp";
}

/* Upstream's default, and the most that it takes. */
enum { AFFINITY_S = 10800, AFFINITY_S_MAX = 86400 };

struct endpoint_list {
	struct proxy_endpoint *items;
	size_t count, cap;
};

static void list_add(struct arena *a, struct endpoint_list *l, const char *ip, int port)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->items[i].port == port && strcmp(l->items[i].ip, ip) == 0)
			return;
	if (l->count == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 8;
		struct proxy_endpoint *bigger = ARENA_ARRAY(a, struct proxy_endpoint, cap);
		if (l->count)
			memcpy(bigger, l->items, l->count * sizeof *bigger);
		l->items = bigger;
		l->cap = cap;
	}
	l->items[l->count++] = (struct proxy_endpoint){ip, port};
}

static int slice_port(const struct json *slice, struct slice name, struct slice protocol)
{
	JSON_FOREACH (p, json_get(slice, "ports"))
		if (slice_eq(json_get_str(p, "name"), name) && slice_eq(json_get_str(p, "protocol"), protocol))
			return (int)json_get_int(p, "port", 0);
	return 0;
}

static bool is_usable(const struct json *endpoint)
{
	struct json *conditions = json_get(endpoint, "conditions");
	return json_get_bool(conditions, "ready", true);
}

/* Endpoints of a port over all slices: all of them, and those on this node. */
static void collect(const struct proxy_service *v, struct arena *a, const struct json *port, struct endpoint_list *all,
        struct endpoint_list *local)
{
	struct slice name = json_get_str(port, "name"), protocol = json_get_str(port, "protocol");
	for (size_t i = 0; i < v->slices_count; i++) {
		int target = slice_port(v->slices[i], name, protocol);
		if (target < 1 || target > 65535)
			continue;
		JSON_FOREACH (e, json_get(v->slices[i], "endpoints")) {
			const char *ip =
			        is_usable(e) ? safe_ip(a, json_str(json_at(json_get(e, "addresses"), 0))) : NULL;
			if (!ip)
				continue;
			list_add(a, all, ip, target);
			if (slice_is(json_get_str(e, "nodeName"), v->node_name))
				list_add(a, local, ip, target);
		}
	}
}

/* Twice the same is once. */
static void add_address(struct arena *a, struct proxy_port *port, size_t cap, struct slice text)
{
	const char *ip = safe_ip(a, text);
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
	size_t cap = 1 + (externals ? externals->count : 0) + (ingress ? ingress->count : 0);
	port->addresses = ARENA_ARRAY(a, const char *, cap);
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
		const char *range = safe_cidr(a, json_str(it));
		if (range)
			port->sources[port->n_sources++] = range;
	}
	if (ranges && ranges->count && !port->n_sources)
		port->sources[port->n_sources++] = "255.255.255.255/32"; /* nobody's */
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

static void build_port(const struct proxy_service *v, struct arena *a, const struct json *port, struct proxy_port *out)
{
	struct json *spec = json_get(v->service, "spec");
	struct endpoint_list all = {0}, local = {0};
	struct slice name = json_get_str(port, "name");
	bool inside_local = slice_is(json_get_str(spec, "internalTrafficPolicy"), "Local");
	collect(v, a, port, &all, &local);
	*out = (struct proxy_port){.protocol = safe_protocol(json_get_str(port, "protocol")),
	        .port = (int)json_get_int(port, "port", 0),
	        .node_port = (int)json_get_int(port, "nodePort", 0),
	        .external_local = slice_is(json_get_str(spec, "externalTrafficPolicy"), "Local"),
	        .affinity_s = affinity_of(spec)};
	out->comment = comment_of(a, v->key, name);
	struct slice id = slice_of(
	        arena_printf(a, "%.*s:%.*s/%s/%d", SLICE_FMT(v->key), SLICE_FMT(name), out->protocol, out->port));
	out->chain = arena_printf(a, "%016" PRIx64, fnv1a64(id.ptr, id.len));
	out->internal = inside_local ? local.items : all.items;
	out->n_internal = inside_local ? local.count : all.count;
	out->external = out->external_local ? local.items : all.items;
	out->n_external = out->external_local ? local.count : all.count;
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

size_t proxy_build(const struct proxy_service *v, struct arena *a, struct proxy_port **ret)
{
	struct json *spec = json_get(v->service, "spec"), *ports = json_get(spec, "ports");
	size_t n = 0;
	if (!has_cluster_ip(spec) || !ports)
		return 0;
	*ret = ARENA_ARRAY(a, struct proxy_port, ports->count + 1);
	JSON_FOREACH (port, ports) {
		build_port(v, a, port, &(*ret)[n]);
		n += (*ret)[n].port > 0 && (*ret)[n].port < 65536 && (*ret)[n].n_addresses > 0;
	}
	return n;
}
