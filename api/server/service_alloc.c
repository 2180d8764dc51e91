/* Cluster addresses and node ports of services.
 *
 * What is in use is read from the watch cache: the allocator follows the services like any watcher and keeps one bit
 * per address and port. What it gives out is marked at once, before the service is stored; the mark is taken back when
 * the call ends without having stored anything (refused later on, lost to another write, a dry run). Only IPv4 so far.
 * See write_int.h. */
#include "api/server/write_int.h"

#include "base/check.h"
#include "base/pki.h"

#include <arpa/inet.h>
#include <stdlib.h>

enum { STATIC_BAND = 16, ADDRESSES_MAX = 65536 };

struct service_allocator {
	uint32_t base;  /* first address of the range, host order */
	uint32_t count; /* addresses considered */
	int port_min, port_max;
	uint8_t *addresses; /* a byte each: in use */
	uint8_t *ports;
	struct cache_watcher watcher;
	bool following;
};

static void no_wake(struct cache_watcher *w)
{
	(void)w; /* events are taken when the next service comes */
}

struct service_allocator *service_allocator_new(const char *cidr, int port_min, int port_max, struct err *err)
{
	struct slice rest = slice_of(cidr), ip = slice_cut(&rest, '/');
	char text[64];
	struct in_addr addr;
	uint64_t bits;
	snprintf(text, sizeof text, "%.*s", SLICE_FMT(ip));
	if (inet_pton(AF_INET, text, &addr) != 1 || !slice_to_u64(rest, &bits) || bits < 8 || bits > 28) {
		err_set(err, ERR_INVAL, "service-cidr %s: must be an IPv4 range like 10.43.0.0/16, with 8 to 28 bits",
		        cidr);
		return NULL;
	}
	if (port_min < 1 || port_max > 65535 || port_min > port_max) {
		err_set(err, ERR_INVAL, "service-node-port-range %d-%d: must lie in 1-65535", port_min, port_max);
		return NULL;
	}
	struct service_allocator *a = xcalloc(1, sizeof *a);
	a->count = 1u << (32 - bits);
	a->base = ntohl(addr.s_addr) & ~(a->count - 1);
	if (a->count > ADDRESSES_MAX)
		a->count = ADDRESSES_MAX;
	a->addresses = xcalloc(a->count, 1);
	a->port_min = port_min;
	a->port_max = port_max;
	a->ports = xcalloc((size_t)(port_max - port_min + 1), 1);
	a->watcher.wake = no_wake;
	return a;
}

void service_allocator_free(struct service_allocator *a)
{
	if (!a)
		return;
	if (a->following)
		cache_watch_stop(&a->watcher);
	free(a->addresses);
	free(a->ports);
	free(a);
}

