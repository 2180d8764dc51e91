/* The nftables program of the service proxy. See proxy_int.h.
 *
 *     table ip k3x-proxy, and ip6 k3x-proxy, which is the same for IPv6
 *       map services    address . protocol . port  ->  goto tcp-of-N  cluster IPs; svc-X if clients are remembered
 *       map tcp-endpoints  address . port . 0 to N-1  ->  ip . port    and so for udp and sctp
 *       map externals   address . protocol . port  ->  goto ext-X     external and load balancer IPs
 *       map node-ports  protocol . port            ->  goto ext-X
 *       set refused     address . protocol . port                     services without endpoints (filter hooks deny)
 *       set refused-ports  protocol . port                            the same of node ports
 *       set cluster-ips address                                       what is not led on from there is denied
 *       set hairpin     address . address                             an endpoint talking to itself
 *       chain dispatch  what is not from a pod is marked for masquerading where it is sent to a cluster IP: the answer
 *                       must come back this way, also where an endpoint's node checks that it would; then the maps
 *       chain tcp-of-N  dnat to what the map has for address, port and a random number below N; so for udp and sctp
 *       chain ext-X     mark for masquerading, then dnat to one of a map of its own; policy Local: no mark, endpoints
 *                       of this node or nothing, but what comes from pods and the node itself goes to all-X
 *       chain all-X     to the endpoints of the whole cluster, for them
 *       chain lb-X      who may come to a load balancer's address goes to ext-X, the others nowhere
 *       chain deny      a reset for TCP: ICMP is limited in number, and forgotten by who is still connecting
 *
 * A packet costs two map lookups whatever the number of services. A service port is added and removed by itself: its
 * chains are its own, its map elements are named by its addresses. Most ports are elements alone, for the kernel walks
 * all chains of a table at each transaction: ten thousand with a chain each took it twelve seconds, without one second.
 * It walks them and all elements that lead to chains when one of these changes; so what leads to a port is one part of
 * the table, and where its endpoints are another, which changes alone when an endpoint takes another's place.
 *
 * With client affinity each endpoint has a set of the clients that came, with a timeout, and a chain that adds to it
 * (set was-Y, chain to-Y): these stay while the port's chains are made anew, so that clients are not forgotten when
 * another endpoint comes or goes. */
#include "net/proxy/proxy_rules_int.h"

#include "base/check.h"
#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>

enum { MASQUERADE_MARK = 0x4000 };

const struct proxy_family proxy_families[IP_FAMILIES] = {
        [IP_V4] = {IP_V4, "ip k3x-proxy", "ip", "ipv4_addr"},
        [IP_V6] = {IP_V6, "ip6 k3x-proxy", "ip6", "ipv6_addr"},
};

const struct nft_set_kind proxy_sets[] = {
        {"services", "atp", "v"},
        {"tcp-endpoints", "apn", "ap"},
        {"udp-endpoints", "apn", "ap"},
        {"sctp-endpoints", "apn", "ap"},
        {"externals", "atp", "v"},
        {"node-ports", "tp", "v"},
        {"refused", "atp", NULL},
        {"refused-ports", "tp", NULL},
        {"cluster-ips", "a", NULL},
        {"hairpin", "aa", NULL},
};
const size_t proxy_sets_count = COUNT_OF(proxy_sets);

static const char *const protocols[] = {"tcp", "udp", "sctp"};

static void write_sets(struct strbuf *out, const struct proxy_family *f)
{
	strbuf_addf(out,
	        "	map services { type %s . inet_proto . inet_service : verdict; }\n"
	        "	map externals { type %s . inet_proto . inet_service : verdict; }\n"
	        "	map node-ports { type inet_proto . inet_service : verdict; }\n"
	        "	set refused { type %s . inet_proto . inet_service; }\n"
	        "	set refused-ports { type inet_proto . inet_service; }\n"
	        "	set cluster-ips { type %s; }\n"
	        "	set hairpin { type %s . %s; }\n",
	        f->type, f->type, f->type, f->type, f->type, f->type);
	/* A map for each protocol: nft takes the type of a random number only from an expression, and keeps the
	 * protocol of such a map's ports apart. */
	for (size_t i = 0; i < COUNT_OF(protocols); i++)
		strbuf_addf(out,
		        "	map %s-endpoints { typeof %s daddr . %s dport . numgen random mod 65536 : %s daddr . "
		        "%s dport; }\n",
		        protocols[i], f->ip, protocols[i], f->ip, protocols[i]);
}

