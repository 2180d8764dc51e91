/* See service_addresses.h.
 *
 * Who has which address is decided by the store: a service is written in one transaction with a key per address and
 * node port it takes (SERVICE_IPS_PREFIX, NODE_PORTS_PREFIX), which must not be there before, and gives up its keys in
 * the transaction that removes it. So two servers can never give out the same one.
 *
 * The bitmap here is a hint, so that a free one is found at once: it follows the services in the watch cache like any
 * watcher. When it was wrong the transaction fails, the key that was there is noted, and the write is tried again.
 * Services of before the keys, and keys that outlived their service, are mended by a duty (duties/claims.c).
 *
 * With dual stack there are two ranges. Which of them a service gets an address of is said by its ipFamilies, which
 * rules/service_families.c completes first. */
#include "api/server/admission/plugins/service_addresses.h"

#include "api/machinery/rules/field_errors.h"
#include "api/machinery/rules/groups/core/service_families.h"
#include "api/server/admission/admission.h"
#include "api/server/admission/plugin.h"
#include "api/server/call.h"
#include "api/server/state.h"
#include "base/check.h"
#include "base/pki/pki.h"

#include <stdio.h>
#include <stdlib.h>

enum { STATIC_BAND = 16, ADDRESSES_MAX = 65536, PORTS = 65536 };

/* The cluster addresses of one family. */
struct range {
	struct ip_net network;
	uint32_t count; /* addresses considered */
	uint8_t *used;  /* a byte each */
};

struct service_allocator {
	struct range ranges[IP_FAMILIES];
	struct service_families families; /* of the ranges, in their order */
	int port_min, port_max;
	uint8_t *ports; /* a byte each: in use */
	struct cache_watcher watcher;
	bool following;
};

static void no_wake(struct cache_watcher *w)
{
	(void)w; /* events are taken when the next service comes */
}

static int add_range(struct service_allocator *a, const struct ip_net *n, struct err *err)
{
	enum ip_family f = n->first.family;
	unsigned least = f == IP_V6 ? 108 : 8, most = f == IP_V6 ? 124 : 28;
	char text[IP_NET_TEXT_MAX];
	if (n->bits < least || n->bits > most)
		return err_set(err, ERR_INVAL, "%s: must have %u to %u bits", ip_net_write(n, text), least, most);
	uint64_t count = ip_net_count(n);
	struct range *r = &a->ranges[a->families.count];
	a->families.items[a->families.count++] = f;
	r->network = *n;
	r->count = count < ADDRESSES_MAX ? (uint32_t)count : ADDRESSES_MAX;
	r->used = xcalloc(r->count, 1);
	return 0;
}

struct service_allocator *service_allocator_new(const char *cidrs, int port_min, int port_max, struct err *err)
{
	struct ip_nets nets;
	if (port_min < 1 || port_max > 65535 || port_min > port_max) {
		err_set(err, ERR_INVAL, "service-node-port-range %d-%d: must lie in 1-65535", port_min, port_max);
		return NULL;
	}
	if (ip_nets_parse(cidrs, &nets, err) != 0) {
		err_wrap(err, "service-cidr");
		return NULL;
	}
	struct service_allocator *a = xcalloc(1, sizeof *a);
	a->port_min = port_min;
	a->port_max = port_max;
	a->ports = xcalloc((size_t)(port_max - port_min + 1), 1);
	a->watcher.wake = no_wake;
	for (size_t i = 0; i < nets.count; i++)
		if (add_range(a, &nets.items[i], err) != 0) {
			err_wrap(err, "service-cidr");
			service_allocator_free(a);
			return NULL;
		}
	return a;
}

void service_allocator_free(struct service_allocator *a)
{
	if (!a)
		return;
	if (a->following)
		cache_watch_stop(&a->watcher);
	for (size_t i = 0; i < IP_FAMILIES; i++)
		free(a->ranges[i].used);
	free(a->ports);
	free(a);
}

