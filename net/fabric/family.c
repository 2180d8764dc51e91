/* See family_int.h.
 *
 * Each other node is a peer with up to three entries in the kernel: a route to its pods, and what its way takes beside
 * that (way_int.h). What is programmed is remembered by node; a change takes the old entries away and sets the new
 * ones. When all nodes are known, what the kernel has of ours beside that goes, and so do the links of other ways.
 *
 * A node is not believed everything: its pods' network has to lie in the cluster's and to be nobody else's, its
 * hardware address or key too. Who came first keeps it, and no two peers ever share an entry in the kernel. */
#include "net/fabric/family_int.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem/arena.h"
#include "net/fabric/way_int.h"

#include <stdlib.h>

enum { STALE_MAX = 4096 };

/* ---- other nodes ---- */

static bool is_reachable(const struct fabric_family *f, const struct peer_end *p)
{
	return p->has_pods && p->has_host && fabric_way_of(f->backend)->has_end(p);
}

static int claims_what_is_not_its(
        const struct fabric_family *f, struct slice name, const struct peer_end *p, struct err *err)
{
	static const char end[] = "the hardware address or key of its end of the network";
	char text[IP_NET_TEXT_MAX];
	if (p->pods.bits < f->cluster.bits || !ip_net_contains(&f->cluster, &p->pods.first))
		return err_set(
		        err, ERR_INVAL, "its spec.podCIDR is not in the cluster's %s", ip_net_write(&f->cluster, text));
	if (ip_net_overlaps(&p->pods, &f->self.pods))
		return err_set(err, ERR_EXISTS, "its spec.podCIDR is this node's");
	if (peer_end_is_same(p, &f->self))
		return err_set(err, ERR_EXISTS, "%s is this node's", end);
	MAP_FOREACH (slot, &f->peers) {
		const struct fabric_programmed *x = slot->value;
		if (slice_is(name, x->name))
			continue;
		if (ip_net_overlaps(&p->pods, &x->peer.pods))
			return err_set(err, ERR_EXISTS, "its spec.podCIDR is that of node %s", x->name);
		if (peer_end_is_same(p, &x->peer))
			return err_set(err, ERR_EXISTS, "%s is that of node %s", end, x->name);
	}
	return 0;
}

static int set_route(struct fabric_family *f, const struct peer_end *p, struct err *err)
{
	struct netlink_route r = fabric_way_of(f->backend)->route(f, p);
	return netlink_route_set(f->netlink, &r, err);
}

static int set_entries(struct fabric_family *f, const struct peer_end *p, struct err *err)
{
	const struct fabric_way *way = fabric_way_of(f->backend);
	if (way->set && way->set(f, p, err) != 0)
		return err->code;
	return set_route(f, p, err);
}

static void drop_entries(struct fabric_family *f, const struct peer_end *p)
{
	const struct fabric_way *way = fabric_way_of(f->backend);
	struct err err = ERR_INIT;
	struct netlink_route r = way->route(f, p);
	bool failed = netlink_route_del(f->netlink, &r, &err) != 0;
	if (way->drop)
		failed |= way->drop(f, p, &err) != 0;
	if (failed) {
		f->is_clean = false; /* the next round looks for it */
		log_warn("fabric", "an entry of a node that is gone stays", "error=\"%s\"", err.msg);
	}
}

void family_forget(struct fabric_family *f, struct slice name)
{
	struct fabric_programmed *old = map_del(&f->peers, name);
	if (!old)
		return;
	drop_entries(f, &old->peer);
	log_info("fabric", "no way to a node any more", "node=%s family=%s", old->name, ip_family_name(f->family));
	free(old);
}

void family_peer(struct fabric_family *f, struct slice name, const struct peer_end *p)
{
	struct fabric_programmed *old = map_get(&f->peers, name);
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
	struct fabric_programmed *x = xcalloc(1, sizeof *x + name.len + 1);
	x->peer = *p;
	memcpy(x->name, name.ptr, name.len);
	map_put(&f->peers, (struct slice){x->name, name.len}, x);
	log_info("fabric", "a way to a node", "node=%s family=%s", x->name, ip_family_name(f->family));
}