/* What is sent to a port of this node. The kernel lets nothing from ::1 leave the loopback link, and from 127.0.0.1
 * only when it is told to, so that node ports are not on it. */
static const char *to_node_port(
        struct arena *a, const struct proxy_family *f, const char *node_ports, bool on_localhost)
{
	const char *loopback = f->family == IP_V6 ? "ip6 daddr != ::1 "
	                       : on_localhost     ? ""
	                                          : "ip daddr != 127.0.0.0/8 ";
	const char *open = *node_ports ? arena_printf(a, "%s daddr { %s } ", f->ip, node_ports) : "";
	return arena_printf(a, "%s%sfib daddr type local meta l4proto . th dport", loopback, open);
}

static void write_dispatch(
        struct strbuf *out, const struct proxy_family *f, const char *to_node_port, const char *cluster_cidr)
{
	bool is_v6 = f->family == IP_V6;
	strbuf_addf(out,
	        "	chain dispatch {\n"
	        "		%s saddr != %s %s daddr @cluster-ips meta mark set meta mark | 0x%x\n",
	        f->ip, cluster_cidr, f->ip, MASQUERADE_MARK);
	strbuf_addf(out,
	        "		%s daddr . meta l4proto . th dport vmap @services\n"
	        "		%s daddr . meta l4proto . th dport vmap @externals\n"
	        "		%s vmap @node-ports\n"
	        "	}\n"
	        "	chain prerouting {\n"
	        "		type nat hook prerouting priority dstnat; policy accept;\n"
	        "		%s daddr != %s jump dispatch\n"
	        "	}\n"
	        "	chain output { type nat hook output priority -100; policy accept; jump dispatch; }\n",
	        f->ip, f->ip, to_node_port, f->ip, is_v6 ? "::1" : "127.0.0.0/8");
}

static void write_postrouting(struct strbuf *out, const struct proxy_family *f)
{
	strbuf_addf(out,
	        "	chain postrouting {\n"
	        "		type nat hook postrouting priority srcnat; policy accept;\n"
	        "		meta mark & 0x%x == 0x%x meta mark set meta mark ^ 0x%x masquerade\n"
	        "		ct status dnat %s saddr . %s daddr @hairpin masquerade\n",
	        MASQUERADE_MARK, MASQUERADE_MARK, MASQUERADE_MARK, f->ip, f->ip);
	if (f->family == IP_V4)
		strbuf_adds(out, "		ct status dnat ip saddr 127.0.0.0/8 oifname != lo masquerade\n");
	strbuf_adds(out, "	}\n");
}

static void write_refusals(struct strbuf *out, const struct proxy_family *f, const char *to_node_port)
{
	strbuf_addf(out,
	        "	chain deny {\n"
	        "		meta l4proto tcp reject with tcp reset\n"
	        "		reject\n"
	        "	}\n"
	        "	chain refuse {\n"
	        "		%s daddr . meta l4proto . th dport @refused goto deny\n"
	        "		%s @refused-ports goto deny\n"
	        "	}\n"
	        "	chain filter-input {\n"
	        "		type filter hook input priority -110; policy accept;\n",
	        f->ip, to_node_port);
	/* With route_localnet on, the kernel no longer drops what strangers send to 127.0.0.1. */
	if (f->family == IP_V4)
		strbuf_adds(out, "		iifname != lo ip daddr 127.0.0.0/8 ct state != { established, related "
		                 "} drop\n");
	strbuf_adds(out,
	        "		ct state new jump refuse\n"
	        "	}\n"
	        "	chain filter-output { type filter hook output priority -110; policy accept; ct state new jump "
	        "refuse; }\n");
	/* After destinations were changed: whoever is still for a service asks for a port that it does not have. */
	strbuf_addf(out,
	        "	chain filter-forward {\n"
	        "		type filter hook forward priority -110; policy accept;\n"
	        "		ct state new jump refuse\n"
	        "		ct state new %s daddr @cluster-ips goto deny\n"
	        "	}\n"
	        "	chain filter-output-late {\n"
	        "		type filter hook output priority 0; policy accept;\n"
	        "		ct state new %s daddr @cluster-ips goto deny\n"
	        "	}\n",
	        f->ip, f->ip);
}