static struct slice ip_text(struct arena *arena, const struct ip *ip)
{
	char text[IP_TEXT_MAX];
	return slice_of(arena_strdup(arena, ip_write(ip, text)));
}

struct slice service_first_ip(const struct service_allocator *a, struct arena *arena)
{
	struct ip first = ip_net_at(&a->ranges[0].network, 1, 0);
	return ip_text(arena, &first);
}

/* ---- what is in use ---- */

/* NULL: the cluster has none of that family. */
static struct range *range_of(const struct service_allocator *a, enum ip_family f)
{
	for (size_t i = 0; i < a->families.count; i++)
		if (a->families.items[i] == f)
			return (struct range *)(uintptr_t)&a->ranges[i];
	return NULL;
}

/* Where an address of the ranges is noted; NULL: it lies outside. */
static uint8_t *mark_of(const struct service_allocator *a, struct slice text)
{
	struct ip ip;
	uint64_t i;
	struct range *r = ip_parse(text, &ip) ? range_of(a, ip.family) : NULL;
	return r && ip_net_index(&r->network, &ip, 0, &i) && i < r->count ? &r->used[i] : NULL;
}

/* clusterIPs, or of a service of before that field clusterIP alone. */
static void each_address(const struct json *spec, void (*fn)(void *arg, struct slice ip), void *arg)
{
	const struct json *list = json_get(spec, "clusterIPs");
	JSON_FOREACH (it, list)
		fn(arg, json_str(it));
	if (!list || !list->first)
		fn(arg, json_get_str(spec, "clusterIP"));
}

static void mark_port(struct service_allocator *a, int64_t port, bool used)
{
	if (port >= a->port_min && port <= a->port_max)
		a->ports[port - a->port_min] = used;
}

struct marking {
	struct service_allocator *allocator;
	bool used;
};

static void mark_address(void *arg, struct slice ip)
{
	struct marking *m = arg;
	uint8_t *mark = mark_of(m->allocator, ip);
	if (mark)
		*mark = m->used;
}

static void mark_service(struct service_allocator *a, const struct object *o, bool used)
{
	struct marking m = {a, used};
	struct arena arena = ARENA_INIT;
	struct json *spec = json_get(json_parse(&arena, object_text(o), NULL, NULL), "spec");
	each_address(spec, mark_address, &m);
	JSON_FOREACH (p, json_get(spec, "ports"))
		mark_port(a, json_get_int(p, "nodePort", 0), used);
	mark_port(a, json_get_int(spec, "healthCheckNodePort", 0), used);
	arena_release(&arena);
}

static void count_anew(struct service_allocator *a, struct cache *cache, struct cache_resource *cr)
{
	if (a->following)
		cache_watch_stop(&a->watcher);
	for (size_t i = 0; i < a->families.count; i++)
		memset(a->ranges[i].used, 0, a->ranges[i].count);
	memset(a->ports, 0, (size_t)(a->port_max - a->port_min + 1));
	for (struct omap_node *n = cr->objects.head[0]; n; n = omap_next(n))
		mark_service(a, n->value, true);
	a->following = cache_watch_from(cr, &a->watcher, cache_revision(cache));
	CHECK(a->following);
}

static void catch_up(struct service_allocator *a, struct cache *cache)
{
	struct cache_resource *cr = cache_resource(cache, resource_find(SLICE(""), SLICE("v1"), SLICE("services")));
	const struct cache_event *e;
	bool lost = !a->following;
	while (!lost && (e = cache_watch_next(cr, &a->watcher, &lost))) {
		if (e->before)
			mark_service(a, e->before, false);
		if (!e->is_delete)
			mark_service(a, e->object, true);
	}
	if (lost)
		count_anew(a, cache, cr);
}

/* ---- claims ---- */

struct port_set {
	uint64_t bits[PORTS / 64];
};

static bool port_set_has(const struct port_set *s, int64_t port)
{
	return port > 0 && port < PORTS && (s->bits[port / 64] >> (port % 64) & 1);
}

