/* The proxy: what the API says of services, and the parts of a table made from it. See proxy.h.
 *
 * Each service is a struct service with its slices. A change marks it dirty; at the end of the loop's turn the dirty
 * ones are computed anew (proxy_build.c), what others claim too is left out (claims.c), and each port becomes a part of
 * the table (proxy_rules.c, net/nft_table.c), which writes what differs.
 *
 * Beside the table: flows of UDP to endpoints that are gone are forgotten once the rules stand (udp_sweep.c), load
 * balancers are told how many endpoints are here (health.c), and of this node it is known in which zone it lies.
 *
 * What can go wrong: two services name one external address and port, or one node port: the first by creation has it,
 * the other is told in an event. A part that the kernel does not take is left out, and told the same way. */
#include "net/proxy/proxy.h"

#include "api/client/informer.h"
#include "api/client/meta.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/json/scan.h"
#include "base/log.h"
#include "base/mem/list.h"
#include "base/mem/map.h"
#include "base/rt/closing.h"
#include "net/nft_table.h"
#include "net/proxy/claims_int.h"
#include "net/proxy/health.h"
#include "net/proxy/node_ports.h"
#include "net/proxy/pages.h"
#include "net/proxy/proxy_build_int.h"
#include "net/proxy/proxy_event_int.h"
#include "net/proxy/proxy_parts.h"
#include "net/proxy/proxy_rules_int.h"
#include "net/proxy/tracking.h"
#include "net/proxy/udp_sweep.h"

#include <stdio.h>
#include <stdlib.h>

struct service {
	struct slice key;               /* "namespace/name"; lives behind the struct */
	struct informer_object *object; /* NULL: only slices are there */
	struct list_link slices;        /* of struct slice_ref */
	struct list_link dirty;
	struct claimant claimant;
	char *rank, *uid;
	char *places; /* what it claims, as one text */
	char *told;   /* the conflicts of the last event; "" */
	struct proxy_parts parts;
	struct udp_view *udp;                /* where its UDP ports lead; NULL: it has none */
	bool lacks_internal, lacks_external; /* by a policy Local, though there are endpoints elsewhere */
};

/* Hangs on a slice's informer object. */
struct slice_ref {
	struct list_link link;
	struct informer_object *object;
	struct service *service;
};

struct proxy;

/* The table of a family; there is none of one that the cluster has not. */
struct family_table {
	struct proxy *proxy;
	const struct proxy_family *family;
	const char *cluster_cidr;
	char node_ports[PROXY_NODE_PORTS_BYTES_MAX]; /* where node ports are; "": everywhere */
	struct nft_table *table;                     /* NULL: there is none */
	bool is_applied;
};