void proxy_rules_frame(struct strbuf *out, const struct proxy_family *f, const char *cluster_cidr,
        const char *node_ports, bool on_localhost)
{
	struct arena a = ARENA_INIT;
	const char *to_port = to_node_port(&a, f, node_ports, on_localhost);
	strbuf_addf(out, "add table %s\ndelete table %s\ntable %s {\n", f->table, f->table, f->table);
	write_sets(out, f);
	write_dispatch(out, f, to_port, cluster_cidr);
	write_postrouting(out, f);
	write_refusals(out, f, to_port);
	strbuf_adds(out, "}\n");
	arena_release(&a);
}

/* ---- who went where ---- */

enum { MEMORY_NAME = 17 };

static void name_memory(char name[MEMORY_NAME], const struct proxy_port *p, const struct proxy_endpoint *e)
{
	char text[160];
	int n = snprintf(text, sizeof text, "%s %s:%d %d", p->chain, e->ip, e->port, p->affinity_s);
	snprintf(name, MEMORY_NAME, "%016" PRIx64, fnv1a64(text, (size_t)n));
}

static void add_memories(struct arena *a, const struct proxy_port *p, const struct proxy_endpoint *list, size_t n,
        struct proxy_memory *all, size_t *count)
{
	for (size_t i = 0; i < n; i++) {
		char *name = arena_alloc(a, MEMORY_NAME);
		bool is_there = false;
		name_memory(name, p, &list[i]);
		for (size_t k = 0; k < *count; k++)
			is_there |= strcmp(all[k].name, name) == 0;
		if (!is_there)
			all[(*count)++] =
			        (struct proxy_memory){p->family, name, p->comment, p->protocol, list[i], p->affinity_s};
	}
}

size_t proxy_memories(struct arena *a, const struct proxy_port *p, struct proxy_memory **ret)
{
	size_t count = 0;
	if (!p->affinity_s)
		return 0;
	*ret = ARENA_ARRAY(a, struct proxy_memory, p->n_internal + p->n_external + p->n_cluster + 1);
	add_memories(a, p, p->internal, p->n_internal, *ret, &count);
	add_memories(a, p, p->external, p->n_external, *ret, &count);
	add_memories(a, p, p->cluster, p->n_cluster, *ret, &count);
	return count;
}

static void write_target(struct strbuf *out, const struct proxy_family *f, const struct proxy_endpoint *e)
{
	strbuf_addf(out, f->family == IP_V6 ? " dnat to [%s]:%d\n" : " dnat to %s:%d\n", e->ip, e->port);
}

void proxy_memory_add(struct strbuf *out, const struct proxy_memory *m)
{
	const struct proxy_family *f = m->family;
	strbuf_addf(out, "add set %s was-%s { type %s; flags dynamic, timeout; timeout %ds; }\n", f->table, m->name,
	        f->type, m->affinity_s);
	strbuf_addf(out, "add chain %s to-%s { comment \"%s\"; }\n", f->table, m->name, m->comment);
	strbuf_addf(out, "add rule %s to-%s update @was-%s { %s saddr } meta l4proto %s", f->table, m->name, m->name,
	        f->ip, m->protocol);
	write_target(out, f, &m->endpoint);
}

