/* WireGuard, as flannel's backend of that name does it: see way_int.h. Each node has one device a family (wireguard/),
 * whose address is the first of its pods' network. All others know its public key from its annotations; it is their
 * peer, where the node is, and its pods' network is what may come from there and what is sent there. Both families'
 * devices have the same key, and a port each.
 *
 * Nothing of the pods' network leaves a node in the clear: where no peer is known, or no device is there (wireguard-go
 * has ended, say), a route says that the cluster's network is unreachable, lest a default route takes what is meant for
 * it. */
#include "net/fabric/way_int.h"

#include "base/mem/arena.h"
#include "net/fabric/wireguard/tunnel.h"

static bool has_end(const struct peer_end *p)
{
	return p->has_key;
}

/* ---- the link ---- */

static int link_of(struct fabric_family *f, int beneath, int *ret_link, struct err *err)
{
	struct netlink_route none = {.to = f->cluster, .is_unreachable = true};
	int index = 0;
	f->self.key = f->public_key;
	f->self.has_key = true;
	if (netlink_route_set(f->netlink, &none, err) != 0 ||
	        wireguard_tunnel_link(
	                f->tunnel, fabric_mtu_on(FABRIC_WIREGUARD, f->conf.mtu, f->family, beneath), &index, err) != 0)
		return err->code;
	if (index && netlink_address_set(f->netlink, index, &f->self.pods.first, err) != 0)
		return err->code;
	*ret_link = index;
	return 0;
}

static int remove_link(struct fabric_family *f, struct err *err)
{
	int index;
	return wireguard_is_link(f->netlink, f->links.wireguard, &index) ? netlink_link_del(f->netlink, index, err) : 0;
}

/* ---- peers ---- */

static struct netlink_route route(const struct fabric_family *f, const struct peer_end *p)
{
	return (struct netlink_route){.to = p->pods, .link = f->link, .is_direct = true};
}

static int set(struct fabric_family *f, const struct peer_end *p, struct err *err)
{
	return wireguard_tunnel_add(f->tunnel, &p->key, &p->host, &p->pods, err);
}

static int drop(struct fabric_family *f, const struct peer_end *p, struct err *err)
{
	return wireguard_tunnel_remove(f->tunnel, &p->key, err);
}

static int repair(struct fabric_family *f, bool removes_strangers, struct err *err)
{
	return wireguard_tunnel_repair(f->tunnel, removes_strangers, err);
}

/* ---- what others must know ---- */

static void write_end(const struct fabric_family *f, struct strbuf *out)
{
	struct arena a = ARENA_INIT;
	strbuf_addf(out, "{\"PublicKey\":\"%s\"}", wireguard_key_text(&a, &f->public_key).ptr);
	arena_release(&a);
}

const struct fabric_way fabric_wireguard = {
        link_of, has_end, route, set, drop, repair, remove_link, write_end, "wireguard"};
