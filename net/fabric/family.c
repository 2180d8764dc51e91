/* See family_int.h.
 *
 * Each other node is a peer with up to three entries in the kernel: a route to its pods, and with the overlay where its
 * end is (a neighbour and a forwarding entry). What is programmed is remembered by node; a change takes the old entries
 * away and sets the new ones. When all nodes are known, what the kernel has of ours beside that goes.
 *
 * A node is not believed everything: its pods' network has to lie in the cluster's and to be nobody else's, its
 * hardware address too. Who came first keeps it, and no two peers ever share an entry in the kernel. */
#include "net/fabric/family_int.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem/arena.h"
#include "base/pki/pki.h"

#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

/* A node as it is in the kernel. */
struct programmed {
	struct peer_end peer;
	char name[]; /* its key */
};

/* ---- other nodes ---- */

static struct netlink_route route_to(const struct fabric_family *f, const struct peer_end *p)
{
	/* Through the overlay the way leads to the other end of it: the first address of the peer's network. */
	bool is_overlay = f->backend == FABRIC_VXLAN;
	return (struct netlink_route){
	        .to = p->pods, .via = is_overlay ? p->pods.first : p->host, .link = f->link, .is_onlink = is_overlay};
}

static bool is_reachable(const struct fabric_family *f, const struct peer_end *p)
{
	return p->has_pods && p->has_host && (f->backend != FABRIC_VXLAN || p->has_mac);
}

static int claims_what_is_not_its(
        const struct fabric_family *f, struct slice name, const struct peer_end *p, struct err *err)
{
	char text[IP_NET_TEXT_MAX];
	if (p->pods.bits < f->cluster.bits || !ip_net_contains(&f->cluster, &p->pods.first))
		return err_set(
		        err, ERR_INVAL, "its spec.podCIDR is not in the cluster's %s", ip_net_write(&f->cluster, text));
	if (ip_net_overlaps(&p->pods, &f->self.pods))
		return err_set(err, ERR_EXISTS, "its spec.podCIDR is this node's");
	if (p->has_mac && memcmp(p->mac, f->mac, sizeof f->mac) == 0 && f->backend == FABRIC_VXLAN)
		return err_set(err, ERR_EXISTS, "the hardware address of its VXLAN link is this node's");
	MAP_FOREACH (slot, &f->peers) {
		const struct programmed *x = slot->value;
		if (slice_is(name, x->name))
			continue;
		if (ip_net_overlaps(&p->pods, &x->peer.pods))
			return err_set(err, ERR_EXISTS, "its spec.podCIDR is that of node %s", x->name);
		if (f->backend == FABRIC_VXLAN && memcmp(p->mac, x->peer.mac, sizeof p->mac) == 0)
			return err_set(
			        err, ERR_EXISTS, "the hardware address of its VXLAN link is that of node %s", x->name);
	}
	return 0;
}

static int set_entries(struct fabric_family *f, const struct peer_end *p, struct err *err)
{
	struct netlink_route r = route_to(f, p);
	int rc = 0;
	if (f->backend == FABRIC_VXLAN)
		rc = netlink_neighbour_set(f->netlink, f->link, &p->pods.first, p->mac, err);
	if (rc == 0 && f->backend == FABRIC_VXLAN)
		rc = netlink_fdb_set(f->netlink, f->link, p->mac, &p->host, err);
	return rc == 0 ? netlink_route_set(f->netlink, &r, err) : rc;
}

static void drop_entries(struct fabric_family *f, const struct peer_end *p)
{
	struct err err = ERR_INIT;
	struct netlink_route r = route_to(f, p);
	bool failed = netlink_route_del(f->netlink, &r, &err) != 0;
	if (f->backend == FABRIC_VXLAN) {
		failed |= netlink_neighbour_del(f->netlink, f->link, &p->pods.first, &err) != 0;
		failed |= netlink_fdb_del(f->netlink, f->link, p->mac, &p->host, &err) != 0;
	}
	if (failed) {
		f->is_clean = false; /* the next round looks for it */
		log_warn("fabric", "an entry of a node that is gone stays", "error=\"%s\"", err.msg);
	}
}

void family_forget(struct fabric_family *f, struct slice name)
{
	struct programmed *old = map_del(&f->peers, name);
	if (!old)
		return;
	drop_entries(f, &old->peer);
	log_info("fabric", "no way to a node any more", "node=%s family=%s", old->name, ip_family_name(f->family));
	free(old);
}

