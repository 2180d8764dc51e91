/* VXLAN (RFC 7348), as flannel does it: see way_int.h. Each node has one link of VNI 1 whose address is the first of
 * its pods' network, and all others know its hardware address from its annotations: nothing is learned and nobody is
 * asked.
 *
 *     route: pods' network via its first address      neighbour: that address -> hardware address
 *     forwarding entry: hardware address -> the node
 *
 * With direct routing a node on the same link is reached by a plain route; the entries stay, for they cost nothing and
 * the other one may have been told otherwise. */
#include "net/fabric/way_int.h"

#include "base/mem/arena.h"
#include "base/pki/pki.h"

#include <net/if.h>
#include <stdlib.h>

enum { STALE_MAX = 4096 };

static bool has_end(const struct peer_end *p)
{
	return p->has_mac;
}

/* ---- the link ---- */

/* Others know the link by its hardware address, so that one that is made anew gets what the one before had. */
static void choose_mac(const struct fabric_family *f, const unsigned char before[6], unsigned char ret[6])
{
	static const unsigned char none[6];
	if (memcmp(before, none, sizeof none) != 0) {
		memcpy(ret, before, 6);
	} else if (f->self.has_mac) {
		memcpy(ret, f->self.mac, 6);
	} else {
		pki_random(ret, 6);
		ret[0] = (unsigned char)((ret[0] & 0xfe) | 2); /* of one host, given by software */
	}
}

/* A link that is there and is what it should be stays, whatever its hardware address is. */
static int make_overlay(struct fabric_family *f, int beneath, struct err *err)
{
	struct netlink_vxlan have = {0}, want = {.name = f->links.vxlan,
	                                         .vni = f->conf.vni,
	                                         .port = f->conf.vxlan_port,
	                                         .link = beneath,
	                                         .local = f->host,
	                                         .mtu = fabric_mtu_on(FABRIC_VXLAN, f->conf.mtu, f->family, beneath)};
	int index;
	bool is_vxlan = netlink_vxlan_get(f->netlink, want.name, &have, &index);
	bool is_right = is_vxlan && have.vni == want.vni && have.port == want.port && have.link == want.link &&
	                ip_equal(&have.local, &want.local) && have.mtu == want.mtu &&
	                !netlink_has_other_address(want.name, &f->self.pods.first);
	if (index && !is_vxlan)
		return err_set(err, ERR_EXISTS, "the link %s is not ours: rename it", want.name);
	choose_mac(f, have.mac, want.mac);
	memcpy(f->self.mac, want.mac, sizeof f->self.mac);
	f->self.has_mac = true;
	if (is_right)
		return 0;
	if (is_vxlan && netlink_link_del(f->netlink, index, err) != 0)
		return err->code;
	if (netlink_vxlan_add(f->netlink, &want, err) != 0)
		return err_wrap(err, "%s (VNI %u, UDP port %d)", want.name, (unsigned)want.vni, want.port);
	return 0;
}

static int link_of(struct fabric_family *f, int beneath, int *ret_link, struct err *err)
{
	if (make_overlay(f, beneath, err) != 0)
		return err->code;
	int index = (int)if_nametoindex(f->links.vxlan);
	if (netlink_address_set(f->netlink, index, &f->self.pods.first, err) != 0 ||
	        netlink_link_up(f->netlink, index, err) != 0)
		return err->code;
	*ret_link = index;
	return 0;
}

static int remove_link(struct fabric_family *f, struct err *err)
{
	struct netlink_vxlan have;
	int index;
	bool is_ours = netlink_vxlan_get(f->netlink, f->links.vxlan, &have, &index);
	return is_ours ? netlink_link_del(f->netlink, index, err) : 0;
}

/* ---- peers ---- */

static bool is_next_door(const struct fabric_family *f, const struct ip *host)
{
	for (size_t i = 0; i < f->around_count; i++)
		if (ip_net_contains(&f->around[i], host))
			return true;
	return false;
}

