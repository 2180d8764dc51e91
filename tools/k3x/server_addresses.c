/* See server_addresses.h. Pure but for the host's own. What a range may be:
 *
 *                  IPv4                                  IPv6
 *     pods         8 to node-cidr-mask-size bits (24)    node-cidr-mask-size-ipv6 (64) less 16 bits, to that
 *     services     8 to 28 bits                          108 to 124 bits, as upstream has it
 *
 * A node's part of the pods' range is its own network, so that a range has at most 2^16 of them. */
#include "tools/k3x/server_addresses.h"

#include "base/check.h"

#include <ifaddrs.h>
#include <linux/in6.h>
#include <net/if.h>
#include <stdio.h>
#include <unistd.h>

enum { DNS_INDEX = 10, PARTS_BITS_MAX = 16 };

static const char default_address[] = "127.0.0.1";

static const char *join(struct arena *a, const struct flag_list *list)
{
	struct strbuf b = STRBUF_INIT;
	for (size_t i = 0; i < list->count; i++)
		strbuf_addf(&b, "%s%s", i ? "," : "", list->items[i]);
	const char *text = arena_strdup(a, strbuf_cstr(&b));
	strbuf_release(&b);
	return text;
}

static const char *list_text(struct arena *a, const struct ip_list *l)
{
	char one[IP_TEXT_MAX], other[IP_TEXT_MAX];
	if (l->count < 2)
		return arena_strdup(a, ip_write(&l->items[0], one));
	return arena_printf(a, "%s,%s", ip_write(&l->items[0], one), ip_write(&l->items[1], other));
}

static int bad(struct err *err, const char *flag, const char *value, const char *want)
{
	return err_set(err, ERR_INVAL, "--%s: \"%s\" is not %s", flag, value, want);
}

/* ---- the host's own ---- */

static bool is_ours(const char *link)
{
	return strncmp(link, "cni", 3) == 0 || strncmp(link, "flannel", 7) == 0 || strncmp(link, "veth", 4) == 0;
}

static void note_address(struct ip_list *l, const struct sockaddr *sa)
{
	struct ip ip = {.family = sa->sa_family == AF_INET6 ? IP_V6 : IP_V4};
	const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
	if ((sa->sa_family != AF_INET && sa->sa_family != AF_INET6) || ip_list_of(l, ip.family))
		return;
	if (ip.family == IP_V6 && (IN6_IS_ADDR_LINKLOCAL(v6) || IN6_IS_ADDR_LOOPBACK(v6)))
		return;
	if (ip.family == IP_V6)
		memcpy(ip.bytes, v6, sizeof ip.bytes);
	else
		memcpy(ip.bytes, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, ip_bytes(IP_V4));
	l->items[l->count++] = ip;
}

/* What the kernel would send from to somewhere far away (addresses of documentation: RFC 5737, RFC 3849). Nothing is
 * sent. Of IPv6 not one of those that change every day (RFC 5014). */
static void note_routed(struct ip_list *l, int family)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(0xc0000201)};
	struct sockaddr_in6 v6 = {
	        .sin6_family = AF_INET6, .sin6_port = htons(9), .sin6_addr = {{{0x20, 1, 0x0d, 0xb8}}}};
	struct sockaddr_storage own = {0};
	socklen_t len = sizeof own;
	int fixed = IPV6_PREFER_SRC_PUBLIC, fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const struct sockaddr *far = family == AF_INET ? (void *)&v4 : (void *)&v6;
	if (fd < 0)
		return;
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, &fixed, sizeof fixed);
	if (connect(fd, far, family == AF_INET ? sizeof v4 : sizeof v6) == 0 &&
	        getsockname(fd, (struct sockaddr *)&own, &len) == 0)
		note_address(l, (struct sockaddr *)&own);
	close(fd);
}

struct ip_list server_routed_addresses(void)
{
	struct ip_list found = {0};
	note_routed(&found, AF_INET);
	note_routed(&found, AF_INET6);
	return found;
}

struct ip_list server_host_addresses(void)
{
	struct ip_list found = server_routed_addresses();
	struct ifaddrs *all;
	if (getifaddrs(&all) != 0)
		return found;
	for (struct ifaddrs *i = all; i; i = i->ifa_next)
		if (i->ifa_addr && (i->ifa_flags & IFF_UP) && !(i->ifa_flags & IFF_LOOPBACK) && !is_ours(i->ifa_name))
			note_address(&found, i->ifa_addr);
	freeifaddrs(all);
	return found;
}