struct proxy {
	struct proxy_options options;
	struct loop *loop;
	struct arena arena;
	struct informer *services_informer, *slices_informer, *node_informer;
	char *zone; /* of this node; "" */
	struct health *health;
	struct pages *pages;
	struct proxy_metrics metrics;
	uint64_t changed_ns;  /* monotonic: the first change that the kernel has not got yet; 0: none */
	int64_t triggered_ms; /* Unix time: what happened first of that, as slices tell it; 0: not told */
	struct udp_sweeper *sweeper;
	bool udp_changed;    /* since flows were swept */
	struct map services; /* key -> struct service */
	struct claims claims;
	struct list_link dirty;
	struct loop_defer sync;
	struct family_table tables[IP_FAMILIES]; /* by enum ip_family */
	bool closing, started, localnet_on;
	size_t hairpins; /* elements added since the table was last rebuilt */
	struct closing parts;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- services and their slices ---- */

static struct service *service_get(struct proxy *p, struct slice key)
{
	struct service *s = map_get(&p->services, key);
	if (s)
		return s;
	s = MAP_ENTRY_NEW(struct service, key, key);
	list_init(&s->slices);
	list_init(&s->dirty);
	claimant_init(&s->claimant, s->key);
	s->rank = xstrdup("");
	s->uid = xstrdup("");
	s->places = xstrdup("");
	s->told = xstrdup("");
	map_put(&p->services, s->key, s);
	return s;
}

static void mark_dirty(struct proxy *p, struct service *s)
{
	LOOP_CHECK_OWNER(p->loop);
	if (p->closing)
		return;
	if (!list_linked(&s->dirty))
		list_push_back(&p->dirty, &s->dirty);
	if (!p->changed_ns)
		p->changed_ns = histogram_now_ns();
	p->metrics.queued_ms = (uint64_t)(clock_wall_ns() / 1000000);
	if (p->started)
		loop_defer(p->loop, &p->sync);
}

static void service_counts(struct proxy *p)
{
	p->metrics.service_changes++;
	p->metrics.service_pending++;
}

/* When it was that happened what a slice tells: the earliest of those that wait. */
static void endpoint_counts(struct proxy *p, const struct informer_object *o)
{
	struct slice at = json_find(
	        informer_text(o), "metadata", "annotations", "endpoints.kubernetes.io/last-change-trigger-time", NULL);
	p->metrics.endpoint_changes++;
	p->metrics.endpoint_pending++;
	int64_t ms = at.len ? kube_time_parse(at) * 1000 : 0;
	if (p->started && ms && (!p->triggered_ms || ms < p->triggered_ms))
		p->triggered_ms = ms;
}

static void on_service(void *arg, struct informer_object *o)
{
	LOOP_CHECK_OWNER(((struct proxy *)arg)->loop);
	struct proxy *p = arg;
	struct service *s = service_get(p, o->key);
	s->object = o;
	service_counts(p);
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
	service_counts(p);
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
	endpoint_counts(p, o);
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
	LOOP_CHECK_OWNER(((struct proxy *)arg)->loop);
	struct proxy *p = arg;
	struct slice_ref *ref = o->user;
	if (!ref)
		return;
	p->metrics.endpoint_changes++;
	p->metrics.endpoint_pending++;
	list_del(&ref->link);
	mark_dirty(p, ref->service);
	free(ref);
	o->user = NULL;
}

/* ---- this node ---- */

static struct slice zone_of(const struct json *node)
{
	return json_get_str(json_path(node, "metadata", "labels", NULL), "topology.kubernetes.io/zone");
}

/* As upstream's: one that is deleted, or that the autoscaler is about to take away, gets no new traffic. */
static bool is_eligible(const struct json *node)
{
	if (!node || json_path(node, "metadata", "deletionTimestamp", NULL))
		return false;
	JSON_FOREACH (it, json_path(node, "spec", "taints", NULL))
		if (slice_is(json_get_str(it, "key"), "ToBeDeletedByClusterAutoscaler"))
			return false;
	return true;
}

static void node_is(struct proxy *p, const struct json *node)
{
	struct slice zone = zone_of(node);
	health_node(p->health, is_eligible(node));
	if (slice_is(zone, p->zone))
		return;
	free(p->zone);
	p->zone = xmemdup(zone.ptr ? zone.ptr : "", zone.len);
	MAP_FOREACH (it, &p->services)
		mark_dirty(p, it->value);
}

static void on_node(void *arg, struct informer_object *o)
{
	struct arena a = ARENA_INIT;
	node_is(arg, informer_parse(&a, o));
	arena_release(&a);
}

static void on_node_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	on_node(arg, o);
}

static void on_node_deleted(void *arg, struct informer_object *o)
{
	node_is(arg, NULL);
}

/* ---- what others claim too ---- */

static const char *node_place(struct arena *a, const struct proxy_port *port)
{
	return arena_printf(a, "node %s %s %d", port->family->ip, port->protocol, port->node_port);
}

static const char *address_place(struct arena *a, const char *ip, const struct proxy_port *port)
{
	return arena_printf(a, "%s %s %d", ip, port->protocol, port->port);
}

static void mark_rival(struct claimant *rival, void *arg)
{
	mark_dirty(arg, CONTAINER_OF(rival, struct service, claimant));
}

/* Claims what the ports name beside cluster addresses, which are allocated. When that changes, its rivals, old and new,
 * are computed anew. */
