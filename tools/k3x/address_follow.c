/* See address_follow.h.
 *
 *     the kernel tells of addresses or default routes --> quiet for a while --> each address of the node: still there?
 *
 * An address that a link still has is kept, whatever else comes. What can go wrong: the new address comes a while after
 * the old one went (a lease that ran out): until then nothing moves, and what is told next is looked at again. */
#include "tools/k3x/address_follow.h"

#include "base/log.h"
#include "base/mem/arena.h"
#include "net/fabric/netlink.h"
#include "net/fabric/netlink_watch.h"
#include "tools/k3x/server_addresses.h"

#include <linux/rtnetlink.h>
#include <stdlib.h>

enum { SETTLE_MS = 1000 };

struct address_follow {
	struct netlink_watch *watch;
	struct ip_list own;
	int links[IP_FAMILIES]; /* that have them, by their order */
	void (*moved)(void *arg);
	void *arg;
};

bool address_has_moved(const struct address_sight *x)
{
	return !x->is_held && x->has_next && (x->is_routed || x->next_link == x->link);
}

static bool is_loopback(const struct ip *ip)
{
	return ip->family == IP_V4 && ip->bytes[0] == 127;
}

static struct address_sight look_at(
        const struct address_follow *f, size_t i, const struct ip_list *host, const struct ip_list *routed)
{
	const struct ip *own = &f->own.items[i], *next = ip_list_of(host, own->family),
	                *source = ip_list_of(routed, own->family);
	return (struct address_sight){.is_held = !is_loopback(own) && netlink_link_of(own),
	        .link = f->links[i],
	        .has_next = next != NULL,
	        .next_link = next ? netlink_link_of(next) : 0,
	        .is_routed = next && source && ip_equal(next, source)};
}

static void look(void *arg)
{
	struct address_follow *f = arg;
	struct ip_list host = server_host_addresses(), routed = server_routed_addresses();
	char from[IP_TEXT_MAX], to[IP_TEXT_MAX];
	size_t moved = f->own.count;
	for (size_t i = 0; i < f->own.count; i++) {
		struct address_sight x = look_at(f, i, &host, &routed);
		if (address_has_moved(&x))
			moved = i;
		else if (!x.is_held)
			return; /* it would be missed */
	}
	if (moved == f->own.count)
		return;
	log_warn("node", "the node's address has moved", "from=%s to=%s", ip_write(&f->own.items[moved], from),
	        ip_write(ip_list_of(&host, f->own.items[moved].family), to));
	f->moved(f->arg);
}

/* Those of links alone come and go with every pod. */
static bool counts(void *arg, const struct nlmsghdr *h)
{
	const struct ifaddrmsg *a = NLMSG_DATA(h);
	const struct rtmsg *r = NLMSG_DATA(h);
	switch (h->nlmsg_type) {
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return h->nlmsg_len >= NLMSG_LENGTH(sizeof *a) && a->ifa_scope == RT_SCOPE_UNIVERSE;
	case RTM_NEWROUTE:
		return h->nlmsg_len >= NLMSG_LENGTH(sizeof *r) && r->rtm_dst_len == 0;
	default:
		return false;
	}
}

struct address_follow *address_follow_new(
        struct loop *loop, const struct server_settings *s, void (*moved)(void *arg), void *arg)
{
	struct err err = ERR_INIT;
	struct ip_list own;
	if (s->node_ips.count || ip_list_parse(s->node_addresses, &own, &err) != 0)
		return NULL;
	struct address_follow *f = xcalloc(1, sizeof *f);
	*f = (struct address_follow){.own = own, .moved = moved, .arg = arg};
	for (size_t i = 0; i < own.count; i++)
		f->links[i] = netlink_link_of(&own.items[i]);
	f->watch = netlink_watch_new(
	        &(struct netlink_watch_options){.loop = loop,
	                .groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE,
	                .settle_ms = SETTLE_MS,
	                .counts = counts,
	                .changed = look,
	                .arg = f},
	        &err);
	if (f->watch)
		return f;
	log_warn("node", "another address of this machine is not followed", "error=\"%s\"", err.msg);
	free(f);
	return NULL;
}

void address_follow_close(struct address_follow *f)
{
	if (f)
		netlink_watch_close(f->watch, free, f);
}