/* ---- ranges ---- */

static int read_ranges(const char *flag, const char *text, struct ip_nets *ret, struct err *err)
{
	return ip_nets_parse(text, ret, err) == 0 ? 0 : err_wrap(err, "--%s", flag);
}

static int check_pods(const struct server_settings *s, const struct ip_net *n, struct err *err)
{
	bool is_v6 = n->first.family == IP_V6;
	unsigned part = (unsigned)(is_v6 ? s->controllers.node_mask_bits_v6 : s->controllers.node_mask_bits);
	unsigned least = is_v6 ? part - (part < PARTS_BITS_MAX ? part : PARTS_BITS_MAX) : 8;
	char text[IP_NET_TEXT_MAX];
	if (n->bits >= least && n->bits <= part)
		return 0;
	return err_set(err, ERR_INVAL, "--cluster-cidr: %s: must have %u to %u bits (each node takes %u of them)",
	        ip_net_write(n, text), least, part, part);
}

static int check_services(const struct ip_net *n, struct err *err)
{
	unsigned least = n->first.family == IP_V6 ? 108 : 8, most = n->first.family == IP_V6 ? 124 : 28;
	char text[IP_NET_TEXT_MAX];
	if (n->bits >= least && n->bits <= most)
		return 0;
	return err_set(
	        err, ERR_INVAL, "--service-cidr: %s: must have %u to %u bits", ip_net_write(n, text), least, most);
}

static bool same_families(const struct ip_nets *x, const struct ip_nets *y)
{
	bool same = x->count == y->count;
	for (size_t i = 0; same && i < x->count; i++)
		same = x->items[i].first.family == y->items[i].first.family;
	return same;
}

static int check_ranges(const struct server_settings *s, struct ip_nets *services, struct err *err)
{
	struct ip_nets pods;
	if (read_ranges("cluster-cidr", s->cluster_cidr, &pods, err) != 0 ||
	        read_ranges("service-cidr", s->service_cidr, services, err) != 0)
		return err->code;
	if (!same_families(&pods, services))
		return err_set(err, ERR_INVAL,
		        "--cluster-cidr %s and --service-cidr %s: both must name the same families (IPv4, IPv6 or one "
		        "of each), the primary one first",
		        s->cluster_cidr, s->service_cidr);
	for (size_t i = 0; i < pods.count; i++) {
		if (check_pods(s, &pods.items[i], err) != 0 || check_services(&services->items[i], err) != 0)
			return err->code;
		if (ip_net_overlaps(&pods.items[i], &services->items[i]))
			return err_set(err, ERR_INVAL, "--service-cidr: %s overlaps with --cluster-cidr %s",
			        s->service_cidr, s->cluster_cidr);
	}
	return 0;
}

/* ---- the cluster DNS ---- */

static int complete_dns(struct server_settings *s, const struct ip_nets *services, struct err *err)
{
	struct ip_list dns = {0};
	if (s->cluster_dns_given.count) {
		s->cluster_dns = join(&s->arena, &s->cluster_dns_given);
		if (ip_list_parse(s->cluster_dns, &dns, err) != 0)
			return err_wrap(err, "--cluster-dns");
	} else {
		for (size_t i = 0; i < services->count; i++)
			dns.items[dns.count++] = ip_net_at(&services->items[i], DNS_INDEX, 0);
	}
	for (size_t i = 0; i < dns.count; i++) {
		const struct ip_net *range = ip_nets_of(services, dns.items[i].family);
		if (!range || !ip_net_contains(range, &dns.items[i]))
			return err_set(err, ERR_INVAL, "--cluster-dns: %s does not lie in --service-cidr %s",
			        s->cluster_dns, s->service_cidr);
	}
	s->cluster_dns = list_text(&s->arena, &dns);
	return 0;
}

/* ---- the node's addresses ---- */