static const char *ip_text(struct arena *a, uint32_t ip)
{
	return arena_printf(a, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
}

struct slice service_first_ip(const struct service_allocator *a)
{
	static _Thread_local char text[32];
	uint32_t ip = a->base + 1;
	snprintf(text, sizeof text, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
	return slice_of(text);
}

/* ---- what is in use ---- */

/* -1: not an address of the range. */
static int64_t address_index(const struct service_allocator *a, struct slice text)
{
	char copy[64];
	struct in_addr addr;
	snprintf(copy, sizeof copy, "%.*s", SLICE_FMT(text));
	if (inet_pton(AF_INET, copy, &addr) != 1)
		return -1;
	uint32_t ip = ntohl(addr.s_addr);
	return ip >= a->base && ip - a->base < a->count ? (int64_t)(ip - a->base) : -1;
}

static void mark_port(struct service_allocator *a, int64_t port, bool used)
{
	if (port >= a->port_min && port <= a->port_max)
		a->ports[port - a->port_min] = used;
}

static void mark_service(struct service_allocator *a, const struct object *o, bool used)
{
	struct arena arena = ARENA_INIT;
	struct json *spec = json_get(json_parse(&arena, object_text(o), NULL, NULL), "spec");
	int64_t i = address_index(a, json_get_str(spec, "clusterIP"));
	if (i >= 0)
		a->addresses[i] = used;
	JSON_FOREACH (p, json_get(spec, "ports"))
		mark_port(a, json_get_int(p, "nodePort", 0), used);
	mark_port(a, json_get_int(spec, "healthCheckNodePort", 0), used);
	arena_release(&arena);
}

static void count_anew(struct service_allocator *a, struct cache *cache, struct cache_resource *cr)
{
	if (a->following)
		cache_watch_stop(&a->watcher);
	memset(a->addresses, 0, a->count);
	memset(a->ports, 0, (size_t)(a->port_max - a->port_min + 1));
	for (struct omap_node *n = cr->objects.head[0]; n; n = omap_next(n))
		mark_service(a, n->value, true);
	a->following = cache_watch_from(cr, &a->watcher, cache_revision(cache));
	CHECK(a->following);
}

static void catch_up(struct service_allocator *a, struct call *c)
{
	struct cache_resource *cr =
	        cache_resource(c->server->cache, resource_find(SLICE(""), SLICE("v1"), SLICE("services")));
	const struct cache_event *e;
	bool lost = !a->following;
	while (!lost && (e = cache_watch_next(cr, &a->watcher, &lost))) {
		if (e->before)
			mark_service(a, e->before, false);
		if (!e->is_delete)
			mark_service(a, e->object, true);
	}
	if (lost)
		count_anew(a, c->server->cache, cr);
}

/* ---- giving out ---- */

struct grant {
	struct call *call;
	uint8_t *mark;
};

static void take_back(void *arg)
{
	struct grant *g = arg;
	if (!g->call->stored)
		*g->mark = 0;
}

static void give(struct call *c, uint8_t *mark)
{
	struct grant *g = ARENA_NEW(&c->arena, struct grant);
	*g = (struct grant){c, mark};
	*mark = 1;
	arena_on_release(&c->arena, take_back, g);
}

static uint32_t random_below(uint32_t n)
{
	uint32_t r;
	pki_random(&r, sizeof r);
	return r % n;
}

/* A free index in [from, to), from a random place on; -1 when all are in use. */
static int64_t pick(const uint8_t *used, uint32_t from, uint32_t to)
{
	uint32_t n = to - from, start = random_below(n);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = from + (start + i) % n;
		if (!used[at])
			return at;
	}
	return -1;
}

static int take_address(
        struct service_allocator *a, struct call *c, struct json *spec, const struct json *old_spec, struct err *err)
{
	struct slice wanted = json_get_str(spec, "clusterIP"), had = json_get_str(old_spec, "clusterIP");
	int64_t i;
	if (!wanted.len && had.len)
		wanted = had;
	if (slice_is(wanted, "None") || (had.len && slice_eq(had, wanted))) {
		json_set_str(&c->arena, spec, "clusterIP", wanted);
	} else if (wanted.len) {
		i = address_index(a, wanted);
		if (i < 0)
			return err_set(err, ERR_INVALID_OBJECT,
			        "Service is invalid: spec.clusterIPs[0]: Invalid value: \"%.*s\": failed to allocate "
			        "IP: the provided IP is not in the valid range",
			        SLICE_FMT(wanted));
		if (a->addresses[i])
			return err_set(err, ERR_INVALID_OBJECT,
			        "Service is invalid: spec.clusterIPs[0]: Invalid value: \"%.*s\": failed to allocate "
			        "IP: provided IP is already allocated",
			        SLICE_FMT(wanted));
		give(c, &a->addresses[i]);
	} else {
		uint32_t low = a->count > STATIC_BAND * 4 ? STATIC_BAND : 2;
		i = pick(a->addresses, low, a->count - 1);
		if (i < 0)
			return err_set(err, ERR_NO_SPACE, "failed to allocate a service IP: range is full");
		give(c, &a->addresses[i]);
		json_set_cstr(&c->arena, spec, "clusterIP", ip_text(&c->arena, a->base + (uint32_t)i));
	}
	struct json *list = json_set(&c->arena, spec, "clusterIPs", json_new(&c->arena, JSON_ARRAY));
	json_append(list, json_new_str(&c->arena, json_get_str(spec, "clusterIP")));
	return 0;
}

static int64_t port_had(const struct json *old_spec, const struct json *port)
{
	JSON_FOREACH (p, json_get(old_spec, "ports"))
		if (json_get_int(p, "port", 0) == json_get_int(port, "port", -1) &&
		        slice_eq(json_get_str(p, "protocol"), json_get_str(port, "protocol")))
			return json_get_int(p, "nodePort", 0);
	return 0;
}

static bool owns_port(const struct json *old_spec, int64_t node_port)
{
	JSON_FOREACH (p, json_get(old_spec, "ports"))
		if (json_get_int(p, "nodePort", 0) == node_port)
			return true;
	return false;
}

static int take_port(
        struct service_allocator *a, struct call *c, struct json *port, const struct json *old_spec, struct err *err)
{
	int64_t wanted = json_get_int(port, "nodePort", 0);
	if (!wanted)
		wanted = port_had(old_spec, port);
	if (wanted && owns_port(old_spec, wanted)) {
		json_set_int(&c->arena, port, "nodePort", wanted);
		return 0;
	}
	if (wanted && (wanted < a->port_min || wanted > a->port_max))
		return err_set(err, ERR_INVALID_OBJECT,
		        "Service is invalid: spec.ports[0].nodePort: Invalid value: %lld: provided port is not in the "
		        "valid range. The range of valid ports is %d-%d",
		        (long long)wanted, a->port_min, a->port_max);
	if (wanted && a->ports[wanted - a->port_min])
		return err_set(err, ERR_INVALID_OBJECT,
		        "Service is invalid: spec.ports[0].nodePort: Invalid value: %lld: provided port is already "
		        "allocated",
		        (long long)wanted);
	if (!wanted) {
		int64_t i = pick(a->ports, 0, (uint32_t)(a->port_max - a->port_min + 1));
		if (i < 0)
			return err_set(err, ERR_NO_SPACE, "failed to allocate a nodePort: range is full");
		wanted = a->port_min + i;
	}
	give(c, &a->ports[wanted - a->port_min]);
	json_set_int(&c->arena, port, "nodePort", wanted);
	return 0;
}

int service_allocate(struct call *c, struct json *service, const struct json *old, struct err *err)
{
	struct service_allocator *a = c->server->services;
	struct json *spec = json_get(service, "spec"), *old_spec = json_get(old, "spec");
	struct slice type = json_get_str(spec, "type");
	if (!spec)
		return 0;
	catch_up(a, c);
	if (slice_is(type, "ExternalName")) {
		json_del(spec, "clusterIP");
		json_del(spec, "clusterIPs");
		return 0;
	}
	if (take_address(a, c, spec, slice_is(json_get_str(old_spec, "type"), "ExternalName") ? NULL : old_spec, err) !=
	        0)
		return err->code;
	bool node_ports =
	        slice_is(type, "NodePort") ||
	        (slice_is(type, "LoadBalancer") && json_get_bool(spec, "allocateLoadBalancerNodePorts", true));
	JSON_FOREACH (p, json_get(spec, "ports")) {
		if (!node_ports && slice_is(type, "ClusterIP"))
			json_del(p, "nodePort");
		else if (node_ports && take_port(a, c, p, old_spec, err) != 0)
			return err->code;
	}
	return 0;
}