static void claim(struct proxy *p, struct service *s, struct arena *a, const struct proxy_port *ports, size_t n)
{
	struct strbuf places = STRBUF_INIT;
	strbuf_addf(&places, "%s\n", s->rank);
	for (size_t i = 0; i < n; i++) {
		for (size_t k = ports[i].n_cluster_addresses; k < ports[i].n_addresses; k++)
			strbuf_addf(&places, "%s\n", address_place(a, ports[i].addresses[k], &ports[i]));
		if (ports[i].node_port)
			strbuf_addf(&places, "%s\n", node_place(a, &ports[i]));
	}
	if (strcmp(s->places, strbuf_cstr(&places)) != 0) {
		struct slice rest = strbuf_slice(&places);
		claims_each_rival(&s->claimant, mark_rival, p);
		claims_drop(&p->claims, &s->claimant);
		s->claimant.rank = s->rank;
		slice_cut(&rest, '\n');
		while (rest.len)
			claims_add(&p->claims, &s->claimant, slice_cut(&rest, '\n'));
		claims_each_rival(&s->claimant, mark_rival, p);
		free(s->places);
		s->places = xstrdup(strbuf_cstr(&places));
	}
	strbuf_release(&places);
}

/* NULL: it is ours. */
static struct claimant *taken_by(struct proxy *p, struct service *s, const char *place)
{
	struct claimant *winner = claims_winner(&p->claims, slice_of(place));
	CHECK(winner);
	return winner == &s->claimant ? NULL : winner;
}

/* Takes out of a port what an older service has; says so in `lost`. */
static void yield(struct proxy *p, struct service *s, struct arena *a, struct proxy_port *port, struct strbuf *lost)
{
	size_t kept = port->n_cluster_addresses, open = port->n_open_addresses;
	for (size_t i = kept; i < port->n_addresses; i++) {
		struct claimant *winner = taken_by(p, s, address_place(a, port->addresses[i], port));
		if (winner)
			strbuf_addf(lost, "%s%s:%d/%s is served by the older service %.*s", lost->len ? "; " : "",
			        port->addresses[i], port->port, port->protocol, SLICE_FMT(winner->key));
		else
			port->addresses[kept++] = port->addresses[i];
		port->n_open_addresses -= winner && i < open;
	}
	port->n_addresses = kept;
	struct claimant *winner = port->node_port ? taken_by(p, s, node_place(a, port)) : NULL;
	if (!winner)
		return;
	strbuf_addf(lost, "%snode port %d/%s is served by the older service %.*s", lost->len ? "; " : "",
	        port->node_port, port->protocol, SLICE_FMT(winner->key));
	port->node_port = 0;
}

static void tell_lost(struct proxy *p, struct service *s, struct strbuf *lost)
{
	DCHECK(s->told);
	if (strcmp(s->told, strbuf_cstr(lost)) != 0 && lost->len) {
		log_warn("proxy", "a service's address is left out", "service=%.*s reason=\"%s\"", SLICE_FMT(s->key),
		        strbuf_cstr(lost));
		proxy_event(p->options.client, s->key, slice_of(s->uid), p->options.node_name, "AddressConflict",
		        strbuf_cstr(lost));
	}
	free(s->told);
	s->told = xstrdup(strbuf_cstr(lost));
}

/* ---- parts of the table ---- */

static void service_free(struct proxy *p, struct service *s)
{
	claims_drop(&p->claims, &s->claimant);
	list_del(&s->dirty);
	proxy_parts_free(&s->parts);
	udp_view_free(s->udp);
	free(s->rank);
	free(s->uid);
	free(s->places);
	free(s->told);
	free(s);
}

static void put_parts(struct proxy *p, struct service *s, const struct proxy_port *ports, size_t n)
{
	CHECK(p->started);
	struct proxy_place places[IP_FAMILIES] = {0};
	for (int f = 0; f < IP_FAMILIES; f++)
		places[f] = (struct proxy_place){p->tables[f].table, p->tables[f].cluster_cidr};
	p->hairpins += proxy_parts_put(
	        &s->parts, places, (struct proxy_owner){.key = s->key, .rank = slice_of(s->rank)}, ports, n);
}

/* ---- what is beside the table ---- */