void family_peer(struct fabric_family *f, struct slice name, const struct peer_end *p)
{
	struct programmed *old = map_get(&f->peers, name);
	struct err err = ERR_INIT;
	if (!f->link || (old && peer_end_equal(&old->peer, p)))
		return;
	if (old)
		family_forget(f, name);
	if (!is_reachable(f, p))
		return;
	bool is_taken = claims_what_is_not_its(f, name, p, &err) != 0;
	if (is_taken || set_entries(f, p, &err) != 0) {
		if (!is_taken)
			drop_entries(f, p);
		err_wrap(&err, "node %.*s", SLICE_FMT(name));
		f->failed(f->arg, &err);
		return;
	}
	struct programmed *x = xcalloc(1, sizeof *x + name.len + 1);
	x->peer = *p;
	memcpy(x->name, name.ptr, name.len);
	map_put(&f->peers, (struct slice){x->name, name.len}, x);
	log_info("fabric", "a way to a node", "node=%s family=%s", x->name, ip_family_name(f->family));
}

/* ---- the own node ---- */

static unsigned overlay_mtu(const struct fabric_family *f, int beneath)
{
	unsigned mtu = netlink_link_mtu(beneath), head = fabric_overlay_head(f->family);
	return mtu > head + 576 ? mtu - head : 0;
}

/* A link that is there and is what it should be stays, with its hardware address: others know it. */
static int make_overlay(struct fabric_family *f, int beneath, struct err *err)
{
	struct netlink_vxlan have, want = {.name = f->overlay,
	                                   .vni = FABRIC_VNI,
	                                   .port = FABRIC_PORT,
	                                   .link = beneath,
	                                   .local = f->host,
	                                   .mtu = overlay_mtu(f, beneath)};
	int index;
	bool is_vxlan = netlink_vxlan_get(f->netlink, want.name, &have, &index);
	bool is_right = is_vxlan && have.vni == want.vni && have.port == want.port && have.link == want.link &&
	                ip_equal(&have.local, &want.local) && have.mtu == want.mtu &&
	                !netlink_has_other_address(want.name, &f->self.pods.first);
	if (index && !is_vxlan)
		return err_set(err, ERR_EXISTS, "the link %s is not ours: rename it", want.name);
	if (is_right) {
		memcpy(f->mac, have.mac, sizeof f->mac);
		return 0;
	}
	if (is_vxlan && netlink_link_del(f->netlink, index, err) != 0)
		return err->code;
	pki_random(f->mac, sizeof f->mac);
	f->mac[0] = (unsigned char)((f->mac[0] & 0xfe) | 2); /* of one host, given by software */
	memcpy(want.mac, f->mac, sizeof want.mac);
	if (netlink_vxlan_add(f->netlink, &want, err) != 0)
		return err_wrap(err, "%s (VNI %d, UDP port %d)", want.name, FABRIC_VNI, FABRIC_PORT);
	return 0;
}

/* What is in the kernel went with its link. */
static void forget_all(struct fabric_family *f)
{
	MAP_FOREACH (slot, &f->peers)
		free(slot->value);
	map_release(&f->peers);
	f->is_clean = false;
}

static void use_link(struct fabric_family *f, int link)
{
	if (f->link && f->link != link)
		forget_all(f);
	f->link = link;
}

static int find_link(struct fabric_family *f, struct err *err)
{
	char text[IP_TEXT_MAX];
	int beneath = fabric_link_beneath(f->iface, &f->host);
	if (!beneath)
		return err_set(err, ERR_NOT_FOUND, "no link has the node's address %s%s%s", ip_write(&f->host, text),
		        f->iface ? ", or is " : "", f->iface ? f->iface : "");
	if (f->backend != FABRIC_VXLAN) {
		use_link(f, beneath);
		return 0;
	}
	if (make_overlay(f, beneath, err) != 0)
		return err->code;
	int index = (int)if_nametoindex(f->overlay);
	if (netlink_address_set(f->netlink, index, &f->self.pods.first, err) != 0 ||
	        netlink_link_up(f->netlink, index, err) != 0)
		return err->code;
	use_link(f, index);
	return 0;
}

void family_self(struct fabric_family *f, const struct peer_end *p)
{
	struct err err = ERR_INIT;
	if (!p->has_pods)
		return;
	bool has_moved = !f->self.has_pods || !ip_net_equal(&f->self.pods, &p->pods);
	f->self = *p;
	if ((!f->link || has_moved) && find_link(f, &err) != 0)
		f->failed(f->arg, &err);
}

bool family_is_said(const struct fabric_family *f, const struct peer *own)
{
	const struct peer_end *p = &own->ends[f->family];
	return p->has_host && ip_equal(&p->host, &f->host) &&
	       (f->backend == FABRIC_VXLAN ? p->has_mac && memcmp(p->mac, f->mac, sizeof f->mac) == 0
	                                   : own->is_host_gw);
}