/* False: it was there, or is no port. */
static bool port_set_add(struct port_set *s, int64_t port)
{
	if (port <= 0 || port >= PORTS || port_set_has(s, port))
		return false;
	s->bits[port / 64] |= UINT64_C(1) << (port % 64);
	return true;
}

struct claiming {
	const struct service_allocator *allocator;
	struct arena *arena;
	void (*fn)(void *arg, struct slice key);
	void *arg;
};

/* In the one text that the address has, for a client may have written it otherwise. */
static void key_of_address(void *arg, struct slice text)
{
	const struct claiming *c = arg;
	struct ip ip;
	if (mark_of(c->allocator, text) && ip_parse(text, &ip))
		c->fn(c->arg,
		        slice_of(arena_printf(c->arena, SERVICE_IPS_PREFIX "%.*s", SLICE_FMT(ip_text(c->arena, &ip)))));
}

static void key_of_port(const struct service_allocator *a, struct arena *arena, int64_t port,
        void (*fn)(void *arg, struct slice key), void *arg)
{
	if (port >= a->port_min && port <= a->port_max)
		fn(arg, slice_of(arena_printf(arena, NODE_PORTS_PREFIX "%d", (int)port)));
}

void service_each_claim(const struct service_allocator *a, struct arena *arena, const struct json *spec,
        void (*fn)(void *arg, struct slice key), void *arg)
{
	struct claiming c = {a, arena, fn, arg};
	each_address(spec, key_of_address, &c);
	struct port_set seen = {0}; /* one port may serve two protocols */
	JSON_FOREACH (p, json_get(spec, "ports")) {
		int64_t port = json_get_int(p, "nodePort", 0);
		if (!port_set_add(&seen, port))
			continue;
		key_of_port(a, arena, port, fn, arg);
	}
	key_of_port(a, arena, json_get_int(spec, "healthCheckNodePort", 0), fn, arg);
}

struct keys {
	struct arena *arena;
	struct slice *list;
	size_t count, cap;
};

static void add_key(void *arg, struct slice key)
{
	struct keys *k = arg;
	if (k->count == k->cap) {
		struct slice *bigger = ARENA_ARRAY(k->arena, struct slice, k->cap ? k->cap * 2 : 8);
		if (k->count)
			memcpy(bigger, k->list, k->count * sizeof *bigger);
		k->list = bigger;
		k->cap = k->cap ? k->cap * 2 : 8;
	}
	k->list[k->count++] = key;
}

static bool has_key(const struct keys *k, struct slice key)
{
	for (size_t i = 0; i < k->count; i++)
		if (slice_eq(k->list[i], key))
			return true;
	return false;
}

/* The key was there though the bitmap had it free. */
static void note_taken(struct admission_write *w, void *arg)
{
	struct service_allocator *a = arg;
	struct slice ip = {w->key.ptr + sizeof SERVICE_IPS_PREFIX - 1, w->key.len - sizeof SERVICE_IPS_PREFIX + 1};
	struct slice port = {w->key.ptr + sizeof NODE_PORTS_PREFIX - 1, w->key.len - sizeof NODE_PORTS_PREFIX + 1};
	uint8_t *mark = slice_starts(w->key, SERVICE_IPS_PREFIX) ? mark_of(a, ip) : NULL;
	int64_t number;
	if (mark)
		*mark = 1;
	else if (slice_starts(w->key, NODE_PORTS_PREFIX) && slice_to_i64(port, &number))
		mark_port(a, number, true);
}

static void give_back(struct admission *adm, struct slice key)
{
	admission_add_write(adm, key)->when = ADMISSION_ALWAYS;
}

static void claim(struct admission *adm, struct service_allocator *a, struct slice key)
{
	struct admission_write *w = admission_add_write(adm, key);
	w->value = json_str(json_path(adm->object, "metadata", "uid", NULL));
	if (!w->value.len)
		w->value = SLICE("-");
	w->when = ADMISSION_IF_ABSENT;
	w->is_taken = note_taken;
	w->arg = a;
}

