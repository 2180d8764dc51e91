/* See fabric.h.
 *
 *     nodes (informer) --> peer_read() --> differs from what is programmed? --> netlink
 *
 * Each other node is a peer with up to three entries in the kernel: a route to its pods, and with the overlay where its
 * end is (a neighbour and a forwarding entry). What is programmed is remembered by node; a change takes the old entries
 * away and sets the new ones. When the informer has shown all nodes, what the kernel has of ours beside that goes.
 *
 * A node is not believed everything: its pods' network has to lie in the cluster's and to be nobody else's, its
 * hardware address too. Who came first keeps it, and no two peers ever share an entry in the kernel.
 *
 * The own node says where it is by annotations, as soon as the link of the overlay is there, which needs the node's
 * pod network first: its first address is the link's own.
 *
 * What can go wrong: the link is not there yet, or somebody else has its name or its VNI; the kernel takes no route
 * (host-gw across a router); the API does not take the annotations. All of it is told once, and tried again every few
 * seconds for as long as it lasts. And somebody else may take away what was there (a link that went down and up, a
 * network manager that does not know our routes): every so often all of it is set once more. */
#include "net/fabric/fabric.h"

#include "api/client/informer.h"
#include "api/client/meta.h"
#include "base/check.h"
#include "base/log.h"
#include "base/pki/pki.h"
#include "base/rt/closing.h"
#include "net/fabric/netlink.h"
#include "net/fabric/peer.h"
#include "net/nft_table.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdlib.h>

enum { VNI = 1, PORT = 8472, OVERLAY_HEAD_BYTES = 50, RETRY_MS = 5000, REPAIR_MS = 15000 };

/* A node as it is in the kernel. */
struct programmed {
	struct peer peer;
	char name[]; /* its key */
};

struct fabric {
	struct fabric_options o;
	struct arena arena; /* of the options */
	struct loop *loop;
	struct netlink *netlink;
	struct informer *nodes;
	struct nft_table *masquerade;
	struct map peers; /* programmed, by name */
	int link;         /* routes go through it; 0: not there yet */
	struct peer self;
	struct in_addr cluster; /* the pods' network of all */
	int cluster_prefix;     /* 0: none that we can read */
	unsigned char mac[6];
	bool is_synced, is_annotating, is_annotated, has_failed, is_clean;
	char said[ERR_MSG_MAX]; /* what the log knows */
	uv_timer_t retry;
	struct client_request annotate;
	struct arena annotate_arena;
	bool closing;
	struct closing parts;
	void (*closed)(void *arg);
	void *closed_arg;
};

bool fabric_backend_parse(const char *text, enum fabric_backend *ret)
{
	static const char *const names[] = {"none", "vxlan", "host-gw"};
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (strcmp(text, names[i]) == 0) {
			*ret = (enum fabric_backend)i;
			return true;
		}
	return false;
}

static int link_beneath(const char *iface, const char *node_ip)
{
	struct in_addr ip;
	if (iface)
		return (int)if_nametoindex(iface);
	return inet_pton(AF_INET, node_ip, &ip) == 1 ? netlink_link_of(ip) : 0;
}

unsigned fabric_pod_mtu(enum fabric_backend backend, const char *iface, const char *node_ip)
{
	int link = link_beneath(iface, node_ip);
	unsigned mtu = link ? netlink_link_mtu(link) : 0;
	if (backend == FABRIC_VXLAN)
		return mtu > OVERLAY_HEAD_BYTES + 576 ? mtu - OVERLAY_HEAD_BYTES : 0;
	return mtu;
}

/* ---- what went wrong ---- */

static void try_again(uv_timer_t *t);

/* The first of a round is said, when it is something else than the last time. */
static void note_failure(struct fabric *f, const struct err *err)
{
	if (!f->has_failed && strcmp(f->said, err->msg) != 0) {
		log_warn("fabric", "the pod network is not complete, it is tried again", "error=\"%s\"", err->msg);
		snprintf(f->said, sizeof f->said, "%s", err->msg);
	}
	f->has_failed = true;
	if (!f->closing)
		uv_timer_start(&f->retry, try_again, RETRY_MS, REPAIR_MS);
}

