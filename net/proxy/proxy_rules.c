/* The nftables program of the service proxy. See proxy_int.h.
 *
 *     table ip k3x-proxy
 *       map services    address . protocol . port  ->  goto svc-X     cluster IPs
 *       map externals   address . protocol . port  ->  goto ext-X     external and load balancer IPs
 *       map node-ports  protocol . port            ->  goto ext-X
 *       map refused     address . protocol . port  ->  drop           services without endpoints (filter hooks reject)
 *       set hairpin     address . address                             an endpoint talking to itself
 *       chain svc-X     dnat to numgen random mod N map { 0 : ip . port, ... }
 *       chain ext-X     mark for masquerading, then the same (policy Local: no mark)
 *       chain lb-X      who may come to a load balancer's address goes to ext-X, the others nowhere
 *
 * A packet costs one map lookup whatever the number of services. A service port is added and removed by itself: its
 * chains are its own, its map elements are named by its addresses. Endpoints with client affinity are remembered in a
 * map per chain, with a timeout. */
#include "net/proxy/proxy_rules_int.h"

#include "base/check.h"
enum { MASQUERADE_MARK = 0x4000 };

void proxy_rules_frame(struct strbuf *out, const char *cluster_cidr)
{
	strbuf_addf(out,
	        "add table " PROXY_TABLE "\n"
	        "delete table " PROXY_TABLE "\n"
	        "table " PROXY_TABLE " {\n"
	        "	map services { type ipv4_addr . inet_proto . inet_service : verdict; }\n"
	        "	map externals { type ipv4_addr . inet_proto . inet_service : verdict; }\n"
	        "	map node-ports { type inet_proto . inet_service : verdict; }\n"
	        "	set refused { type ipv4_addr . inet_proto . inet_service; }\n"
	        "	set hairpin { type ipv4_addr . ipv4_addr; }\n"
	        "	chain dispatch {\n"
	        "		ip daddr . meta l4proto . th dport vmap @services\n"
	        "		ip daddr . meta l4proto . th dport vmap @externals\n"
	        "		fib daddr type local meta l4proto . th dport vmap @node-ports\n"
	        "	}\n"
	        "	chain prerouting {\n"
	        "		type nat hook prerouting priority dstnat; policy accept;\n"
	        "		ip daddr != 127.0.0.0/8 jump dispatch\n"
	        "	}\n"
	        "	chain output { type nat hook output priority -100; policy accept; jump dispatch; }\n"
	        "	chain postrouting {\n"
	        "		type nat hook postrouting priority srcnat; policy accept;\n"
	        "		meta mark & 0x%x == 0x%x meta mark set meta mark ^ 0x%x masquerade\n"
	        "		ct status dnat ip saddr . ip daddr @hairpin masquerade\n"
	        "		ct status dnat ip saddr 127.0.0.0/8 oifname != lo masquerade\n"
	        "	}\n"
	        "	chain refuse { ip daddr . meta l4proto . th dport @refused reject; }\n"
	        /* With route_localnet on, the kernel no longer drops what strangers send to 127.0.0.1. */
	        "	chain filter-input {\n"
	        "		type filter hook input priority -110; policy accept;\n"
	        "		iifname != lo ip daddr 127.0.0.0/8 ct state != { established, related } drop\n"
	        "		ct state new jump refuse\n"
	        "	}\n"
	        "	chain filter-forward { type filter hook forward priority -110; policy accept; ct state new "
	        "jump refuse; }\n"
	        "	chain filter-output { type filter hook output priority -110; policy accept; ct state new jump "
	        "refuse; }\n"
	        "	chain masquerade-outside { ip saddr != %s meta mark set meta mark | 0x%x; }\n"
	        "}\n",
	        MASQUERADE_MARK, MASQUERADE_MARK, MASQUERADE_MARK, cluster_cidr, MASQUERADE_MARK);
}

/* ---- one port ---- */

static void write_dnat(
        struct strbuf *out, const char *prefix, const struct proxy_port *p, const struct proxy_endpoint *list, size_t n)
{
	CHECK(n > 0);
	strbuf_addf(out, "add rule " PROXY_TABLE " %s-%s %s%s", prefix, p->chain, "meta l4proto ", p->protocol);
	if (n == 1) {
		strbuf_addf(out, " dnat to %s:%d\n", list[0].ip, list[0].port);
		return;
	}
	strbuf_addf(out, " dnat ip to numgen random mod %zu map { ", n);
	for (size_t i = 0; i < n; i++)
		strbuf_addf(out, "%s%zu : %s . %d", i ? ", " : "", i, list[i].ip, list[i].port);
	strbuf_adds(out, " }\n");
}

