/* See netlink.h. A message is built in a buffer of its own: a header, a fixed part, attributes. What the kernel answers
 * is walked with the macros of <linux/rtnetlink.h>, each length checked against what came. */
#include "net/fabric/netlink.h"

#include "base/check.h"
#include "base/mem/arena.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGE_BYTES = 1024, ANSWER_BYTES = 32 * 1024, ANSWER_S = 5 };

struct netlink {
	int fd;
	uint32_t seq;
	int error; /* of the last question */
	char answer[ANSWER_BYTES];
};

struct message {
	union {
		struct nlmsghdr h;
		char bytes[MESSAGE_BYTES];
	};
};

/* ---- messages ---- */

static void begin(struct message *m, uint16_t type, uint16_t flags, const void *fixed, size_t len)
{
	memset(m, 0, sizeof *m);
	m->h = (struct nlmsghdr){.nlmsg_len = (uint32_t)NLMSG_LENGTH(len), .nlmsg_type = type, .nlmsg_flags = flags};
	memcpy(NLMSG_DATA(&m->h), fixed, len);
}

static struct rtattr *attribute(struct message *m, uint16_t type, const void *data, size_t len)
{
	struct rtattr *a = (struct rtattr *)(m->bytes + NLMSG_ALIGN(m->h.nlmsg_len));
	CHECK(NLMSG_ALIGN(m->h.nlmsg_len) + RTA_LENGTH(len) <= sizeof m->bytes);
	a->rta_type = type;
	a->rta_len = (uint16_t)RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(a), data, len);
	m->h.nlmsg_len = (uint32_t)(NLMSG_ALIGN(m->h.nlmsg_len) + RTA_ALIGN(a->rta_len));
	return a;
}

/* Attributes added until end() are within it. */
static struct rtattr *begin_nest(struct message *m, uint16_t type)
{
	return attribute(m, type, NULL, 0);
}

static void end_nest(struct message *m, struct rtattr *a)
{
	a->rta_len = (uint16_t)(m->bytes + m->h.nlmsg_len - (char *)a);
}

static int fail(struct netlink *n, struct err *err, int error, const char *doing)
{
	n->error = error;
	if (error == EEXIST)
		return err_set(err, ERR_EXISTS, "%s: it is there already", doing);
	return err_errno(err, error, "%s", doing);
}