/* ---- other nodes ---- */

static struct netlink_route route_to(const struct fabric *f, const struct peer *p)
{
	/* Through the overlay the way leads to the other end of it: the first address of the peer's network. */
	bool is_overlay = f->o.backend == FABRIC_VXLAN;
	return (struct netlink_route){.to = p->pods,
	        .prefix = p->prefix,
	        .via = is_overlay ? p->pods : p->host,
	        .link = f->link,
	        .is_onlink = is_overlay};
}

static bool is_reachable(const struct fabric *f, const struct peer *p)
{
	return p->has_pods && p->has_host && (f->o.backend != FABRIC_VXLAN || p->has_mac);
}

static int claims_what_is_not_its(const struct fabric *f, struct slice name, const struct peer *p, struct err *err)
{
	if (!f->cluster_prefix || p->prefix < f->cluster_prefix ||
	        !peer_networks_overlap(p->pods, p->prefix, f->cluster, f->cluster_prefix))
		return err_set(err, ERR_INVAL, "its spec.podCIDR is not in the cluster's %s", f->o.cluster_cidr);
	if (peer_networks_overlap(p->pods, p->prefix, f->self.pods, f->self.prefix))
		return err_set(err, ERR_EXISTS, "its spec.podCIDR is this node's");
	if (p->has_mac && memcmp(p->mac, f->mac, sizeof f->mac) == 0 && f->o.backend == FABRIC_VXLAN)
		return err_set(err, ERR_EXISTS, "the hardware address of its VXLAN link is this node's");
	MAP_FOREACH (slot, &f->peers) {
		const struct programmed *x = slot->value;
		if (slice_is(name, x->name))
			continue;
		if (peer_networks_overlap(p->pods, p->prefix, x->peer.pods, x->peer.prefix))
			return err_set(err, ERR_EXISTS, "its spec.podCIDR is that of node %s", x->name);
		if (f->o.backend == FABRIC_VXLAN && memcmp(p->mac, x->peer.mac, sizeof p->mac) == 0)
			return err_set(
			        err, ERR_EXISTS, "the hardware address of its VXLAN link is that of node %s", x->name);
	}
	return 0;
}

static int set_entries(struct fabric *f, const struct peer *p, struct err *err)
{
	struct netlink_route r = route_to(f, p);
	int rc = 0;
	if (f->o.backend == FABRIC_VXLAN)
		rc = netlink_arp_set(f->netlink, f->link, p->pods, p->mac, err);
	if (rc == 0 && f->o.backend == FABRIC_VXLAN)
		rc = netlink_fdb_set(f->netlink, f->link, p->mac, p->host, err);
	return rc == 0 ? netlink_route_set(f->netlink, &r, err) : rc;
}

static void drop_entries(struct fabric *f, const struct peer *p)
{
	struct err err = ERR_INIT;
	struct netlink_route r = route_to(f, p);
	bool failed = netlink_route_del(f->netlink, &r, &err) != 0;
	if (f->o.backend == FABRIC_VXLAN) {
		failed |= netlink_arp_del(f->netlink, f->link, p->pods, &err) != 0;
		failed |= netlink_fdb_del(f->netlink, f->link, p->mac, p->host, &err) != 0;
	}
	if (failed) {
		f->is_clean = false; /* the next round looks for it */
		log_warn("fabric", "an entry of a node that is gone stays", "error=\"%s\"", err.msg);
	}
}

static void forget_peer(struct fabric *f, struct slice name)
{
	struct programmed *old = map_del(&f->peers, name);
	if (!old)
		return;
	drop_entries(f, &old->peer);
	log_info("fabric", "no way to a node any more", "node=%s", old->name);
	free(old);
}