void proxy_memory_delete(struct strbuf *out, const struct proxy_memory *m)
{
	const char *table = m->family->table;
	strbuf_addf(out, "flush chain %s to-%s\ndelete chain %s to-%s\ndelete set %s was-%s\n", table, m->name, table,
	        m->name, table, m->name);
}

/* ---- one of many ---- */

/* One that has a single endpoint has nothing to remember. */
static bool remembers(const struct proxy_port *p, size_t n)
{
	return p->affinity_s && n > 1;
}

size_t proxy_rules_spread(const struct proxy_port *p)
{
	return remembers(p, p->n_internal) ? 0 : p->n_internal;
}

static void write_choice(struct strbuf *out, const struct proxy_port *p, size_t n, size_t of)
{
	const char *ip = p->family->ip;
	strbuf_addf(out,
	        "add rule %s %s-of-%zu dnat %s to %s daddr . %s dport . numgen random mod %zu map @%s-endpoints\n",
	        p->family->table, p->protocol, n, ip, ip, p->protocol, of, p->protocol);
}

/* Two look-ups are not one: between them a transaction may take endpoints away. Who comes then finds nothing under its
 * number, and goes to the first, which is there as long as any is. */
void proxy_chooser_add(struct strbuf *out, const struct proxy_port *p)
{
	size_t n = proxy_rules_spread(p);
	CHECK(n > 0);
	strbuf_addf(out, "add chain %s %s-of-%zu\n", p->family->table, p->protocol, n);
	write_choice(out, p, n, n);
	write_choice(out, p, n, 1);
}

void proxy_chooser_delete(struct strbuf *out, const struct proxy_port *p)
{
	size_t n = proxy_rules_spread(p);
	const char *table = p->family->table;
	strbuf_addf(out, "flush chain %s %s-of-%zu\ndelete chain %s %s-of-%zu\n", table, p->protocol, n, table,
	        p->protocol, n);
}

/* What the chooser finds for one address. */
static void write_spread(struct strbuf *out, const char *verb, const struct proxy_port *p, const char *address)
{
	size_t n = proxy_rules_spread(p);
	if (n)
		strbuf_addf(out, "%s element %s %s-endpoints { ", verb, p->family->table, p->protocol);
	for (size_t i = 0; i < n; i++) {
		strbuf_addf(out, "%s%s . %d . %zu", i ? ", " : "", address, p->port, i);
		if (verb[0] == 'a')
			strbuf_addf(out, " : %s . %d", p->internal[i].ip, p->internal[i].port);
	}
	strbuf_adds(out, n ? " }\n" : "");
}

/* ---- one port ---- */

static void write_dnat(
        struct strbuf *out, const char *prefix, const struct proxy_port *p, const struct proxy_endpoint *list, size_t n)
{
	CHECK(n > 0);
	strbuf_addf(out, "add rule %s %s-%s meta l4proto %s", p->family->table, prefix, p->chain, p->protocol);
	if (n == 1) {
		write_target(out, p->family, &list[0]);
		return;
	}
	strbuf_addf(out, " dnat %s to numgen random mod %zu map { ", p->family->ip, n);
	for (size_t i = 0; i < n; i++)
		strbuf_addf(out, "%s%zu : %s . %d", i ? ", " : "", i, list[i].ip, list[i].port);
	strbuf_adds(out, " }\n");
}

/* Where a client went before it goes again; one that is new chooses, and is remembered there. */
static void write_affinity(
        struct strbuf *out, const char *prefix, const struct proxy_port *p, const struct proxy_endpoint *list, size_t n)
{
	char name[MEMORY_NAME];
	CHECK(n > 1 && p->affinity_s > 0);
	for (size_t i = 0; i < n; i++) {
		name_memory(name, p, &list[i]);
		strbuf_addf(out, "add rule %s %s-%s %s saddr @was-%s goto to-%s\n", p->family->table, prefix, p->chain,
		        p->family->ip, name, name);
	}
	strbuf_addf(out, "add rule %s %s-%s numgen random mod %zu vmap { ", p->family->table, prefix, p->chain, n);
	for (size_t i = 0; i < n; i++) {
		name_memory(name, p, &list[i]);
		strbuf_addf(out, "%s%zu : goto to-%s", i ? ", " : "", i, name);
	}
	strbuf_adds(out, " }\n");
}