/* ---- the own node ---- */

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
	int beneath = fabric_link_beneath(f->iface, &f->host), link = 0;
	if (!beneath)
		return err_set(err, ERR_NOT_FOUND, "no link has the node's address %s%s%s", ip_write(&f->host, text),
		        f->iface ? ", or is " : "", f->iface ? f->iface : "");
	f->beneath = beneath;
	f->around_count =
	        f->conf.is_direct ? netlink_link_networks(beneath, f->family, f->around, FABRIC_NETWORKS_MAX) : 0;
	if (fabric_way_of(f->backend)->link(f, beneath, &link, err) != 0)
		return err->code;
	use_link(f, link);
	return 0;
}

void family_self(struct fabric_family *f, const struct peer_end *p)
{
	struct err err = ERR_INIT;
	if (!p->has_pods)
		return;
	bool has_moved = !f->self.has_pods || !ip_net_equal(&f->self.pods, &p->pods);
	f->self.pods = p->pods;
	f->self.has_pods = true;
	if ((!f->link || has_moved) && find_link(f, &err) != 0)
		f->failed(f->arg, &err);
}

bool family_is_said(const struct fabric_family *f, const struct peer *own)
{
	const struct peer_end *p = &own->ends[f->family];
	bool has_end = f->self.has_mac || f->self.has_key;
	return own->backend == f->backend && p->has_host && ip_equal(&p->host, &f->public) &&
	       (!has_end || peer_end_is_same(p, &f->self));
}

static int repair_entries(struct fabric_family *f, struct err *err)
{
	const struct fabric_way *way = fabric_way_of(f->backend);
	if (way->repair && way->repair(f, false, err) != 0)
		return err->code;
	MAP_FOREACH (slot, &f->peers) {
		const struct fabric_programmed *x = slot->value;
		if (set_route(f, &x->peer, err) != 0)
			return err_wrap(err, "node %s", x->name);
	}
	return 0;
}

/* What somebody else may have taken away. */
void family_repair(struct fabric_family *f)
{
	struct err err = ERR_INIT;
	if (!f->self.has_pods)
		return;
	if (find_link(f, &err) != 0 || (f->link && repair_entries(f, &err) != 0))
		f->failed(f->arg, &err);
}

/* ---- what an earlier run has left ---- */

static bool is_wanted(const struct fabric_family *f, const struct netlink_route *r)
{
	if (r->is_unreachable)
		return f->backend == FABRIC_WIREGUARD && ip_net_equal(&r->to, &f->cluster);
	const struct peer_end *p = family_peer_of(f, &r->to.first);
	struct netlink_route want = p ? fabric_way_of(f->backend)->route(f, p) : (struct netlink_route){0};
	return p && r->link == want.link && ip_net_equal(&r->to, &want.to) && r->is_direct == want.is_direct &&
	       (r->is_direct || ip_equal(&r->via, &want.via));
}

struct stale {
	const struct fabric_family *family;
	struct netlink_route *routes;
	size_t n;
};

static void find_stale(void *arg, const struct netlink_route *r)
{
	struct stale *s = arg;
	if (s->n < STALE_MAX && !is_wanted(s->family, r))
		s->routes[s->n++] = *r;
}

static int clean_routes(struct fabric_family *f, struct err *err)
{
	struct stale s = {.family = f, .routes = xcalloc(STALE_MAX, sizeof *s.routes)};
	int rc = netlink_routes(f->netlink, f->family, find_stale, &s, err);
	for (size_t i = 0; i < s.n && rc == 0; i++)
		rc = netlink_route_del(f->netlink, &s.routes[i], err);
	free(s.routes);
	return rc;
}

/* Of the ways that it is not done. */
static int remove_links(struct fabric_family *f, struct err *err)
{
	for (int b = FABRIC_NONE + 1; b < FABRIC_BACKENDS_END; b++) {
		const struct fabric_way *way = fabric_way_of((enum fabric_backend)b);
		if (b != (int)f->backend && way->remove_link && way->remove_link(f, err) != 0)
			return err->code;
	}
	return 0;
}

void family_clean(struct fabric_family *f)
{
	const struct fabric_way *way = fabric_way_of(f->backend);
	struct err err = ERR_INIT;
	if (!f->link || f->is_clean)
		return;
	f->is_clean = clean_routes(f, &err) == 0 && (!way->repair || way->repair(f, true, &err) == 0) &&
	              remove_links(f, &err) == 0;
	if (!f->is_clean)
		f->failed(f->arg, &err);
}

void family_release(struct fabric_family *f)
{
	forget_all(f);
}
