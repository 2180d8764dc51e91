/* The proxy's state: what the API says, what the kernel has, and the way from one to the other. See proxy.h.
 *
 * Each service is a struct service with its slices and the ports last written to the kernel. A change marks the service
 * dirty; after a short pause, so that a rollout is a few transactions and not hundreds, the dirty ones are computed
 * anew and the differences become one nft transaction. While one runs changes collect for the next. A transaction that
 * fails is followed by a complete one that rebuilds the table; if that fails too it is tried again with a growing
 * pause. */
#include "net/proxy/proxy.h"

#include "api/client/informer.h"
#include "base/check.h"
#include "base/log.h"
#include "base/mem/list.h"
#include "base/mem/map.h"
#include "net/nft_run.h"
#include "net/proxy/proxy_rules_int.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { SETTLE_MS = 20, RETRY_MS = 1000, RETRY_MS_MAX = 30000 };

struct service {
	struct slice key;               /* "namespace/name"; lives behind the struct */
	struct informer_object *object; /* NULL: only slices are there */
	struct list_link slices;        /* of struct slice_ref */
	struct list_link dirty;
	struct arena applied_arena;
	struct proxy_port *applied; /* in the kernel */
	size_t n_applied;
};

/* Hangs on a slice's informer object. */
struct slice_ref {
	struct list_link link;
	struct informer_object *object;
	struct service *service;
};

struct proxy {
	struct proxy_options options;
	struct loop *loop;
	struct arena arena;
	struct informer *services_informer, *slices_informer;
	struct map services; /* key -> struct service */
	struct list_link dirty;
	uv_timer_t timer;
	struct nft_run run;
	bool running, rebuild, closing;
	uint64_t retry_ms;
	int close_steps;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void schedule(struct proxy *p, uint64_t ms);

/* ---- services and their slices ---- */

static struct service *service_get(struct proxy *p, struct slice key)
{
	struct service *s = map_get(&p->services, key);
	if (s)
		return s;
	s = xcalloc(1, sizeof *s + key.len + 1);
	char *copy = (char *)(s + 1);
	memcpy(copy, key.ptr, key.len);
	s->key = (struct slice){copy, key.len};
	list_init(&s->slices);
	list_init(&s->dirty);
	map_put(&p->services, s->key, s);
	return s;
}

static void mark_dirty(struct proxy *p, struct service *s)
{
	if (!list_linked(&s->dirty))
		list_push_back(&p->dirty, &s->dirty);
	schedule(p, SETTLE_MS);
}

static void on_service(void *arg, struct informer_object *o)
{
	struct proxy *p = arg;
	struct service *s = service_get(p, o->key);
	s->object = o;
	mark_dirty(p, s);
}

static void on_service_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	on_service(arg, o);
}

static void on_service_deleted(void *arg, struct informer_object *o)
{
	struct proxy *p = arg;
	struct service *s = service_get(p, o->key);
	s->object = NULL;
	mark_dirty(p, s);
}

/* "namespace/service" of a slice, empty when it belongs to none. */
static void slice_service(struct informer_object *o, struct strbuf *key)
{
	struct arena a = ARENA_INIT;
	struct json *meta = json_get(informer_parse(&a, o), "metadata");
	struct slice name = json_get_str(json_get(meta, "labels"), "kubernetes.io/service-name");
	if (name.len)
		strbuf_addf(key, "%.*s/%.*s", SLICE_FMT(json_get_str(meta, "namespace")), SLICE_FMT(name));
	arena_release(&a);
}

static void on_slice(void *arg, struct informer_object *o)
{
	struct proxy *p = arg;
	struct strbuf key = STRBUF_INIT;
	struct slice_ref *ref = o->user;
	slice_service(o, &key);
	if (ref && !slice_eq(ref->service->key, strbuf_slice(&key))) { /* moved to another service */
		list_del(&ref->link);
		mark_dirty(p, ref->service);
		free(ref);
		ref = o->user = NULL;
	}
	if (!ref && key.len) {
		ref = o->user = xcalloc(1, sizeof *ref);
		ref->object = o;
		ref->service = service_get(p, strbuf_slice(&key));
		list_push_back(&ref->service->slices, &ref->link);
	}
	strbuf_release(&key);
	if (ref)
		mark_dirty(p, ref->service);
}

static void on_slice_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	on_slice(arg, o);
}

static void on_slice_deleted(void *arg, struct informer_object *o)
{
	struct proxy *p = arg;
	struct slice_ref *ref = o->user;
	if (!ref)
		return;
	list_del(&ref->link);
	mark_dirty(p, ref->service);
	free(ref);
	o->user = NULL;
}

/* ---- what a service should look like ---- */

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