/* What somebody else may have taken away. */
void family_repair(struct fabric_family *f)
{
	struct err err = ERR_INIT;
	if (!f->self.has_pods)
		return;
	if (find_link(f, &err) != 0) {
		f->failed(f->arg, &err);
		return;
	}
	MAP_FOREACH (slot, &f->peers) {
		const struct programmed *x = slot->value;
		if (set_entries(f, &x->peer, &err) != 0) {
			err_wrap(&err, "node %s", x->name);
			f->failed(f->arg, &err);
			return;
		}
	}
}

/* ---- what an earlier run has left ---- */

static const struct peer_end *peer_of(const struct fabric_family *f, const struct ip *pods)
{
	MAP_FOREACH (slot, &f->peers) {
		const struct programmed *x = slot->value;
		if (ip_equal(&x->peer.pods.first, pods))
			return &x->peer;
	}
	return NULL;
}

static bool is_wanted(const struct fabric_family *f, const struct netlink_route *r)
{
	const struct peer_end *p = peer_of(f, &r->to.first);
	struct netlink_route want = p ? route_to(f, p) : (struct netlink_route){0};
	return p && r->link == want.link && ip_net_equal(&r->to, &want.to) && ip_equal(&r->via, &want.via);
}

static bool is_wanted_end(const struct fabric_family *f, const unsigned char mac[6], const struct ip *host)
{
	MAP_FOREACH (slot, &f->peers) {
		const struct programmed *x = slot->value;
		if (memcmp(x->peer.mac, mac, 6) == 0 && ip_equal(&x->peer.host, host))
			return true;
	}
	return false;
}

enum { STALE_MAX = 4096 };

struct stale {
	const struct fabric_family *fabric;
	struct netlink_route *routes;
	struct peer_end *ends;
	size_t n, n_ends;
};

static void find_stale(void *arg, const struct netlink_route *r)
{
	struct stale *s = arg;
	if (s->n < STALE_MAX && !is_wanted(s->fabric, r))
		s->routes[s->n++] = *r;
}

static void find_stale_neighbour(void *arg, const struct ip *address)
{
	struct stale *s = arg;
	if (s->n < STALE_MAX && !peer_of(s->fabric, address))
		s->routes[s->n++] = (struct netlink_route){.to.first = *address};
}

static void find_stale_end(void *arg, const unsigned char mac[6], const struct ip *host)
{
	struct stale *s = arg;
	if (s->n_ends == STALE_MAX || host->family != s->fabric->family || is_wanted_end(s->fabric, mac, host))
		return;
	s->ends[s->n_ends].host = *host;
	memcpy(s->ends[s->n_ends++].mac, mac, 6);
}

/* The overlay's, of this node. */
static int clean_up_overlay(struct fabric_family *f, struct stale *s, struct err *err)
{
	int rc = 0;
	s->n = 0;
	if (netlink_neighbours(f->netlink, f->link, f->family, find_stale_neighbour, s, err) != 0 ||
	        netlink_fdbs(f->netlink, f->link, find_stale_end, s, err) != 0)
		return err->code;
	for (size_t i = 0; i < s->n && rc == 0; i++)
		rc = netlink_neighbour_del(f->netlink, f->link, &s->routes[i].to.first, err);
	for (size_t i = 0; i < s->n_ends && rc == 0; i++)
		rc = netlink_fdb_del(f->netlink, f->link, s->ends[i].mac, &s->ends[i].host, err);
	return rc;
}

/* The overlay itself, where routes are plain now. */
static int drop_overlay(struct fabric_family *f, struct err *err)
{
	struct netlink_vxlan have;
	int index;
	bool is_ours = netlink_vxlan_get(f->netlink, f->overlay, &have, &index) && have.vni == FABRIC_VNI &&
	               have.port == FABRIC_PORT;
	return is_ours ? netlink_link_del(f->netlink, index, err) : 0;
}

void family_clean(struct fabric_family *f)
{
	if (!f->link || f->is_clean)
		return;
	struct stale s = {.fabric = f,
	        .routes = xcalloc(STALE_MAX, sizeof *s.routes),
	        .ends = xcalloc(STALE_MAX, sizeof *s.ends)};
	struct err err = ERR_INIT;
	int rc = netlink_routes(f->netlink, f->family, find_stale, &s, &err);
	for (size_t i = 0; i < s.n && rc == 0; i++)
		rc = netlink_route_del(f->netlink, &s.routes[i], &err);
	if (rc == 0)
		rc = f->backend == FABRIC_VXLAN ? clean_up_overlay(f, &s, &err) : drop_overlay(f, &err);
	free(s.routes);
	free(s.ends);
	f->is_clean = rc == 0;
	if (rc != 0)
		f->failed(f->arg, &err);
}

void family_release(struct fabric_family *f)
{
	MAP_FOREACH (slot, &f->peers)
		free(slot->value);
	map_release(&f->peers);
}