/* Client affinity: an endpoint once chosen is noted in its set, and clients found in a set go to its endpoint. */
static void write_affinity(
        struct strbuf *out, const char *prefix, const struct proxy_port *p, const struct proxy_endpoint *list, size_t n)
{
	CHECK(n > 1 && p->affinity_s > 0);
	for (size_t i = 0; i < n; i++) {
		strbuf_addf(out,
		        "add set " PROXY_TABLE " %s-%s-%zu { type ipv4_addr; flags dynamic, timeout; timeout %ds; }\n",
		        prefix, p->chain, i, p->affinity_s);
		strbuf_addf(out, "add chain " PROXY_TABLE " %s-%s-%zu\n", prefix, p->chain, i);
		strbuf_addf(out,
		        "add rule " PROXY_TABLE
		        " %s-%s-%zu update @%s-%s-%zu { ip saddr } meta l4proto %s dnat to %s:%d\n",
		        prefix, p->chain, i, prefix, p->chain, i, p->protocol, list[i].ip, list[i].port);
	}
	for (size_t i = 0; i < n; i++)
		strbuf_addf(out, "add rule " PROXY_TABLE " %s-%s ip saddr @%s-%s-%zu goto %s-%s-%zu\n", prefix,
		        p->chain, prefix, p->chain, i, prefix, p->chain, i);
	strbuf_addf(out, "add rule " PROXY_TABLE " %s-%s numgen random mod %zu vmap { ", prefix, p->chain, n);
	for (size_t i = 0; i < n; i++)
		strbuf_addf(out, "%s%zu : goto %s-%s-%zu", i ? ", " : "", i, prefix, p->chain, i);
	strbuf_adds(out, " }\n");
}

static void write_chain(
        struct strbuf *out, const char *prefix, const struct proxy_port *p, const struct proxy_endpoint *list, size_t n)
{
	if (p->affinity_s && n > 1)
		write_affinity(out, prefix, p, list, n);
	else
		write_dnat(out, prefix, p, list, n);
}

static bool has_external(const struct proxy_port *p)
{
	return p->node_port || p->n_addresses > p->n_cluster_addresses;
}

static bool is_guarded(const struct proxy_port *p)
{
	return p->n_sources && p->n_addresses > p->n_open_addresses && p->n_external;
}

static void write_guard(struct strbuf *out, const struct proxy_port *p)
{
	strbuf_addf(out, "add chain " PROXY_TABLE " lb-%s { comment \"%s\"; }\n", p->chain, p->comment);
	for (size_t i = 0; i < p->n_sources; i++)
		strbuf_addf(out, "add rule " PROXY_TABLE " lb-%s ip saddr %s goto ext-%s\n", p->chain, p->sources[i],
		        p->chain);
	strbuf_addf(out, "add rule " PROXY_TABLE " lb-%s drop\n", p->chain);
}

/* Where what comes to its i-th address goes. */
static const char *chain_of(const struct proxy_port *p, size_t i)
{
	if (i < p->n_cluster_addresses)
		return "svc";
	return i >= p->n_open_addresses && is_guarded(p) ? "lb" : "ext";
}

static void write_elements(struct strbuf *out, const char *verb, const struct proxy_port *p)
{
	for (size_t i = 0; i < p->n_addresses; i++) {
		bool inside = i < p->n_cluster_addresses;
		bool served = inside ? p->n_internal > 0 : p->n_external > 0;
		bool adding = verb[0] == 'a';
		strbuf_addf(out, "%s element " PROXY_TABLE " %s { %s . %s . %d", verb,
		        !served  ? "refused"
		        : inside ? "services"
		                 : "externals",
		        p->addresses[i], p->protocol, p->port);
		if (served && adding)
			strbuf_addf(out, " : goto %s-%s", chain_of(p, i), p->chain);
		strbuf_adds(out, " }\n");
	}
	if (p->node_port && p->n_external) {
		strbuf_addf(out, "%s element " PROXY_TABLE " node-ports { %s . %d", verb, p->protocol, p->node_port);
		if (verb[0] == 'a')
			strbuf_addf(out, " : goto ext-%s", p->chain);
		strbuf_adds(out, " }\n");
	}
}