static void keep_udp(struct proxy *p, struct service *s, const struct proxy_port *ports, size_t n)
{
	p->udp_changed |= s->udp != NULL;
	udp_view_free(TAKE(s->udp));
	for (size_t i = 0; i < n; i++)
		if (strcmp(ports[i].protocol, "udp") == 0) {
			p->udp_changed = true;
			s->udp = s->udp ? s->udp : udp_view_new();
			udp_view_add(s->udp, &ports[i]);
		}
}

static void sweep_udp(struct proxy *p)
{
	struct udp_view *v = udp_view_new();
	p->udp_changed = false;
	MAP_FOREACH (it, &p->services) {
		const struct service *s = it->value;
		if (s->udp)
			udp_view_add_all(v, s->udp);
	}
	udp_sweep(p->sweeper, v);
}

/* Of several ports the first says it: a pod that answers on one of them counts. */
static void check_health(
        struct proxy *p, struct service *s, const struct json *service, const struct proxy_port *ports, size_t n)
{
	struct err err = ERR_INIT;
	const struct json *spec = json_get(service, "spec");
	bool is_wanted = slice_is(json_get_str(spec, "type"), "LoadBalancer") &&
	                 slice_is(json_get_str(spec, "externalTrafficPolicy"), "Local");
	int64_t port = is_wanted ? json_get_int(spec, "healthCheckNodePort", 0) : 0;
	size_t most = 0;
	for (size_t i = 0; i < n; i++)
		most = ports[i].n_local_ready > most ? ports[i].n_local_ready : most;
	if (port < 0 || port > 65535)
		port = 0;
	if (health_set(p->health, s->key, (int)port, most, &err))
		return;
	log_warn("proxy", "a service's health is not served", "service=%.*s error=\"%s\"", SLICE_FMT(s->key), err.msg);
	proxy_event(p->options.client, s->key, slice_of(s->uid), p->options.node_name,
	        "FailedToStartServiceHealthcheck", err.msg);
}

/* As upstream counts them: by a policy Local none is here, and somewhere else there are. */
static void count_lacks(
        struct proxy *p, struct service *s, const struct json *service, const struct proxy_port *ports, size_t n)
{
	bool is_local = slice_is(json_str(json_path(service, "spec", "internalTrafficPolicy", NULL)), "Local");
	bool internal = false, external = false;
	for (size_t i = 0; i < n; i++) {
		internal = internal || (is_local && !ports[i].n_internal && ports[i].n_cluster);
		external = external || (ports[i].external_local && !ports[i].n_external && ports[i].n_cluster);
	}
	p->metrics.no_local_internal += (uint64_t)internal - (uint64_t)s->lacks_internal;
	p->metrics.no_local_external += (uint64_t)external - (uint64_t)s->lacks_external;
	s->lacks_internal = internal;
	s->lacks_external = external;
}

static char *text_of(struct slice s)
{
	return xmemdup(s.ptr ? s.ptr : "", s.len);
}

static struct json **parse_slices(struct service *s, struct arena *a, size_t *ret_count)
{
	size_t n = 0;
	LIST_FOREACH (it, &s->slices)
		n++;
	struct json **slices = ARENA_ARRAY(a, struct json *, n + 1);
	*ret_count = 0;
	LIST_FOREACH (it, &s->slices)
		slices[(*ret_count)++] = informer_parse(a, CONTAINER_OF(it, struct slice_ref, link)->object);
	return slices;
}

static void update_service(struct proxy *p, struct service *s)
{
	LOOP_CHECK_OWNER(p->loop);
	struct arena a = ARENA_INIT;
	struct strbuf lost = STRBUF_INIT;
	struct proxy_port *ports = NULL;
	struct proxy_service v = {.key = s->key,
	        .service = s->object ? informer_parse(&a, s->object) : NULL,
	        .node_name = p->options.node_name,
	        .zone = p->zone};
	struct json *meta = json_get(v.service, "metadata");
	v.slices = parse_slices(s, &a, &v.slices_count);
	for (int f = 0; f < IP_FAMILIES; f++)
		v.serves[f] = p->tables[f].table != NULL;
	free(s->rank);
	free(s->uid);
	s->rank = text_of(json_get_str(meta, "creationTimestamp"));
	s->uid = text_of(json_get_str(meta, "uid"));
	s->claimant.rank = s->rank;
	size_t n = proxy_build(&v, &a, &ports);
	claim(p, s, &a, ports, n);
	for (size_t i = 0; i < n; i++)
		yield(p, s, &a, &ports[i], &lost);
	put_parts(p, s, ports, n);
	check_health(p, s, v.service, ports, n);
	count_lacks(p, s, v.service, ports, n);
	tell_lost(p, s, &lost);
	keep_udp(p, s, ports, n);
	strbuf_release(&lost);
	arena_release(&a);
	if (!s->object && list_empty(&s->slices)) {
		map_del(&p->services, s->key);
		service_free(p, s);
	}
}