static void update_peer(struct fabric *f, struct slice name, const struct peer *p)
{
	struct programmed *old = map_get(&f->peers, name);
	struct err err = ERR_INIT;
	if (!f->link || (old && peer_equal(&old->peer, p)))
		return;
	if (old)
		forget_peer(f, name);
	if (!is_reachable(f, p))
		return;
	bool is_taken = claims_what_is_not_its(f, name, p, &err) != 0;
	if (is_taken || set_entries(f, p, &err) != 0) {
		if (!is_taken)
			drop_entries(f, p);
		err_wrap(&err, "node %.*s", SLICE_FMT(name));
		note_failure(f, &err);
		return;
	}
	struct programmed *x = xcalloc(1, sizeof *x + name.len + 1);
	x->peer = *p;
	memcpy(x->name, name.ptr, name.len);
	map_put(&f->peers, (struct slice){x->name, name.len}, x);
	log_info("fabric", "a way to a node", "node=%s", x->name);
}

/* ---- the own node ---- */

static void annotated(struct client_request *req)
{
	struct fabric *f = CONTAINER_OF(req, struct fabric, annotate);
	struct err err = req->err;
	f->is_annotating = false;
	client_request_release(req);
	arena_release(&f->annotate_arena);
	if (err.code && !f->closing)
		note_failure(f, &err);
	else
		f->is_annotated = !err.code;
	if (f->closing)
		closing_part_done(&f->parts);
}

/* Where this end of the network is, for the others. */
static void annotate(struct fabric *f)
{
	struct arena *a = &f->annotate_arena;
	const unsigned char *m = f->mac;
	if (f->is_annotating || f->is_annotated || f->closing)
		return;
	bool is_overlay = f->o.backend == FABRIC_VXLAN;
	const char *data = is_overlay ? arena_printf(a,
	                                        "{\\\"VNI\\\":%d,\\\"VtepMAC\\\":"
	                                        "\\\"%02x:%02x:%02x:%02x:%02x:%02x\\\"}",
	                                        VNI, m[0], m[1], m[2], m[3], m[4], m[5])
	                              : "null";
	const char *body = arena_printf(a,
	        "{\"metadata\":{\"annotations\":{\"" FABRIC_ANNOTATION "backend-type\":\"%s\",\"" FABRIC_ANNOTATION
	        "backend-data\":\"%s\",\"" FABRIC_ANNOTATION "public-ip\":\"%s\",\"" FABRIC_ANNOTATION
	        "kube-subnet-manager\":\"true\"}}}",
	        is_overlay ? "vxlan" : "host-gw", data, f->o.node_ip);
	f->annotate = (struct client_request){.method = "PATCH",
	        .path = kube_path(a, "v1", "nodes", SLICE_NULL, slice_of(f->o.node_name), NULL),
	        .body = slice_of(body),
	        .content_type = "application/merge-patch+json",
	        .done = annotated};
	f->is_annotating = true;
	client_send(f->o.own, &f->annotate);
}

/* A link that is there and is what it should be stays, with its hardware address: others know it. */
static int make_overlay(struct fabric *f, int beneath, struct err *err)
{
	struct netlink_vxlan have, want = {.name = f->o.link, .vni = VNI, .port = PORT, .link = beneath};
	int index;
	inet_pton(AF_INET, f->o.node_ip, &want.local);
	want.mtu = fabric_pod_mtu(FABRIC_VXLAN, f->o.iface, f->o.node_ip);
	bool is_vxlan = netlink_vxlan_get(f->netlink, want.name, &have, &index);
	bool is_right = is_vxlan && have.vni == want.vni && have.port == want.port && have.link == want.link &&
	                have.local.s_addr == want.local.s_addr && have.mtu == want.mtu &&
	                !netlink_has_other_address(want.name, f->self.pods);
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
		return err_wrap(err, "%s (VNI %d, UDP port %d)", want.name, VNI, PORT);
	f->is_annotated = false;
	return 0;
}