/* Reads answers until fn says that it was the last (or the kernel does). fn: NULL when only the outcome matters. */
static int answers(struct netlink *n, const char *doing, void (*fn)(void *arg, const struct nlmsghdr *h), void *arg,
        struct err *err)
{
	for (;;) {
		ssize_t got = recv(n->fd, n->answer, sizeof n->answer, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fail(n, err, errno, doing);
		size_t len = (size_t)got;
		for (struct nlmsghdr *h = (struct nlmsghdr *)n->answer; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
			if (h->nlmsg_seq != n->seq)
				continue;
			if (h->nlmsg_type == NLMSG_DONE)
				return 0;
			if (h->nlmsg_type == NLMSG_ERROR) {
				int error = -((struct nlmsgerr *)NLMSG_DATA(h))->error;
				return error ? fail(n, err, error, doing) : 0;
			}
			if (fn)
				fn(arg, h);
		}
	}
}

static int ask(struct netlink *n, struct message *m, const char *doing, void (*fn)(void *arg, const struct nlmsghdr *h),
        void *arg, struct err *err)
{
	/* A dump ends by itself. Its two bits are, one by one, NLM_F_REPLACE and NLM_F_EXCL of other questions. */
	bool is_dump = (m->h.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	m->h.nlmsg_flags |= NLM_F_REQUEST | (is_dump ? 0 : NLM_F_ACK);
	m->h.nlmsg_seq = ++n->seq;
	if (send(n->fd, m->bytes, m->h.nlmsg_len, 0) != (ssize_t)m->h.nlmsg_len)
		return fail(n, err, errno, doing);
	return answers(n, doing, fn, arg, err);
}

/* Gone already is as good. */
static int ask_to_delete(struct netlink *n, struct message *m, const char *doing, struct err *err)
{
	int rc = ask(n, m, doing, NULL, NULL, err);
	bool is_gone = rc != 0 && (n->error == ESRCH || n->error == ENOENT || n->error == ENODEV);
	if (is_gone)
		err->code = 0;
	return is_gone ? 0 : rc;
}

int netlink_open(struct netlink **ret, struct err *err)
{
	struct netlink *n = xcalloc(1, sizeof *n);
	struct timeval limit = {.tv_sec = ANSWER_S};
	n->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (n->fd < 0) {
		free(n);
		return err_errno(err, errno, "open a netlink socket");
	}
	setsockopt(n->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	*ret = n;
	return 0;
}

void netlink_close(struct netlink *n)
{
	if (!n)
		return;
	close(n->fd);
	free(n);
}

/* ---- attributes that came ---- */

static const struct rtattr *find(const void *first, size_t len, uint16_t type)
{
	int left = (int)len;
	for (const struct rtattr *a = first; RTA_OK(a, left); a = RTA_NEXT(a, left))
		if ((a->rta_type & NLA_TYPE_MASK) == type)
			return a;
	return NULL;
}

static const struct rtattr *find_in(const struct rtattr *nest, uint16_t type)
{
	return nest ? find(RTA_DATA(nest), RTA_PAYLOAD(nest), type) : NULL;
}

static bool copy_attribute(const struct rtattr *a, void *ret, size_t len)
{
	if (!a || RTA_PAYLOAD(a) < len)
		return false;
	memcpy(ret, RTA_DATA(a), len);
	return true;
}

static bool copy_ip(const struct rtattr *a, enum ip_family f, struct ip *ret)
{
	struct ip ip = {.family = f};
	if (!copy_attribute(a, ip.bytes, ip_bytes(f)))
		return false;
	*ret = ip;
	return true;
}

static const void *after(const struct nlmsghdr *h, size_t fixed, size_t *ret_len)
{
	size_t head = NLMSG_LENGTH(NLMSG_ALIGN(fixed));
	*ret_len = h->nlmsg_len > head ? h->nlmsg_len - head : 0;
	return (const char *)h + head;
}

/* ---- links ---- */

struct link_answer {
	struct netlink_vxlan v;
	char kind[NETLINK_KIND_MAX];
};

/* With or without a zero byte at its end: kinds differ in that. */
static void copy_kind(const struct rtattr *a, char ret[NETLINK_KIND_MAX])
{
	size_t len = a ? RTA_PAYLOAD(a) : 0;
	len = len < NETLINK_KIND_MAX ? len : NETLINK_KIND_MAX - 1;
	memset(ret, 0, NETLINK_KIND_MAX);
	if (len)
		memcpy(ret, RTA_DATA(a), len);
}

static void take_link(void *arg, const struct nlmsghdr *h)
{
	struct link_answer *x = arg;
	size_t len;
	const void *first = after(h, sizeof(struct ifinfomsg), &len);
	const struct rtattr *info = find(first, len, IFLA_LINKINFO), *data = find_in(info, IFLA_INFO_DATA);
	uint32_t u32 = 0;
	uint16_t port = 0;
	copy_kind(find_in(info, IFLA_INFO_KIND), x->kind);
	copy_attribute(find(first, len, IFLA_ADDRESS), x->v.mac, sizeof x->v.mac);
	if (copy_attribute(find(first, len, IFLA_MTU), &u32, sizeof u32))
		x->v.mtu = u32;
	if (copy_attribute(find_in(data, IFLA_VXLAN_ID), &u32, sizeof u32))
		x->v.vni = u32;
	if (copy_attribute(find_in(data, IFLA_VXLAN_LINK), &u32, sizeof u32))
		x->v.link = (int)u32;
	if (copy_attribute(find_in(data, IFLA_VXLAN_PORT), &port, sizeof port))
		x->v.port = ntohs(port);
	copy_ip(find_in(data, IFLA_VXLAN_LOCAL), IP_V4, &x->v.local);
	copy_ip(find_in(data, IFLA_VXLAN_LOCAL6), IP_V6, &x->v.local);
}

static bool look_at(struct netlink *n, const char *name, struct link_answer *ret, int *ret_index)
{
	struct message m;
	struct err unused = ERR_INIT;
	struct ifinfomsg i = {.ifi_index = (int)if_nametoindex(name)};
	*ret = (struct link_answer){.v.name = name};
	*ret_index = i.ifi_index;
	begin(&m, RTM_GETLINK, 0, &i, sizeof i);
	return i.ifi_index && ask(n, &m, "look at a link", take_link, ret, &unused) == 0;
}

bool netlink_link_kind(struct netlink *n, const char *name, char ret[NETLINK_KIND_MAX], int *ret_index)
{
	struct link_answer x;
	bool is_there = look_at(n, name, &x, ret_index);
	memcpy(ret, x.kind, NETLINK_KIND_MAX);
	return is_there;
}

bool netlink_vxlan_get(struct netlink *n, const char *name, struct netlink_vxlan *ret, int *ret_index)
{
	struct link_answer x;
	if (!look_at(n, name, &x, ret_index))
		return false;
	*ret = x.v;
	return strcmp(x.kind, "vxlan") == 0;
}

int netlink_link_add(struct netlink *n, const char *name, const char *kind, struct err *err)
{
	struct message m;
	struct ifinfomsg i = {0};
	begin(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &i, sizeof i);
	attribute(&m, IFLA_IFNAME, name, strlen(name) + 1);
	struct rtattr *info = begin_nest(&m, IFLA_LINKINFO);
	attribute(&m, IFLA_INFO_KIND, kind, strlen(kind));
	end_nest(&m, info);
	return ask(n, &m, "make a link", NULL, NULL, err);
}

int netlink_vxlan_add(struct netlink *n, const struct netlink_vxlan *v, struct err *err)
{
	struct message m;
	struct ifinfomsg i = {0};
	uint32_t vni = v->vni, link = (uint32_t)v->link, mtu = v->mtu;
	uint16_t port = htons(v->port);
	uint8_t off = 0;
	begin(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &i, sizeof i);
	attribute(&m, IFLA_IFNAME, v->name, strlen(v->name) + 1);
	attribute(&m, IFLA_MTU, &mtu, sizeof mtu);
	attribute(&m, IFLA_ADDRESS, v->mac, sizeof v->mac);
	struct rtattr *info = begin_nest(&m, IFLA_LINKINFO);
	attribute(&m, IFLA_INFO_KIND, "vxlan", 5);
	struct rtattr *data = begin_nest(&m, IFLA_INFO_DATA);
	attribute(&m, IFLA_VXLAN_ID, &vni, sizeof vni);
	attribute(&m, IFLA_VXLAN_LINK, &link, sizeof link);
	attribute(&m, v->local.family == IP_V6 ? IFLA_VXLAN_LOCAL6 : IFLA_VXLAN_LOCAL, v->local.bytes,
	        ip_bytes(v->local.family));
	attribute(&m, IFLA_VXLAN_PORT, &port, sizeof port);
	attribute(&m, IFLA_VXLAN_LEARNING, &off, sizeof off);
	end_nest(&m, data);
	end_nest(&m, info);
	return ask(n, &m, "make the VXLAN link", NULL, NULL, err);
}

int netlink_link_del(struct netlink *n, int index, struct err *err)
{
	struct message m;
	struct ifinfomsg i = {.ifi_index = index};
	begin(&m, RTM_DELLINK, 0, &i, sizeof i);
	return ask(n, &m, "remove a link", NULL, NULL, err);
}

int netlink_link_up(struct netlink *n, int index, struct err *err)
{
	struct message m;
	struct ifinfomsg i = {.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	begin(&m, RTM_NEWLINK, 0, &i, sizeof i);
	return ask(n, &m, "set a link up", NULL, NULL, err);
}

int netlink_link_set_mtu(struct netlink *n, int index, unsigned mtu, struct err *err)
{
	struct message m;
	struct ifinfomsg i = {.ifi_index = index};
	uint32_t bytes = mtu;
	begin(&m, RTM_NEWLINK, 0, &i, sizeof i);
	attribute(&m, IFLA_MTU, &bytes, sizeof bytes);
	return ask(n, &m, "set the MTU of a link", NULL, NULL, err);
}

unsigned netlink_link_mtu(int index)
{
	struct ifreq r = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool ok = fd >= 0 && if_indextoname((unsigned)index, r.ifr_name) && ioctl(fd, SIOCGIFMTU, &r) == 0;
	if (fd >= 0)
		close(fd);
	return ok && r.ifr_mtu > 0 ? (unsigned)r.ifr_mtu : 0;
}

/* The address of an interface; false: of neither family. */
static bool address_of(const struct ifaddrs *i, struct ip *ret)
{
	const void *sa = i->ifa_addr;
	if (!sa || (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6))
		return false;
	*ret = (struct ip){.family = i->ifa_addr->sa_family == AF_INET6 ? IP_V6 : IP_V4};
	if (ret->family == IP_V6)
		memcpy(ret->bytes, &((const struct sockaddr_in6 *)sa)->sin6_addr, ip_bytes(IP_V6));
	else
		memcpy(ret->bytes, &((const struct sockaddr_in *)sa)->sin_addr, ip_bytes(IP_V4));
	return true;
}

static unsigned netmask_bits(const struct ifaddrs *i, enum ip_family f)
{
	const void *sa = i->ifa_netmask;
	unsigned bits = 0;
	const unsigned char *mask = !sa          ? NULL
	                            : f == IP_V6 ? ((const struct sockaddr_in6 *)sa)->sin6_addr.s6_addr
	                                         : (const unsigned char *)&((const struct sockaddr_in *)sa)->sin_addr;
	for (size_t b = 0; mask && b < ip_bytes(f); b++)
		bits += (unsigned)__builtin_popcount(mask[b]);
	return bits;
}

size_t netlink_link_networks(int link, enum ip_family f, struct ip_net *ret, size_t max)
{
	struct ifaddrs *all = NULL;
	struct ip_net net;
	size_t n = 0;
	if (getifaddrs(&all) != 0)
		return 0;
	for (struct ifaddrs *i = all; i && n < max; i = i->ifa_next) {
		if (!address_of(i, &net.first) || net.first.family != f || (int)if_nametoindex(i->ifa_name) != link)
			continue;
		net.bits = netmask_bits(i, f);
		if (net.bits)
			ret[n++] = net;
	}
	freeifaddrs(all);
	return n;
}

int netlink_link_of(const struct ip *address)
{
	struct ifaddrs *all = NULL;
	struct ip ip;
	int index = 0;
	if (getifaddrs(&all) != 0)
		return 0;
	for (struct ifaddrs *i = all; i && !index; i = i->ifa_next)
		if (address_of(i, &ip) && ip_equal(&ip, address))
			index = (int)if_nametoindex(i->ifa_name);
	freeifaddrs(all);
	return index;
}

static bool is_link_local(const struct ip *ip)
{
	return ip->family == IP_V6 && ip->bytes[0] == 0xfe && (ip->bytes[1] & 0xc0) == 0x80;
}

bool netlink_has_other_address(const char *link, const struct ip *address)
{
	struct ifaddrs *all = NULL;
	struct ip ip;
	bool found = false;
	if (getifaddrs(&all) != 0)
		return false;
	for (struct ifaddrs *i = all; i && !found; i = i->ifa_next)
		found = strcmp(i->ifa_name, link) == 0 && address_of(i, &ip) && ip.family == address->family &&
		        !is_link_local(&ip) && !ip_equal(&ip, address);
	freeifaddrs(all);
	return found;
}

/* Nobody else on an overlay can have it: IPv6 need not ask around first (NODAD). */
int netlink_address_set(struct netlink *n, int index, const struct ip *address, struct err *err)
{
	struct message m;
	struct ifaddrmsg a = {.ifa_family = (uint8_t)ip_af(address->family),
	        .ifa_prefixlen = (uint8_t)ip_bits(address->family),
	        .ifa_flags = address->family == IP_V6 ? IFA_F_NODAD : 0,
	        .ifa_index = (unsigned)index};
	begin(&m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &a, sizeof a);
	attribute(&m, IFA_LOCAL, address->bytes, ip_bytes(address->family));
	attribute(&m, IFA_ADDRESS, address->bytes, ip_bytes(address->family));
	return ask(n, &m, "give a link its address", NULL, NULL, err);
}

/* ---- routes ---- */

/* Whatever else knows a way comes first. */
enum { UNREACHABLE_METRIC = 8192 };

/* When one is removed its scope does not count, for who lists routes does not ask for it. */
static unsigned char scope_of(const struct netlink_route *r, uint16_t type)
{
	if (type == RTM_DELROUTE)
		return RT_SCOPE_NOWHERE;
	return r->is_direct ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

static void begin_route(struct message *m, uint16_t type, uint16_t flags, const struct netlink_route *r)
{
	size_t bytes = ip_bytes(r->to.first.family);
	struct rtmsg t = {.rtm_family = (uint8_t)ip_af(r->to.first.family),
	        .rtm_dst_len = (uint8_t)r->to.bits,
	        .rtm_table = RT_TABLE_MAIN,
	        .rtm_protocol = NETLINK_ROUTE_ORIGIN,
	        .rtm_scope = scope_of(r, type),
	        .rtm_type = r->is_unreachable ? RTN_UNREACHABLE : RTN_UNICAST,
	        .rtm_flags = r->is_onlink ? RTNH_F_ONLINK : 0};
	uint32_t link = (uint32_t)r->link, metric = UNREACHABLE_METRIC;
	begin(m, type, flags, &t, sizeof t);
	attribute(m, RTA_DST, r->to.first.bytes, bytes);
	if (r->is_unreachable) {
		attribute(m, RTA_PRIORITY, &metric, sizeof metric);
		return;
	}
	if (!r->is_direct)
		attribute(m, RTA_GATEWAY, r->via.bytes, bytes);
	if (link)
		attribute(m, RTA_OIF, &link, sizeof link);
}

int netlink_route_set(struct netlink *n, const struct netlink_route *r, struct err *err)
{
	struct message m;
	begin_route(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, r);
	return ask(n, &m, "set a route", NULL, NULL, err);
}

int netlink_route_del(struct netlink *n, const struct netlink_route *r, struct err *err)
{
	struct message m;
	begin_route(&m, RTM_DELROUTE, 0, r);
	return ask_to_delete(n, &m, "remove a route", err);
}

struct route_walk {
	enum ip_family family;
	void (*fn)(void *arg, const struct netlink_route *r);
	void *arg;
};

static void take_route(void *arg, const struct nlmsghdr *h)
{
	const struct route_walk *w = arg;
	const struct rtmsg *t = NLMSG_DATA(h);
	size_t len;
	const void *first = after(h, sizeof *t, &len);
	struct netlink_route r = {.to.bits = t->rtm_dst_len, .is_onlink = t->rtm_flags & RTNH_F_ONLINK};
	enum ip_family f = t->rtm_family == AF_INET6 ? IP_V6 : IP_V4;
	uint32_t link = 0;
	if (h->nlmsg_type != RTM_NEWROUTE || f != w->family || t->rtm_protocol != NETLINK_ROUTE_ORIGIN ||
	        t->rtm_table != RT_TABLE_MAIN || !copy_ip(find(first, len, RTA_DST), f, &r.to.first))
		return;
	r.is_unreachable = t->rtm_type == RTN_UNREACHABLE;
	r.is_direct = !copy_ip(find(first, len, RTA_GATEWAY), f, &r.via) && !r.is_unreachable;
	copy_attribute(find(first, len, RTA_OIF), &link, sizeof link);
	r.link = (int)link;
	w->fn(w->arg, &r);
}

int netlink_routes(struct netlink *n, enum ip_family f, void (*fn)(void *arg, const struct netlink_route *r), void *arg,
        struct err *err)
{
	struct message m;
	struct rtmsg t = {.rtm_family = (uint8_t)ip_af(f)};
	struct route_walk w = {f, fn, arg};
	begin(&m, RTM_GETROUTE, NLM_F_DUMP, &t, sizeof t);
	return ask(n, &m, "list the routes", take_route, &w, err);
}

/* ---- neighbours ---- */

static void begin_neighbour(struct message *m, uint16_t type, uint16_t flags, int family, int link)
{
	struct ndmsg d = {.ndm_family = (uint8_t)family,
	        .ndm_ifindex = link,
	        .ndm_state = NUD_PERMANENT,
	        .ndm_flags = family == AF_BRIDGE ? NTF_SELF : 0,
	        .ndm_type = RTN_UNICAST};
	begin(m, type, flags, &d, sizeof d);
}

int netlink_neighbour_set(
        struct netlink *n, int link, const struct ip *address, const unsigned char mac[6], struct err *err)
{
	struct message m;
	begin_neighbour(&m, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, ip_af(address->family), link);
	attribute(&m, NDA_DST, address->bytes, ip_bytes(address->family));
	attribute(&m, NDA_LLADDR, mac, 6);
	return ask(n, &m, "set a neighbour", NULL, NULL, err);
}

int netlink_neighbour_del(struct netlink *n, int link, const struct ip *address, struct err *err)
{
	struct message m;
	begin_neighbour(&m, RTM_DELNEIGH, 0, ip_af(address->family), link);
	attribute(&m, NDA_DST, address->bytes, ip_bytes(address->family));
	return ask_to_delete(n, &m, "remove a neighbour", err);
}

int netlink_fdb_set(struct netlink *n, int link, const unsigned char mac[6], const struct ip *host, struct err *err)
{
	struct message m;
	begin_neighbour(&m, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, AF_BRIDGE, link);
	attribute(&m, NDA_LLADDR, mac, 6);
	attribute(&m, NDA_DST, host->bytes, ip_bytes(host->family));
	return ask(n, &m, "set a forwarding entry", NULL, NULL, err);
}

int netlink_fdb_del(struct netlink *n, int link, const unsigned char mac[6], const struct ip *host, struct err *err)
{
	struct message m;
	begin_neighbour(&m, RTM_DELNEIGH, 0, AF_BRIDGE, link);
	attribute(&m, NDA_LLADDR, mac, 6);
	attribute(&m, NDA_DST, host->bytes, ip_bytes(host->family));
	return ask_to_delete(n, &m, "remove a forwarding entry", err);
}

struct neighbour_walk {
	int link, family;
	void (*neighbour)(void *arg, const struct ip *address);
	void (*fdb)(void *arg, const unsigned char mac[6], const struct ip *host);
	void *arg;
};

/* A forwarding entry does not say which family its host is of, but for its length. */
static void take_neighbour(void *arg, const struct nlmsghdr *h)
{
	const struct neighbour_walk *w = arg;
	const struct ndmsg *d = NLMSG_DATA(h);
	size_t len;
	const void *first = after(h, sizeof *d, &len);
	const struct rtattr *to = find(first, len, NDA_DST);
	enum ip_family f = to && RTA_PAYLOAD(to) == ip_bytes(IP_V6) ? IP_V6 : IP_V4;
	struct ip ip;
	unsigned char mac[6];
	if (h->nlmsg_type != RTM_NEWNEIGH || d->ndm_family != w->family || d->ndm_ifindex != w->link ||
	        !(d->ndm_state & NUD_PERMANENT) || !copy_ip(to, f, &ip))
		return;
	if (w->neighbour)
		w->neighbour(w->arg, &ip);
	else if (copy_attribute(find(first, len, NDA_LLADDR), mac, sizeof mac))
		w->fdb(w->arg, mac, &ip);
}

static int walk_neighbours(struct netlink *n, struct neighbour_walk *w, struct err *err)
{
	struct message m;
	struct ndmsg d = {.ndm_family = (uint8_t)w->family, .ndm_ifindex = w->link};
	begin(&m, RTM_GETNEIGH, NLM_F_DUMP, &d, sizeof d);
	return ask(n, &m, "list the neighbours", take_neighbour, w, err);
}

int netlink_neighbours(struct netlink *n, int link, enum ip_family f, void (*fn)(void *arg, const struct ip *address),
        void *arg, struct err *err)
{
	struct neighbour_walk w = {.link = link, .family = ip_af(f), .neighbour = fn, .arg = arg};
	return walk_neighbours(n, &w, err);
}

int netlink_fdbs(struct netlink *n, int link, void (*fn)(void *arg, const unsigned char mac[6], const struct ip *host),
        void *arg, struct err *err)
{
	struct neighbour_walk w = {.link = link, .family = AF_BRIDGE, .fdb = fn, .arg = arg};
	return walk_neighbours(n, &w, err);
}