static void sync_now(struct loop_defer *d)
{
	struct proxy *p = CONTAINER_OF(d, struct proxy, sync);
	struct list_link *l;
	if (p->closing)
		return;
	while ((l = list_pop_front(&p->dirty)))
		update_service(p, CONTAINER_OF(l, struct service, dirty));
	if (p->hairpins > PROXY_HAIRPINS_MAX) {
		p->hairpins = 0;
		for (int f = 0; f < IP_FAMILIES; f++)
			if (p->tables[f].table)
				nft_table_rebuild(p->tables[f].table);
	}
}

static void on_synced(void *arg)
{
	struct proxy *p = arg;
	if (p->started || !informer_is_synced(p->services_informer) || !informer_is_synced(p->slices_informer) ||
	        !informer_is_synced(p->node_informer))
		return;
	p->started = true;
	sync_now(&p->sync);
	for (int f = 0; f < IP_FAMILIES; f++)
		if (p->tables[f].table)
			nft_table_start(p->tables[f].table);
}

/* ---- what the table tells ---- */

static void write_frame(void *arg, struct strbuf *out)
{
	const struct family_table *t = arg;
	proxy_rules_frame(
	        out, t->family, t->cluster_cidr, t->node_ports, t->proxy->options.arguments.node_ports_on_localhost);
}

static void part_refused(void *arg, struct slice key, const struct err *err)
{
	struct proxy *p = ((struct family_table *)arg)->proxy;
	p->metrics.refused++;
	struct service *s = map_get(&p->services, slice_cut(&key, ' '));
	if (s && s->object)
		proxy_event(
		        p->options.client, s->key, slice_of(s->uid), p->options.node_name, "NotProgrammed", err->msg);
}

static bool all_applied(const struct proxy *p)
{
	for (int f = 0; f < IP_FAMILIES; f++)
		if (p->tables[f].table && !p->tables[f].is_applied)
			return false;
	return true;
}

/* What waited is in the kernel. */
static void note_applied(struct proxy *p)
{
	int64_t now_ms = (clock_wall_ns() / 1000000);
	p->metrics.applied_ms = (uint64_t)now_ms;
	p->metrics.service_pending = p->metrics.endpoint_pending = 0;
	if (p->changed_ns)
		histogram_observe_since(&p->metrics.sync, p->changed_ns);
	if (p->triggered_ms && p->triggered_ms < now_ms)
		histogram_observe(&p->metrics.programming, (uint64_t)(now_ms - p->triggered_ms) * 1000000);
	p->changed_ns = 0;
	p->triggered_ms = 0;
}

static void table_applied(void *arg)
{
	struct family_table *t = arg;
	struct proxy *p = t->proxy;
	t->is_applied = true;
	if (!all_applied(p))
		return;
	note_applied(p);
	health_applied(p->health);
	if (p->udp_changed)
		sweep_udp(p);
	if (p->options.arguments.node_ports_on_localhost && !p->localnet_on && p->tables[IP_V4].table)
		node_ports_turn_localnet_on();
	p->localnet_on = true;
}

/* ---- life ---- */