/* What is in the kernel went with its link. */
static void forget_all(struct fabric *f)
{
	MAP_FOREACH (slot, &f->peers)
		free(slot->value);
	map_release(&f->peers);
	f->is_clean = false;
}

static void use_link(struct fabric *f, int link)
{
	if (f->link && f->link != link)
		forget_all(f);
	f->link = link;
}

static int find_link(struct fabric *f, struct err *err)
{
	int beneath = link_beneath(f->o.iface, f->o.node_ip);
	if (!beneath)
		return err_set(err, ERR_NOT_FOUND, "no link has the node's address %s%s%s", f->o.node_ip,
		        f->o.iface ? ", or is " : "", f->o.iface ? f->o.iface : "");
	if (f->o.backend != FABRIC_VXLAN) {
		use_link(f, beneath);
		return 0;
	}
	if (make_overlay(f, beneath, err) != 0)
		return err->code;
	int index = (int)if_nametoindex(f->o.link);
	if (netlink_address_set(f->netlink, index, f->self.pods, 32, err) != 0 ||
	        netlink_link_up(f->netlink, index, err) != 0)
		return err->code;
	use_link(f, index);
	return 0;
}

static void update_all(struct fabric *f)
{
	INFORMER_FOREACH(o, f->nodes)
	{
		struct peer p = peer_read(informer_text(o));
		if (!slice_is(o->key, f->o.node_name))
			update_peer(f, o->key, &p);
	}
}

static void update_self(struct fabric *f, const struct peer *p)
{
	struct err err = ERR_INIT;
	struct in_addr host;
	if (!p->has_pods)
		return;
	bool has_moved = f->self.pods.s_addr != p->pods.s_addr || f->self.prefix != p->prefix;
	f->self = *p;
	if ((!f->link || has_moved) && find_link(f, &err) != 0) {
		note_failure(f, &err);
		return;
	}
	bool is_said = inet_pton(AF_INET, f->o.node_ip, &host) == 1 && p->has_host && p->host.s_addr == host.s_addr &&
	               (f->o.backend == FABRIC_VXLAN ? p->has_mac && memcmp(p->mac, f->mac, sizeof f->mac) == 0
	                                             : p->is_host_gw);
	if (!is_said)
		f->is_annotated = false; /* somebody has changed it */
	annotate(f);
}

/* ---- what an earlier run has left ---- */

static const struct peer *peer_of(const struct fabric *f, struct in_addr pods)
{
	MAP_FOREACH (slot, &f->peers) {
		const struct programmed *x = slot->value;
		if (x->peer.pods.s_addr == pods.s_addr)
			return &x->peer;
	}
	return NULL;
}

static bool is_wanted(const struct fabric *f, const struct netlink_route *r)
{
	const struct peer *p = peer_of(f, r->to);
	struct netlink_route want = p ? route_to(f, p) : (struct netlink_route){0};
	return p && r->link == want.link && r->prefix == want.prefix && r->via.s_addr == want.via.s_addr;
}

static bool is_wanted_end(const struct fabric *f, const unsigned char mac[6], struct in_addr host)
{
	MAP_FOREACH (slot, &f->peers) {
		const struct programmed *x = slot->value;
		if (memcmp(x->peer.mac, mac, 6) == 0 && x->peer.host.s_addr == host.s_addr)
			return true;
	}
	return false;
}

enum { STALE_MAX = 4096 };

struct stale {
	const struct fabric *fabric;
	struct netlink_route *routes;
	struct peer *ends;
	size_t n, n_ends;
};

static void find_stale(void *arg, const struct netlink_route *r)
{
	struct stale *s = arg;
	if (s->n < STALE_MAX && !is_wanted(s->fabric, r))
		s->routes[s->n++] = *r;
}

static void find_stale_neighbour(void *arg, struct in_addr address)
{
	struct stale *s = arg;
	if (s->n < STALE_MAX && !peer_of(s->fabric, address))
		s->routes[s->n++] = (struct netlink_route){.to = address};
}