static void claim_difference(
        struct admission *adm, struct service_allocator *a, const struct json *old_spec, const struct json *spec)
{
	struct keys had = {.arena = adm->arena}, has = {.arena = adm->arena};
	CHECK(adm->object != NULL);
	service_each_claim(a, adm->arena, old_spec, add_key, &had);
	service_each_claim(a, adm->arena, spec, add_key, &has);
	for (size_t i = 0; i < has.count; i++)
		if (!has_key(&had, has.list[i]))
			claim(adm, a, has.list[i]);
	for (size_t i = 0; i < had.count; i++)
		if (!has_key(&has, had.list[i]))
			give_back(adm, had.list[i]);
}

/* ---- choosing ---- */

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

static int refuse(struct admission *adm, const char *field, const char *value, const char *why, struct err *err)
{
	field_error_add(adm->errors, "FieldValueInvalid", field, "Invalid value: %s: %s", value, why);
	return err_set(err, ERR_INVALID_OBJECT, "%s: Invalid value: %s: %s", field, value, why);
}

static int refuse_address(
        struct admission *adm, const struct json *spec, struct slice ip, const char *why, struct err *err)
{
	struct arena *a = adm->arena;
	return refuse(adm, "spec.clusterIPs", go_list_text(a, "[]string", json_get(spec, "clusterIPs")),
	        arena_printf(a, "failed to allocate IP %.*s: %s", SLICE_FMT(ip), why), err);
}

/* What a client asked for. */
static int check_address(struct admission *adm, struct service_allocator *a, const struct json *spec,
        const struct range *r, struct slice wanted, struct err *err)
{
	char range[IP_NET_TEXT_MAX];
	const uint8_t *mark = mark_of(a, wanted);
	if (!mark)
		return refuse_address(adm, spec, wanted,
		        arena_printf(adm->arena,
		                "the provided IP (%.*s) is not in the valid range. The range of valid IPs is %s",
		                SLICE_FMT(wanted), ip_net_write(&r->network, range)),
		        err);
	return *mark ? refuse_address(adm, spec, wanted, "provided IP is already allocated", err) : 0;
}

static bool has_text(const struct json *list, struct slice text)
{
	JSON_FOREACH (it, list)
		if (slice_eq(json_str(it), text))
			return true;
	return false;
}

/* The service's address of one family: the one it has, or asks for, or a free one. */
static int choose_one(struct admission *adm, struct service_allocator *a, const struct json *spec,
        const struct json *had, const struct range *r, struct slice wanted, struct slice *ret, struct err *err)
{
	uint32_t low = r->count > STATIC_BAND * 4 ? STATIC_BAND : 2;
	*ret = wanted;
	if (wanted.len)
		return has_text(had, wanted) ? 0 : check_address(adm, a, spec, r, wanted, err);
	int64_t i = pick(r->used, low, r->count - 1);
	if (i < 0)
		return err_set(err, ERR_INTERNAL, "failed to allocate a serviceIP: range is full");
	struct ip ip = ip_net_at(&r->network, (uint64_t)i, 0);
	*ret = ip_text(adm->arena, &ip);
	return 0;
}

/* One for each of ipFamilies. */
static int choose_addresses(struct admission *adm, struct service_allocator *a, struct json *spec,
        const struct json *old_spec, struct err *err)
{
	const struct json *asked = json_get(spec, "clusterIPs"), *had = json_get(old_spec, "clusterIPs");
	struct json *list = json_new(adm->arena, JSON_ARRAY);
	size_t i = 0;
	JSON_FOREACH (it, json_get(spec, "ipFamilies")) {
		enum ip_family f;
		const struct range *r = ip_family_parse(json_str(it), &f) ? range_of(a, f) : NULL;
		struct slice wanted = json_str(json_at(asked, i++)), ip = wanted;
		if (r && choose_one(adm, a, spec, had, r, wanted, &ip, err) != 0)
			return err->code;
		if (ip.len)
			json_append(list, json_new_str(adm->arena, ip));
	}
	json_set(adm->arena, spec, "clusterIPs", list);
	json_set_str(adm->arena, spec, "clusterIP", json_str(list->first));
	return 0;
}