static void make_table(struct proxy *p, const struct ip_net *pods)
{
	char cidr[IP_NET_TEXT_MAX];
	struct family_table *t = &p->tables[pods->first.family];
	*t = (struct family_table){.proxy = p,
	        .family = &proxy_families[pods->first.family],
	        .cluster_cidr = arena_strdup(&p->arena, ip_net_write(pods, cidr))};
	node_ports_ranges(
	        &p->options.arguments, p->options.node_ip, p->options.node_ip_other, t->family, t->node_ports);
	struct nft_table_options o = {.loop = p->loop,
	        .name = t->family->table,
	        .nft_path = p->options.nft_path,
	        .sets = proxy_sets,
	        .n_sets = proxy_sets_count,
	        .frame = write_frame,
	        .refused = part_refused,
	        .applied = table_applied,
	        .arg = t};
	t->table = nft_table_new(&o);
}

static void make_tables(struct proxy *p, const char *cluster_cidr)
{
	struct ip_nets pods;
	struct err err = ERR_INIT;
	if (ip_nets_parse(cluster_cidr, &pods, &err) != 0) {
		log_error("proxy", "no service is served", "error=\"%s\"", err.msg);
		return;
	}
	for (size_t i = 0; i < pods.count; i++)
		make_table(p, &pods.items[i]);
}

struct proxy *proxy_new(const struct proxy_options *options)
{
	struct proxy *p = xcalloc(1, sizeof *p);
	p->options = *options;
	p->options.node_name = arena_strdup(&p->arena, options->node_name);
	p->loop = options->client->loop;
	LOOP_CHECK_OWNER(p->loop);
	list_init(&p->dirty);
	claims_init(&p->claims);
	loop_defer_init(&p->sync, sync_now);
	p->zone = xstrdup("");
	proxy_metrics_init(&p->metrics);
	p->health = health_new(p->loop, &options->arguments.healthz, &p->metrics);
	p->pages = pages_new(p->loop, &options->arguments.metrics, &p->metrics);
	tracking_apply(&options->arguments);
	p->sweeper = udp_sweeper_new(p->loop);
	const char *only_us = arena_printf(&p->arena, "metadata.name=%s", options->node_name);
	make_tables(p, options->cluster_cidr);
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
	struct informer_options node = {.client = options->client,
	        .path = "/api/v1/nodes",
	        .field_selector = only_us,
	        .added = on_node,
	        .updated = on_node_updated,
	        .deleted = on_node_deleted,
	        .synced = on_synced,
	        .arg = p};
	p->services_informer = informer_new(&services);
	p->slices_informer = informer_new(&slices);
	p->node_informer = informer_new(&node);
	return p;
}

static void all_closed(struct closing *parts)
{
	struct proxy *p = CONTAINER_OF(parts, struct proxy, parts);
	void (*closed)(void *) = p->closed;
	void *closed_arg = p->closed_arg;
	MAP_FOREACH (slot, &p->services)
		service_free(p, slot->value);
	map_release(&p->services);
	claims_release(&p->claims);
	free(p->zone);
	arena_release(&p->arena);
	free(p);
	if (closed)
		closed(closed_arg);
}

static void free_refs(struct proxy *p)
{
	INFORMER_FOREACH(o, p->slices_informer)
	{
		struct slice_ref *ref = o->user;
		if (ref)
			list_del(&ref->link);
		free(ref);
		o->user = NULL;
	}
}

void proxy_close(struct proxy *p, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(p->loop);
	CHECK(!p->closing);
	p->closing = true;
	p->closed = closed;
	p->closed_arg = arg;
	p->parts.all_closed = all_closed;
	loop_defer_cancel(&p->sync);
	closing_hold(&p->parts);
	free_refs(p);
	closing_hold(&p->parts), informer_close(p->services_informer, closing_part_done, &p->parts);
	closing_hold(&p->parts), informer_close(p->slices_informer, closing_part_done, &p->parts);
	closing_hold(&p->parts), informer_close(p->node_informer, closing_part_done, &p->parts);
	closing_hold(&p->parts), udp_sweeper_close(p->sweeper, closing_part_done, &p->parts);
	closing_hold(&p->parts), health_close(p->health, closing_part_done, &p->parts);
	closing_hold(&p->parts), pages_close(p->pages, closing_part_done, &p->parts);
	for (int f = 0; f < IP_FAMILIES; f++)
		if (p->tables[f].table)
			closing_hold(&p->parts), nft_table_close(p->tables[f].table, closing_part_done, &p->parts);
	closing_part_done(&p->parts);
}