static void write_chain(
        struct strbuf *out, const char *prefix, const struct proxy_port *p, const struct proxy_endpoint *list, size_t n)
{
	if (remembers(p, n))
		write_affinity(out, prefix, p, list, n);
	else
		write_dnat(out, prefix, p, list, n);
}

static bool has_external(const struct proxy_port *p)
{
	return p->node_port || p->n_addresses > p->n_cluster_addresses;
}

/* Something to reach from outside: with the policy Local others of the cluster are, by pods and the node itself. */
static bool serves_outside(const struct proxy_port *p)
{
	return p->n_external || (p->external_local && p->n_cluster);
}

static bool is_guarded(const struct proxy_port *p)
{
	return p->n_sources && p->n_addresses > p->n_open_addresses && serves_outside(p);
}

/* The policy Local keeps on this node what comes from outside, and drops it where nothing is; the cluster's own go to
 * any endpoint. */
static void write_local(struct strbuf *out, const struct proxy_port *p, const char *cluster_cidr)
{
	const char *table = p->family->table;
	strbuf_addf(out, "add rule %s ext-%s %s saddr %s goto all-%s\n", table, p->chain, p->family->ip, cluster_cidr,
	        p->chain);
	strbuf_addf(out, "add rule %s ext-%s fib saddr type local meta mark set meta mark | 0x%x goto all-%s\n", table,
	        p->chain, MASQUERADE_MARK, p->chain);
	if (p->n_external)
		write_chain(out, "ext", p, p->external, p->n_external);
	else
		strbuf_addf(out, "add rule %s ext-%s drop\n", table, p->chain);
}

static void add_chain(struct strbuf *out, const char *prefix, const struct proxy_port *p)
{
	strbuf_addf(out, "add chain %s %s-%s { comment \"%s\"; }\n", p->family->table, prefix, p->chain, p->comment);
}

static void write_outside(struct strbuf *out, const struct proxy_port *p, const char *cluster_cidr)
{
	if (p->external_local) {
		add_chain(out, "all", p);
		write_chain(out, "all", p, p->cluster, p->n_cluster);
	}
	add_chain(out, "ext", p);
	if (p->external_local) {
		write_local(out, p, cluster_cidr);
	} else {
		/* Pods too: of another node's node port the answer would come from the endpoint, whom nobody asked. */
		strbuf_addf(out, "add rule %s ext-%s meta mark set meta mark | 0x%x\n", p->family->table, p->chain,
		        MASQUERADE_MARK);
		write_chain(out, "ext", p, p->external, p->n_external);
	}
}

static void write_guard(struct strbuf *out, const struct proxy_port *p)
{
	add_chain(out, "lb", p);
	for (size_t i = 0; i < p->n_sources; i++)
		strbuf_addf(out, "add rule %s lb-%s %s saddr %s goto ext-%s\n", p->family->table, p->chain,
		        p->family->ip, p->sources[i], p->chain);
	strbuf_addf(out, "add rule %s lb-%s drop\n", p->family->table, p->chain);
}

/* Where what comes to its i-th address goes. */
static void write_goto(struct strbuf *out, const struct proxy_port *p, size_t i)
{
	size_t spread = proxy_rules_spread(p);
	if (i < p->n_cluster_addresses && spread)
		strbuf_addf(out, " : goto %s-of-%zu", p->protocol, spread);
	else
		strbuf_addf(out, " : goto %s-%s",
		        i < p->n_cluster_addresses                  ? "svc"
		        : i >= p->n_open_addresses && is_guarded(p) ? "lb"
		                                                    : "ext",
		        p->chain);
}