void proxy_rules_add(struct strbuf *out, const struct proxy_port *p)
{
	CHECK(p->n_cluster_addresses <= p->n_addresses);
	if (p->n_internal) {
		strbuf_addf(out, "add chain " PROXY_TABLE " svc-%s { comment \"%s\"; }\n", p->chain, p->comment);
		write_chain(out, "svc", p, p->internal, p->n_internal);
	}
	if (has_external(p) && p->n_external) {
		strbuf_addf(out, "add chain " PROXY_TABLE " ext-%s { comment \"%s\"; }\n", p->chain, p->comment);
		if (!p->external_local)
			strbuf_addf(out, "add rule " PROXY_TABLE " ext-%s jump masquerade-outside\n", p->chain);
		write_chain(out, "ext", p, p->external, p->n_external);
	}
	if (is_guarded(p))
		write_guard(out, p);
	write_elements(out, "add", p);
	/* An element may be there from another service with the same endpoint: adding it again is fine. */
	for (size_t i = 0; i < p->n_internal; i++)
		strbuf_addf(
		        out, "add element " PROXY_TABLE " hairpin { %s . %s }\n", p->internal[i].ip, p->internal[i].ip);
}

static void delete_chain(struct strbuf *out, const char *prefix, const struct proxy_port *p, size_t n)
{
	strbuf_addf(out, "flush chain " PROXY_TABLE " %s-%s\n", prefix, p->chain);
	for (size_t i = 0; p->affinity_s && n > 1 && i < n; i++) {
		strbuf_addf(out, "flush chain " PROXY_TABLE " %s-%s-%zu\n", prefix, p->chain, i);
		strbuf_addf(out, "delete chain " PROXY_TABLE " %s-%s-%zu\n", prefix, p->chain, i);
		strbuf_addf(out, "delete set " PROXY_TABLE " %s-%s-%zu\n", prefix, p->chain, i);
	}
	strbuf_addf(out, "delete chain " PROXY_TABLE " %s-%s\n", prefix, p->chain);
}

/* Hairpin elements stay: another service may need them, and one too many does no harm. */
void proxy_rules_delete(struct strbuf *out, const struct proxy_port *p)
{
	CHECK(p->n_cluster_addresses <= p->n_addresses);
	write_elements(out, "delete", p);
	if (is_guarded(p))
		strbuf_addf(out, "flush chain " PROXY_TABLE " lb-%s\ndelete chain " PROXY_TABLE " lb-%s\n", p->chain,
		        p->chain);
	if (p->n_internal)
		delete_chain(out, "svc", p, p->n_internal);
	if (has_external(p) && p->n_external)
		delete_chain(out, "ext", p, p->n_external);
}

/* ---- comparing ---- */

static bool endpoints_equal(const struct proxy_endpoint *a, size_t n, const struct proxy_endpoint *b, size_t m)
{
	if (n != m)
		return false;
	for (size_t i = 0; i < n; i++)
		if (a[i].port != b[i].port || strcmp(a[i].ip, b[i].ip) != 0)
			return false;
	return true;
}

bool proxy_port_equal(const struct proxy_port *a, const struct proxy_port *b)
{
	if (strcmp(a->chain, b->chain) != 0 || strcmp(a->protocol, b->protocol) != 0 || a->port != b->port ||
	        a->node_port != b->node_port || a->n_addresses != b->n_addresses ||
	        a->n_cluster_addresses != b->n_cluster_addresses || a->external_local != b->external_local ||
	        a->affinity_s != b->affinity_s || a->n_open_addresses != b->n_open_addresses ||
	        a->n_sources != b->n_sources)
		return false;
	for (size_t i = 0; i < a->n_sources; i++)
		if (strcmp(a->sources[i], b->sources[i]) != 0)
			return false;
	for (size_t i = 0; i < a->n_addresses; i++)
		if (strcmp(a->addresses[i], b->addresses[i]) != 0)
			return false;
	return endpoints_equal(a->internal, a->n_internal, b->internal, b->n_internal) &&
	       endpoints_equal(a->external, a->n_external, b->external, b->n_external);
}