static const char *safe_protocol(struct slice s)
{
	return slice_is(s, "UDP") ? "udp" : slice_is(s, "SCTP") ? "sctp" : "tcp";
}

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
static void collect(struct proxy *p, struct service *s, struct arena *a, struct json **slices, size_t n,
        const struct json *port, struct endpoint_list *all, struct endpoint_list *local)
{
	struct slice name = json_get_str(port, "name"), protocol = json_get_str(port, "protocol");
	for (size_t i = 0; i < n; i++) {
		int target = slice_port(slices[i], name, protocol);
		if (target < 1 || target > 65535)
			continue;
		JSON_FOREACH (e, json_get(slices[i], "endpoints")) {
			const char *ip =
			        is_usable(e) ? safe_ip(a, json_str(json_at(json_get(e, "addresses"), 0))) : NULL;
			if (!ip)
				continue;
			list_add(a, all, ip, target);
			if (slice_is(json_get_str(e, "nodeName"), p->options.node_name))
				list_add(a, local, ip, target);
		}
	}
}

static void add_address(struct arena *a, struct proxy_port *port, size_t cap, struct slice text)
{
	const char *ip = safe_ip(a, text);
	if (ip && port->n_addresses < cap)
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
	JSON_FOREACH (it, ingress)
		add_address(a, port, cap, json_get_str(it, "ip"));
}

static int affinity_of(const struct json *spec)
{
	if (!slice_is(json_get_str(spec, "sessionAffinity"), "ClientIP"))
		return 0;
	return (int)json_int(json_path(spec, "sessionAffinityConfig", "clientIP", "timeoutSeconds", NULL), 10800);
}

static void build_port(struct proxy *p, struct service *s, struct arena *a, const struct json *service,
        const struct json *port, struct json **slices, size_t n_slices, struct proxy_port *out)
{
	struct json *spec = json_get(service, "spec");
	struct endpoint_list all = {0}, local = {0};
	struct slice name = json_get_str(port, "name");
	collect(p, s, a, slices, n_slices, port, &all, &local);
	bool inside_local = slice_is(json_get_str(spec, "internalTrafficPolicy"), "Local");
	*out = (struct proxy_port){.protocol = safe_protocol(json_get_str(port, "protocol")),
	        .port = (int)json_get_int(port, "port", 0),
	        .node_port = (int)json_get_int(port, "nodePort", 0),
	        .external_local = slice_is(json_get_str(spec, "externalTrafficPolicy"), "Local"),
	        .affinity_s = affinity_of(spec)};
	/* Names of services and ports are DNS labels: safe in a comment. */
	out->comment = arena_printf(a, "%.*s:%.*s", SLICE_FMT(s->key), SLICE_FMT(name));
	struct slice id = slice_of(arena_printf(a, "%s/%s/%d", out->comment, out->protocol, out->port));
	uint64_t h = 14695981039346656037u; /* FNV-1a: the same name at every start */
	for (size_t i = 0; i < id.len; i++)
		h = (h ^ (unsigned char)id.ptr[i]) * 1099511628211u;
	out->chain = arena_printf(a, "%016" PRIx64, h);
	out->internal = inside_local ? local.items : all.items;
	out->n_internal = inside_local ? local.count : all.count;
	out->external = out->external_local ? local.items : all.items;
	out->n_external = out->external_local ? local.count : all.count;
	fill_addresses(a, out, service);
}

static bool has_cluster_ip(const struct json *spec)
{
	struct slice ip = json_get_str(spec, "clusterIP");
	return ip.len && !slice_is(ip, "None") && !slice_is(json_get_str(spec, "type"), "ExternalName");
}

static size_t build(struct proxy *p, struct service *s, struct arena *a, struct proxy_port **out)
{
	struct json *service = s->object ? informer_parse(a, s->object) : NULL, *spec = json_get(service, "spec"),
	            *ports = json_get(spec, "ports");
	size_t n = 0, n_slices = 0;
	if (!has_cluster_ip(spec) || !ports)
		return 0;
	LIST_FOREACH (it, &s->slices)
		n_slices++;
	struct json **slices = ARENA_ARRAY(a, struct json *, n_slices + 1);
	n_slices = 0;
	LIST_FOREACH (it, &s->slices)
		slices[n_slices++] = informer_parse(a, CONTAINER_OF(it, struct slice_ref, link)->object);
	*out = ARENA_ARRAY(a, struct proxy_port, ports->count + 1);
	JSON_FOREACH (port, ports) {
		build_port(p, s, a, service, port, slices, n_slices, &(*out)[n]);
		n += (*out)[n].port > 0 && (*out)[n].port < 65536 && (*out)[n].n_addresses > 0;
	}
	return n;
}

/* ---- writing the difference ---- */

static const struct proxy_port *find_port(const struct proxy_port *list, size_t n, const struct proxy_port *like)
{
	for (size_t i = 0; i < n; i++)
		if (proxy_port_equal(&list[i], like))
			return &list[i];
	return NULL;
}

static void service_free(struct service *s)
{
	arena_release(&s->applied_arena);
	free(s);
}