static void write_node_port(struct strbuf *out, const char *verb, const struct proxy_port *p)
{
	bool served = serves_outside(p);
	strbuf_addf(out, "%s element %s %s { %s . %d", verb, p->family->table, served ? "node-ports" : "refused-ports",
	        p->protocol, p->node_port);
	if (served && verb[0] == 'a')
		strbuf_addf(out, " : goto ext-%s", p->chain);
	strbuf_adds(out, " }\n");
}

static void write_elements(struct strbuf *out, const char *verb, const struct proxy_port *p)
{
	bool adding = verb[0] == 'a';
	/* An address stays when one of its ports goes, and when the service does: one too many does no harm. */
	for (size_t i = 0; adding && i < p->n_cluster_addresses; i++)
		strbuf_addf(out, "add element %s cluster-ips { %s }\n", p->family->table, p->addresses[i]);
	for (size_t i = 0; i < p->n_addresses; i++) {
		bool inside = i < p->n_cluster_addresses;
		bool served = inside ? p->n_internal > 0 : serves_outside(p);
		strbuf_addf(out, "%s element %s %s { %s . %s . %d", verb, p->family->table,
		        !served  ? "refused"
		        : inside ? "services"
		                 : "externals",
		        p->addresses[i], p->protocol, p->port);
		if (served && adding)
			write_goto(out, p, i);
		strbuf_adds(out, " }\n");
	}
	if (p->node_port)
		write_node_port(out, verb, p);
}

static void add_hairpins(struct strbuf *out, const struct proxy_family *f, const struct proxy_endpoint *list, size_t n)
{
	if (n)
		strbuf_addf(out, "add element %s hairpin { ", f->table);
	for (size_t i = 0; i < n; i++)
		strbuf_addf(out, "%s%s . %s", i ? ", " : "", list[i].ip, list[i].ip);
	strbuf_adds(out, n ? " }\n" : "");
}

void proxy_rules_add(struct strbuf *out, const struct proxy_port *p, const char *cluster_cidr)
{
	CHECK(p->n_cluster_addresses <= p->n_addresses);
	if (remembers(p, p->n_internal)) {
		add_chain(out, "svc", p);
		write_chain(out, "svc", p, p->internal, p->n_internal);
	}
	if (has_external(p) && serves_outside(p))
		write_outside(out, p, cluster_cidr);
	if (is_guarded(p))
		write_guard(out, p);
	write_elements(out, "add", p);
}

static void delete_chain(struct strbuf *out, const char *prefix, const struct proxy_port *p)
{
	const char *table = p->family->table;
	strbuf_addf(
	        out, "flush chain %s %s-%s\ndelete chain %s %s-%s\n", table, prefix, p->chain, table, prefix, p->chain);
}

void proxy_rules_delete(struct strbuf *out, const struct proxy_port *p)
{
	CHECK(p->n_cluster_addresses <= p->n_addresses);
	write_elements(out, "delete", p);
	if (is_guarded(p))
		delete_chain(out, "lb", p);
	if (remembers(p, p->n_internal))
		delete_chain(out, "svc", p);
	if (has_external(p) && serves_outside(p)) {
		delete_chain(out, "ext", p);
		if (p->external_local)
			delete_chain(out, "all", p);
	}
}

/* ---- its endpoints ---- */

static void write_spreads(struct strbuf *out, const char *verb, const struct proxy_port *p)
{
	for (size_t i = 0; i < p->n_cluster_addresses; i++)
		write_spread(out, verb, p, p->addresses[i]);
}

void proxy_endpoints_add(struct strbuf *out, const struct proxy_port *p)
{
	write_spreads(out, "add", p);
	/* An element may be there from another service with the same endpoint: adding it again is fine. */
	add_hairpins(out, p->family, p->internal, p->n_internal);
	if (p->external_local)
		add_hairpins(out, p->family, p->cluster, p->n_cluster);
}

/* Hairpin elements stay: another service may need them, and one too many does no harm. */
void proxy_endpoints_delete(struct strbuf *out, const struct proxy_port *p)
{
	write_spreads(out, "delete", p);
}