static void find_stale_end(void *arg, const unsigned char mac[6], struct in_addr host)
{
	struct stale *s = arg;
	if (s->n_ends == STALE_MAX || is_wanted_end(s->fabric, mac, host))
		return;
	s->ends[s->n_ends].host = host;
	memcpy(s->ends[s->n_ends++].mac, mac, 6);
}

/* The overlay's, of this node. */
static int clean_up_overlay(struct fabric *f, struct stale *s, struct err *err)
{
	int rc = 0;
	s->n = 0;
	if (netlink_arps(f->netlink, f->link, find_stale_neighbour, s, err) != 0 ||
	        netlink_fdbs(f->netlink, f->link, find_stale_end, s, err) != 0)
		return err->code;
	for (size_t i = 0; i < s->n && rc == 0; i++)
		rc = netlink_arp_del(f->netlink, f->link, s->routes[i].to, err);
	for (size_t i = 0; i < s->n_ends && rc == 0; i++)
		rc = netlink_fdb_del(f->netlink, f->link, s->ends[i].mac, s->ends[i].host, err);
	return rc;
}

/* The overlay itself, where routes are plain now. */
static int drop_overlay(struct fabric *f, struct err *err)
{
	struct netlink_vxlan have;
	int index;
	bool is_ours = netlink_vxlan_get(f->netlink, f->o.link, &have, &index) && have.vni == VNI && have.port == PORT;
	return is_ours ? netlink_link_del(f->netlink, index, err) : 0;
}

static void clean_up(struct fabric *f)
{
	if (!f->link || !f->is_synced || f->is_clean)
		return;
	struct stale s = {.fabric = f,
	        .routes = xcalloc(STALE_MAX, sizeof *s.routes),
	        .ends = xcalloc(STALE_MAX, sizeof *s.ends)};
	struct err err = ERR_INIT;
	int rc = netlink_routes(f->netlink, find_stale, &s, &err);
	for (size_t i = 0; i < s.n && rc == 0; i++)
		rc = netlink_route_del(f->netlink, &s.routes[i], &err);
	if (rc == 0)
		rc = f->o.backend == FABRIC_VXLAN ? clean_up_overlay(f, &s, &err) : drop_overlay(f, &err);
	free(s.routes);
	free(s.ends);
	f->is_clean = rc == 0;
	if (rc != 0)
		note_failure(f, &err);
}

/* ---- events ---- */

static void node_changed(void *arg, struct informer_object *o)
{
	struct fabric *f = arg;
	struct peer p = peer_read(informer_text(o));
	int before = f->link;
	if (!slice_is(o->key, f->o.node_name)) {
		update_peer(f, o->key, &p);
		return;
	}
	update_self(f, &p);
	if (f->link != before) {
		update_all(f);
		clean_up(f);
	}
}

static void node_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	node_changed(arg, o);
}

static void node_deleted(void *arg, struct informer_object *o)
{
	struct fabric *f = arg;
	if (slice_is(o->key, f->o.node_name))
		f->is_annotated = false; /* it comes back without */
	forget_peer(f, o->key);
	update_all(f); /* another may have waited for what it had */
}

static void nodes_synced(void *arg)
{
	struct fabric *f = arg;
	f->is_synced = true;
	clean_up(f);
}

/* What somebody else may have taken away. */
static void repair(struct fabric *f)
{
	struct err err = ERR_INIT;
	if (!f->self.has_pods)
		return;
	if (find_link(f, &err) != 0) {
		note_failure(f, &err);
		return;
	}
	MAP_FOREACH (slot, &f->peers) {
		const struct programmed *x = slot->value;
		if (set_entries(f, &x->peer, &err) != 0) {
			err_wrap(&err, "node %s", x->name);
			note_failure(f, &err);
			return;
		}
	}
	annotate(f);
}

static void try_again(uv_timer_t *t)
{
	struct fabric *f = t->data;
	f->has_failed = false;
	repair(f);
	update_all(f);
	clean_up(f);
	if (!f->has_failed && f->is_annotated && f->said[0]) {
		log_info("fabric", "the pod network is complete", "nodes=%zu", (size_t)f->peers.count);
		f->said[0] = 0;
	}
}