static struct netlink_route route(const struct fabric_family *f, const struct peer_end *p)
{
	if (is_next_door(f, &p->host))
		return (struct netlink_route){.to = p->pods, .via = p->host, .link = f->beneath};
	return (struct netlink_route){.to = p->pods, .via = p->pods.first, .link = f->link, .is_onlink = true};
}

static int set(struct fabric_family *f, const struct peer_end *p, struct err *err)
{
	int rc = netlink_neighbour_set(f->netlink, f->link, &p->pods.first, p->mac, err);
	return rc == 0 ? netlink_fdb_set(f->netlink, f->link, p->mac, &p->host, err) : rc;
}

static int drop(struct fabric_family *f, const struct peer_end *p, struct err *err)
{
	int neighbour = netlink_neighbour_del(f->netlink, f->link, &p->pods.first, err),
	    entry = netlink_fdb_del(f->netlink, f->link, p->mac, &p->host, err);
	return neighbour ? neighbour : entry;
}

/* ---- what belongs to nobody ---- */

static bool is_wanted(const struct fabric_family *f, const unsigned char mac[6], const struct ip *host)
{
	MAP_FOREACH (slot, &f->peers) {
		const struct peer_end *p = family_peer_end(slot);
		if (memcmp(p->mac, mac, sizeof p->mac) == 0 && ip_equal(&p->host, host))
			return true;
	}
	return false;
}

struct stale {
	const struct fabric_family *family;
	struct ip *neighbours;
	struct peer_end *ends;
	size_t n, n_ends;
};

static void find_stale_neighbour(void *arg, const struct ip *address)
{
	struct stale *s = arg;
	if (s->n < STALE_MAX && !family_peer_of(s->family, address))
		s->neighbours[s->n++] = *address;
}

static void find_stale_end(void *arg, const unsigned char mac[6], const struct ip *host)
{
	struct stale *s = arg;
	if (s->n_ends == STALE_MAX || host->family != s->family->family || is_wanted(s->family, mac, host))
		return;
	s->ends[s->n_ends].host = *host;
	memcpy(s->ends[s->n_ends++].mac, mac, 6);
}

static int remove_strangers(struct fabric_family *f, struct err *err)
{
	struct stale s = {.family = f,
	        .neighbours = xcalloc(STALE_MAX, sizeof *s.neighbours),
	        .ends = xcalloc(STALE_MAX, sizeof *s.ends)};
	int rc = netlink_neighbours(f->netlink, f->link, f->family, find_stale_neighbour, &s, err);
	if (rc == 0)
		rc = netlink_fdbs(f->netlink, f->link, find_stale_end, &s, err);
	for (size_t i = 0; i < s.n && rc == 0; i++)
		rc = netlink_neighbour_del(f->netlink, f->link, &s.neighbours[i], err);
	for (size_t i = 0; i < s.n_ends && rc == 0; i++)
		rc = netlink_fdb_del(f->netlink, f->link, s.ends[i].mac, &s.ends[i].host, err);
	free(s.neighbours);
	free(s.ends);
	return rc;
}

static int repair(struct fabric_family *f, bool removes_strangers, struct err *err)
{
	MAP_FOREACH (slot, &f->peers)
		if (set(f, family_peer_end(slot), err) != 0)
			return err->code;
	return removes_strangers ? remove_strangers(f, err) : 0;
}

/* ---- what others must know ---- */

static void write_end(const struct fabric_family *f, struct strbuf *out)
{
	const unsigned char *m = f->self.mac;
	strbuf_addf(out, "{\"VNI\":%u,\"VtepMAC\":\"%02x:%02x:%02x:%02x:%02x:%02x\"}", (unsigned)f->conf.vni, m[0],
	        m[1], m[2], m[3], m[4], m[5]);
}

const struct fabric_way fabric_vxlan = {link_of, has_end, route, set, drop, repair, remove_link, write_end, "vxlan"};