/* Removals and additions go to two texts: all removals come first, so that an address may move between services. */
static void update_service(struct proxy *p, struct service *s, struct strbuf *removals, struct strbuf *additions)
{
	struct arena a = ARENA_INIT;
	struct proxy_port *ports = NULL;
	size_t n = build(p, s, &a, &ports);
	for (size_t i = 0; i < s->n_applied && !p->rebuild; i++)
		if (!find_port(ports, n, &s->applied[i]))
			proxy_rules_delete(removals, &s->applied[i]);
	for (size_t i = 0; i < n; i++)
		if (p->rebuild || !find_port(s->applied, s->n_applied, &ports[i]))
			proxy_rules_add(additions, &ports[i]);
	arena_release(&s->applied_arena);
	s->applied_arena = a;
	s->applied = ports;
	s->n_applied = n;
	if (!s->object && list_empty(&s->slices)) {
		map_del(&p->services, s->key);
		service_free(s);
	}
}

static void transaction_done(struct nft_run *r, const struct err *err)
{
	struct proxy *p = CONTAINER_OF(r, struct proxy, run);
	p->running = false;
	if (p->closing) {
		proxy_close(p, p->closed, p->closed_arg);
		return;
	}
	if (err->code) {
		log_warn("proxy", "nft transaction failed, rebuilding the table", "error=\"%s\"", err->msg);
		p->rebuild = true;
		p->retry_ms = p->retry_ms * 2 < RETRY_MS_MAX ? p->retry_ms * 2 : RETRY_MS_MAX;
		schedule(p, p->retry_ms);
		return;
	}
	p->retry_ms = RETRY_MS / 2;
	if (!list_empty(&p->dirty))
		schedule(p, SETTLE_MS);
}

static void mark_all(struct proxy *p)
{
	MAP_FOREACH (slot, &p->services) {
		struct service *s = slot->value;
		if (!list_linked(&s->dirty))
			list_push_back(&p->dirty, &s->dirty);
	}
}

static void sync_now(uv_timer_t *t)
{
	struct proxy *p = t->data;
	struct strbuf removals = STRBUF_INIT, additions = STRBUF_INIT;
	struct list_link *l;
	if (p->running || !informer_is_synced(p->services_informer) || !informer_is_synced(p->slices_informer))
		return;
	if (p->rebuild) {
		mark_all(p);
		proxy_rules_frame(&removals, p->options.cluster_cidr);
	}
	while ((l = list_pop_front(&p->dirty)))
		update_service(p, CONTAINER_OF(l, struct service, dirty), &removals, &additions);
	p->rebuild = false;
	strbuf_add(&removals, additions.data, additions.len);
	strbuf_release(&additions);
	if (!removals.len) {
		strbuf_release(&removals);
		return;
	}
	p->running = true;
	p->run = (struct nft_run){.loop = p->loop, .script = removals, .done = transaction_done};
	nft_run_start(&p->run, p->options.nft_path);
}

static void schedule(struct proxy *p, uint64_t ms)
{
	if (!p->closing && !p->running && !uv_is_active((uv_handle_t *)&p->timer))
		uv_timer_start(&p->timer, sync_now, ms, 0);
}

static void on_synced(void *arg)
{
	schedule(arg, 0);
}

/* ---- life ---- */

struct proxy *proxy_new(const struct proxy_options *options)
{
	struct proxy *p = xcalloc(1, sizeof *p);
	p->options = *options;
	p->options.node_name = arena_strdup(&p->arena, options->node_name);
	p->options.cluster_cidr = arena_strdup(&p->arena, options->cluster_cidr);
	p->loop = options->client->loop;
	p->rebuild = true;
	p->retry_ms = RETRY_MS / 2;
	list_init(&p->dirty);
	CHECK(uv_timer_init(loop_uv(p->loop), &p->timer) == 0);
	p->timer.data = p;
	struct informer_options services = {.client = options->client,
	        .path = "/api/v1/services",
	        .added = on_service,
	        .updated = on_service_updated,
	        .deleted = on_service_deleted,
	        .synced = on_synced,
	        .arg = p};
	struct informer_options slices = {.client = options->client,
	        .path = "/apis/discovery.k8s.io/v1/endpointslices",
	        .added = on_slice,
	        .updated = on_slice_updated,
	        .deleted = on_slice_deleted,
	        .synced = on_synced,
	        .arg = p};
	p->services_informer = informer_new(&services);
	p->slices_informer = informer_new(&slices);
	return p;
}

static void step_closed(void *arg)
{
	struct proxy *p = arg;
	if (--p->close_steps)
		return;
	MAP_FOREACH (slot, &p->services)
		service_free(slot->value);
	map_release(&p->services);
	void (*closed)(void *) = p->closed;
	void *closed_arg = p->closed_arg;
	arena_release(&p->arena);
	free(p);
	if (closed)
		closed(closed_arg);
}

static void timer_closed(uv_handle_t *h)
{
	step_closed(h->data);
}

static void free_refs(struct proxy *p)
{
	INFORMER_FOREACH(o, p->slices_informer)
	{
		free(o->user);
		o->user = NULL;
	}
}

void proxy_close(struct proxy *p, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(p->loop);
	p->closing = true;
	p->closed = closed;
	p->closed_arg = arg;
	if (p->running)
		return; /* transaction_done() comes back here */
	p->close_steps = 3;
	free_refs(p);
	informer_close(p->services_informer, step_closed, p);
	informer_close(p->slices_informer, step_closed, p);
	uv_close((uv_handle_t *)&p->timer, timer_closed);
}