static int fill_addresses(struct admission *adm, struct service_allocator *a, struct json *spec,
        const struct json *old_spec, struct err *err)
{
	if (!service_families_init(adm->arena, adm->errors, spec, old_spec, &a->families))
		return err_set(err, ERR_INVALID_OBJECT, "Service \"%.*s\" is invalid", SLICE_FMT(adm->name));
	return service_is_headless(spec) ? 0 : choose_addresses(adm, a, spec, old_spec, err);
}

/* The ports of one service while they are chosen, so that as many as a body can hold are looked at once each. */
struct port_choice {
	struct map had; /* "port/protocol" -> the old port */
	/* node ports */
	struct port_set before; /* an old port has it */
	struct port_set asked;  /* a new one asks for it, or has it */
	struct port_set given;  /* a new one has it */
};

static struct slice port_key(struct arena *arena, const struct json *port)
{
	return slice_of(arena_printf(arena, "%lld/%.*s", (long long)json_get_int(port, "port", 0),
	        SLICE_FMT(json_get_str(port, "protocol"))));
}

static void add_node_ports(struct port_set *s, const struct json *spec)
{
	JSON_FOREACH (p, json_get(spec, "ports"))
		port_set_add(s, json_get_int(p, "nodePort", 0));
}

static void choice_init(
        struct port_choice *c, struct arena *arena, const struct json *spec, const struct json *old_spec)
{
	*c = (struct port_choice){0};
	add_node_ports(&c->before, old_spec);
	add_node_ports(&c->asked, spec);
	JSON_FOREACH (p, json_get(old_spec, "ports"))
		map_put(&c->had, port_key(arena, p), p);
}

static bool wants_health_port(const struct json *spec)
{
	return slice_is(json_get_str(spec, "type"), "LoadBalancer") &&
	       slice_is(json_get_str(spec, "externalTrafficPolicy"), "Local");
}

/* A free one that no other port of the service asks for; -1: none. */
static int64_t pick_port(const struct service_allocator *a, const struct port_choice *c)
{
	uint32_t n = (uint32_t)(a->port_max - a->port_min + 1), start = random_below(n);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = (start + i) % n;
		if (!a->ports[at] && !port_set_has(&c->asked, a->port_min + (int64_t)at))
			return a->port_min + (int64_t)at;
	}
	return -1;
}

/* What a client asked for, and no port of this service has had. Two protocols may share one. */
static int check_port(
        struct admission *adm, const struct service_allocator *a, const char *field, int64_t wanted, struct err *err)
{
	const char *value = arena_printf(adm->arena, "%lld", (long long)wanted);
	if (wanted < a->port_min || wanted > a->port_max)
		return refuse(adm, field, value,
		        arena_printf(adm->arena,
		                "provided port is not in the valid range. The range of valid ports is %d-%d",
		                a->port_min, a->port_max),
		        err);
	return a->ports[wanted - a->port_min] ? refuse(adm, field, value, "provided port is already allocated", err)
	                                      : 0;
}

static int choose_port(struct admission *adm, struct service_allocator *a, struct port_choice *c, struct json *port,
        size_t index, struct err *err)
{
	int64_t wanted = json_get_int(port, "nodePort", 0);
	if (!wanted)
		wanted = json_get_int(map_get(&c->had, port_key(adm->arena, port)), "nodePort", 0);
	bool is_ours = port_set_has(&c->before, wanted) || port_set_has(&c->given, wanted);
	const char *field = arena_printf(adm->arena, "spec.ports[%zu].nodePort", index);
	if (wanted && !is_ours && check_port(adm, a, field, wanted, err) != 0)
		return err->code;
	if (!wanted && (wanted = pick_port(a, c)) < 0)
		return err_set(err, ERR_INTERNAL, "failed to allocate a nodePort: range is full");
	port_set_add(&c->asked, wanted);
	port_set_add(&c->given, wanted);
	json_set_int(adm->arena, port, "nodePort", wanted);
	return 0;
}