/* ---- masquerading ---- */

static void write_masquerade(void *arg, struct strbuf *out)
{
	const struct fabric *f = arg;
	strbuf_addf(out,
	        "add table ip k3x-masquerade\n"
	        "delete table ip k3x-masquerade\n"
	        "table ip k3x-masquerade {\n"
	        "\tchain postrouting {\n"
	        "\t\ttype nat hook postrouting priority srcnat; policy accept;\n"
	        "\t\tip saddr %s ip daddr != { %s, 224.0.0.0/4 } masquerade\n"
	        "\t}\n"
	        "}\n",
	        f->o.cluster_cidr, f->o.cluster_cidr);
}

/* ---- life ---- */

static void all_closed(struct closing *closing)
{
	struct fabric *f = CONTAINER_OF(closing, struct fabric, parts);
	void (*closed)(void *) = f->closed;
	void *arg = f->closed_arg;
	MAP_FOREACH (slot, &f->peers)
		free(slot->value);
	map_release(&f->peers);
	netlink_close(f->netlink);
	arena_release(&f->arena);
	free(f);
	if (closed)
		closed(arg);
}

struct fabric *fabric_new(const struct fabric_options *o)
{
	struct fabric *f = xcalloc(1, sizeof *f);
	struct err err = ERR_INIT;
	CHECK(o->backend != FABRIC_NONE && o->client->loop == o->own->loop);
	f->o = *o;
	f->o.node_name = arena_strdup(&f->arena, o->node_name);
	f->o.node_ip = arena_strdup(&f->arena, o->node_ip);
	f->o.iface = o->iface ? arena_strdup(&f->arena, o->iface) : NULL;
	f->o.link = arena_strdup(&f->arena, o->link);
	f->o.cluster_cidr = arena_strdup(&f->arena, o->cluster_cidr);
	f->loop = o->client->loop;
	f->parts.all_closed = all_closed;
	struct slice cidr = slice_of(f->o.cluster_cidr);
	if (!peer_parse_network(slice_cut(&cidr, ','), &f->cluster, &f->cluster_prefix))
		f->cluster_prefix = 0;
	uv_timer_init(loop_uv(f->loop), &f->retry);
	f->retry.data = f;
	if (netlink_open(&f->netlink, &err) != 0)
		log_error("fabric", "there is no pod network", "error=\"%s\"", err.msg);
	f->masquerade = nft_table_new(&(struct nft_table_options){.loop = f->loop,
	        .name = "ip k3x-masquerade",
	        .nft_path = o->nft_path,
	        .frame = write_masquerade,
	        .arg = f});
	nft_table_start(f->masquerade);
	if (!f->netlink)
		return f;
	uv_timer_start(&f->retry, try_again, REPAIR_MS, REPAIR_MS);
	f->nodes = informer_new(&(struct informer_options){.client = o->client,
	        .path = "/api/v1/nodes",
	        .added = node_changed,
	        .updated = node_updated,
	        .deleted = node_deleted,
	        .synced = nodes_synced,
	        .arg = f});
	return f;
}

static void timer_closed(uv_handle_t *h)
{
	struct fabric *f = h->data;
	closing_part_done(&f->parts);
}

void fabric_close(struct fabric *f, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(f->loop);
	CHECK(!f->closing);
	f->closing = true;
	f->closed = closed;
	f->closed_arg = arg;
	closing_hold(&f->parts);
	uv_close((uv_handle_t *)&f->retry, timer_closed);
	closing_hold(&f->parts);
	nft_table_close(f->masquerade, closing_part_done, &f->parts);
	if (f->nodes) {
		closing_hold(&f->parts);
		informer_close(f->nodes, closing_part_done, &f->parts);
	}
	if (f->is_annotating)
		closing_hold(&f->parts), client_cancel(f->o.own, &f->annotate);
}