/* One for each of the families, in their order, from `from`. */
static int choose(struct server_settings *s, const struct ip_nets *families, const struct ip_list *from,
        struct ip_list *ret, struct err *err)
{
	*ret = (struct ip_list){0};
	for (size_t i = 0; i < families->count; i++) {
		enum ip_family f = families->items[i].first.family;
		const struct ip *ip = ip_list_of(from, f);
		if (!ip && s->node_ips.count)
			return err_set(err, ERR_INVAL, "--node-ip: \"%s\" has no %s address, and the cluster's %s has",
			        join(&s->arena, &s->node_ips), ip_family_name(f), s->cluster_cidr);
		if (!ip && (f == IP_V6 || families->count > 1))
			return err_set(err, ERR_INVAL,
			        "--node-ip: no link of this machine has an %s address, and the cluster's %s needs one",
			        ip_family_name(f), s->cluster_cidr);
		if (ip)
			ret->items[ret->count++] = *ip;
	}
	return 0;
}

static void set_node_ips(struct server_settings *s, const struct ip_list *l)
{
	char text[IP_TEXT_MAX];
	s->node_ip = l->count ? arena_strdup(&s->arena, ip_write(&l->items[0], text)) : default_address;
	s->node_ip_other = l->count > 1 ? arena_strdup(&s->arena, ip_write(&l->items[1], text)) : NULL;
	s->node_addresses = l->count ? list_text(&s->arena, l) : default_address;
}

static int read_given(const struct server_settings *s, struct ip_list *ret, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct ip_list external;
	int rc = 0;
	*ret = (struct ip_list){0};
	if (s->node_ips.count && ip_list_parse(join(&a, &s->node_ips), ret, err) != 0)
		rc = err_wrap(err, "--node-ip");
	if (rc == 0 && s->node_external_ips.count &&
	        ip_list_parse(join(&a, &s->node_external_ips), &external, err) != 0)
		rc = err_wrap(err, "--node-external-ip");
	arena_release(&a);
	return rc;
}

/* A node may have addresses of families that the cluster does not: they are left out. */
static int complete_node(
        struct server_settings *s, const struct ip_nets *families, const struct ip_list *host, struct err *err)
{
	struct ip_list given, chosen;
	if (read_given(s, &given, err) != 0 || choose(s, families, given.count ? &given : host, &chosen, err) != 0)
		return err->code;
	set_node_ips(s, &chosen);
	s->node_external_ip = s->node_external_ips.count ? join(&s->arena, &s->node_external_ips) : NULL;
	return 0;
}

/* ---- a server ---- */

static int complete_listening(struct server_settings *s, const struct ip_nets *services, struct err *err)
{
	struct ip ip;
	enum ip_family primary = services->items[0].first.family;
	if (!s->bind_address) /* "::" answers IPv4, too */
		s->bind_address = services->count > 1 || primary == IP_V6 ? "::" : "0.0.0.0";
	if (!ip_parse(slice_of(s->bind_address), &ip))
		return bad(err, "bind-address", s->bind_address, "an IP address");
	if (!s->advertise_address)
		s->advertise_address = s->node_ip;
	if (!ip_parse(slice_of(s->advertise_address), &ip))
		return bad(err, "advertise-address", s->advertise_address, "an IP address");
	if (ip.family != primary)
		return err_set(err, ERR_INVAL,
		        "--advertise-address: %s is not %s, the first family of --service-cidr %s",
		        s->advertise_address, ip_family_name(primary), s->service_cidr);
	return 0;
}

int server_addresses_complete(struct server_settings *s, const struct ip_list *host, struct err *err)
{
	struct ip_nets services;
	CHECK(!s->is_agent);
	if (s->cluster_cidrs.count)
		s->cluster_cidr = join(&s->arena, &s->cluster_cidrs);
	if (s->service_cidrs.count)
		s->service_cidr = join(&s->arena, &s->service_cidrs);
	if (check_ranges(s, &services, err) != 0 || complete_dns(s, &services, err) != 0 ||
	        complete_node(s, &services, host, err) != 0)
		return err->code;
	return complete_listening(s, &services, err);
}

/* ---- an agent ---- */

int agent_addresses_check(const struct server_settings *s, struct err *err)
{
	struct ip_list given;
	CHECK(s->is_agent);
	return read_given(s, &given, err);
}

int agent_addresses_complete(struct server_settings *s, const struct ip_list *host, struct err *err)
{
	struct ip_nets pods;
	CHECK(s->is_agent);
	if (ip_nets_parse(s->cluster_cidr, &pods, err) != 0)
		return err_wrap(err, "the cluster's cluster-cidr");
	return complete_node(s, &pods, host, err);
}