/* Where balancers ask for endpoints of a node; it stays as long as the service wants one. */
static int choose_health_port(struct admission *adm, struct service_allocator *a, struct port_choice *c,
        struct json *spec, const struct json *old_spec, struct err *err)
{
	static const char field[] = "spec.healthCheckNodePort";
	int64_t wanted = json_get_int(spec, "healthCheckNodePort", 0),
	        had = wants_health_port(old_spec) ? json_get_int(old_spec, "healthCheckNodePort", 0) : 0;
	const char *value = arena_printf(adm->arena, "%lld", (long long)wanted);
	if (!wants_health_port(spec))
		return 0;
	if (had && wanted && wanted != had)
		return refuse(adm, field, value,
		        "cannot change healthCheckNodePort on loadBalancer service with externalTraffic=Local during "
		        "update",
		        err);
	if (port_set_has(&c->given, wanted))
		return refuse(adm, field, value, "provided port is already allocated", err);
	if (!had && wanted && check_port(adm, a, field, wanted, err) != 0)
		return err->code;
	wanted = had ? had : wanted;
	if (!wanted && (wanted = pick_port(a, c)) < 0)
		return err_set(err, ERR_INTERNAL, "failed to allocate a nodePort: range is full");
	json_set_int(adm->arena, spec, "healthCheckNodePort", wanted);
	return 0;
}

static bool wants_node_ports(const struct json *spec)
{
	struct slice type = json_get_str(spec, "type");
	return slice_is(type, "NodePort") ||
	       (slice_is(type, "LoadBalancer") && json_get_bool(spec, "allocateLoadBalancerNodePorts", true));
}

static int choose_ports(struct admission *adm, struct service_allocator *a, struct json *spec,
        const struct json *old_spec, struct err *err)
{
	bool wanted = wants_node_ports(spec), is_plain = slice_is(json_get_str(spec, "type"), "ClusterIP");
	struct port_choice c;
	size_t index = 0;
	int rc = 0;
	choice_init(&c, adm->arena, spec, old_spec);
	port_set_add(&c.asked, json_get_int(spec, "healthCheckNodePort", 0));
	JSON_FOREACH (p, json_get(spec, "ports")) {
		if (!wanted && is_plain)
			json_del(p, "nodePort");
		else if (rc == 0 && (wanted || json_get_int(p, "nodePort", 0)))
			rc = choose_port(adm, a, &c, p, index, err);
		index++;
	}
	if (rc == 0)
		rc = choose_health_port(adm, a, &c, spec, old_spec, err);
	map_release(&c.had);
	return rc;
}

/* ---- the plugin ---- */

int admit_service_addresses(struct admission *adm, struct err *err)
{
	struct service_allocator *a = adm->call->server->services;
	struct json *spec = json_get(adm->object, "spec"), *old_spec = json_get(adm->old, "spec");
	if (!spec)
		return 0;
	catch_up(a, adm->call->server->cache);
	if (slice_is(json_get_str(spec, "type"), "ExternalName")) {
		json_del(spec, "clusterIP");
		json_del(spec, "clusterIPs");
		JSON_FOREACH (p, json_get(spec, "ports"))
			json_del(p, "nodePort");
		json_del(spec, "healthCheckNodePort");
	} else if (fill_addresses(adm, a, spec, old_spec, err) != 0 || choose_ports(adm, a, spec, old_spec, err) != 0) {
		return err->code;
	}
	claim_difference(adm, a, old_spec, spec);
	return 0;
}

void remove_service_addresses(struct admission *adm)
{
	struct service_allocator *a = adm->call->server->services;
	struct keys had = {.arena = adm->arena};
	service_each_claim(a, adm->arena, json_get(adm->old, "spec"), add_key, &had);
	for (size_t i = 0; i < had.count; i++)
		give_back(adm, had.list[i]);
}
