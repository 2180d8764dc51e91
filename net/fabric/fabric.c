/* See fabric.h.
 *
 *     nodes (informer) --> peer_read() --> each family: differs from what is programmed? --> netlink (family.c)
 *
 * The own node says where it is by annotations, as soon as the links of the overlay are there, which needs the node's
 * pod network first: its first address is the link's own.
 *
 * What can go wrong: the link is not there yet, or somebody else has its name or its VNI; the kernel takes no route
 * (host-gw across a router); the API does not take the annotations. All of it is told once, and tried again every few
 * seconds for as long as it lasts. And somebody else may take away what was there (a link that went down and up, a
 * network manager that does not know our routes): all of it is set once more when the kernel tells that a route or the
 * link of ours has changed, and every so often for what it is not asked to tell. */
#include "net/fabric/fabric.h"

#include "api/client/informer.h"
#include "api/client/meta.h"
#include "base/check.h"
#include "base/log.h"
#include "base/rt/closing.h"
#include "net/fabric/family_int.h"
#include "net/fabric/netlink_watch.h"
#include "net/fabric/way_int.h"
#include "net/fabric/wireguard/tunnel.h"
#include "net/nft_table.h"

#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>

enum { RETRY_MS = 5000, REPAIR_MS = 15000, SETTLE_MS = 200 };

/* A table of masquerading, of each family that pods have. */
struct masquerade {
	struct nft_table *table;
	struct ip_net pods;
	bool is_on;
	char name[32];
};

struct fabric {
	struct fabric_options o;
	struct arena arena; /* of the options */
	struct loop *loop;
	struct netlink *netlink;
	struct netlink_watch *watch; /* NULL: there is none */
	struct informer *nodes;
	struct fabric_family families[IP_FAMILIES];
	struct masquerade masquerades[IP_FAMILIES];
	size_t count; /* of families */
	bool is_synced, is_annotating, is_annotated, has_failed;
	char said[ERR_MSG_MAX]; /* what the log knows */
	uv_timer_t retry;
	struct client_request annotate;
	struct arena annotate_arena;
	bool closing;
	struct closing parts;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- what went wrong ---- */

static void try_again(uv_timer_t *t);

/* The first of a round is said, when it is something else than the last time. */
static void note_failure(void *arg, const struct err *err)
{
	struct fabric *f = arg;
	if (!f->has_failed && strcmp(f->said, err->msg) != 0) {
		log_warn("fabric", "the pod network is not complete, it is tried again", "error=\"%s\"", err->msg);
		snprintf(f->said, sizeof f->said, "%s", err->msg);
	}
	f->has_failed = true;
	if (!f->closing)
		uv_timer_start(&f->retry, try_again, RETRY_MS, REPAIR_MS);
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

/* What the others must know of one end, within a JSON text. */
static const char *end_text(struct arena *a, const struct fabric_family *f)
{
	struct strbuf plain = STRBUF_INIT, quoted = STRBUF_INIT;
	fabric_way_of(f->backend)->write_end(f, &plain);
	json_write_str(&quoted, strbuf_slice(&plain));
	const char *text = arena_strdup(a, strbuf_cstr(&quoted));
	strbuf_release(&plain);
	strbuf_release(&quoted);
	return text;
}

static void write_annotations(struct fabric *f, struct strbuf *out)
{
	struct arena *a = &f->annotate_arena;
	char ip[IP_TEXT_MAX];
	strbuf_addf(out,
	        "{\"metadata\":{\"annotations\":{\"" FABRIC_ANNOTATION "backend-type\":\"%s\",\"" FABRIC_ANNOTATION
	        "kube-subnet-manager\":\"true\"",
	        fabric_way_of(f->o.backend)->type);
	for (size_t i = 0; i < f->count; i++) {
		const struct fabric_family *x = &f->families[i];
		bool is_v6 = x->family == IP_V6;
		strbuf_addf(out, ",\"" FABRIC_ANNOTATION "%s\":%s,\"" FABRIC_ANNOTATION "%s\":\"%s\"",
		        is_v6 ? "backend-v6-data" : "backend-data", end_text(a, x), is_v6 ? "public-ipv6" : "public-ip",
		        ip_write(&x->public, ip));
	}
	if (!ip_list_of(&(struct ip_list){{f->families[0].host, f->families[1].host}, f->count}, IP_V4))
		strbuf_adds(out, ",\"" FABRIC_ANNOTATION "backend-data\":\"null\"");
	strbuf_adds(out, "}}}");
}

/* Where this end of the network is, for the others. */
static void annotate(struct fabric *f)
{
	struct arena *a = &f->annotate_arena;
	if (f->is_annotating || f->is_annotated || f->closing)
		return;
	struct strbuf body = STRBUF_INIT;
	write_annotations(f, &body);
	f->annotate = (struct client_request){.method = "PATCH",
	        .path = kube_path(a, "v1", "nodes", SLICE_NULL, slice_of(f->o.node_name), NULL),
	        .body = slice_of(arena_strdup(a, strbuf_cstr(&body))),
	        .content_type = "application/merge-patch+json",
	        .done = annotated};
	strbuf_release(&body);
	f->is_annotating = true;
	client_send(f->o.own, &f->annotate);
}

static bool has_links(const struct fabric *f)
{
	for (size_t i = 0; i < f->count; i++)
		if (!f->families[i].link)
			return false;
	return true;
}

static void update_self(struct fabric *f, const struct peer *p)
{
	bool is_said = true;
	for (size_t i = 0; i < f->count; i++) {
		struct fabric_family *x = &f->families[i];
		const struct peer_end *own = &p->ends[x->family];
		x->public = own->has_overwrite ? own->overwrite : x->external;
		family_self(x, own);
	}
	if (!has_links(f))
		return;
	for (size_t i = 0; i < f->count; i++)
		is_said = is_said && family_is_said(&f->families[i], p);
	if (!is_said)
		f->is_annotated = false; /* it was not said yet, or somebody has changed it */
	annotate(f);
}

/* ---- events ---- */

static void update_peer(struct fabric *f, struct slice name, const struct peer *p)
{
	for (size_t i = 0; i < f->count; i++)
		family_peer(&f->families[i], name, &p->ends[f->families[i].family]);
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

static void clean_up(struct fabric *f)
{
	for (size_t i = 0; i < f->count && f->is_synced; i++)
		family_clean(&f->families[i]);
}

static void node_changed(void *arg, struct informer_object *o)
{
	struct fabric *f = arg;
	struct peer p = peer_read(informer_text(o));
	int before[IP_FAMILIES] = {f->families[0].link, f->families[1].link};
	if (!slice_is(o->key, f->o.node_name)) {
		update_peer(f, o->key, &p);
		return;
	}
	update_self(f, &p);
	if (f->families[0].link != before[0] || f->families[1].link != before[1]) {
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
	for (size_t i = 0; i < f->count; i++)
		family_forget(&f->families[i], o->key);
	update_all(f); /* another may have waited for what it had */
}

static void nodes_synced(void *arg)
{
	struct fabric *f = arg;
	f->is_synced = true;
	clean_up(f);
}

/* The link may have become another one, and somebody may have changed what is said of it. */
static void say_once_more(struct fabric *f)
{
	const struct informer_object *o = informer_get(f->nodes, slice_of(f->o.node_name));
	if (!o)
		return;
	struct peer own = peer_read(informer_text(o));
	update_self(f, &own);
}

static void set_once_more(struct fabric *f)
{
	f->has_failed = false;
	for (size_t i = 0; i < f->count; i++)
		family_repair(&f->families[i]);
	say_once_more(f);
	update_all(f);
	clean_up(f);
	if (!f->has_failed && f->is_annotated && f->said[0]) {
		log_info("fabric", "the pod network is complete", "nodes=%zu", (size_t)f->families[0].peers.count);
		f->said[0] = 0;
	}
}

static void try_again(uv_timer_t *t)
{
	set_once_more(t->data);
}

/* A device of WireGuard has come, or is gone; or somebody has changed a link or a route of ours. */
static void device_changed(void *arg)
{
	struct fabric *f = arg;
	if (!f->closing)
		set_once_more(f);
}

/* ---- what others do to it ---- */

static bool is_our_link(const struct fabric *f, int index)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->families[i].link == index)
			return true;
	return false;
}

/* What we set ourselves is told too, but for what was so already: then nothing changes, and it ends there. */
static bool is_of_ours(void *arg, const struct nlmsghdr *h)
{
	const struct ifinfomsg *link = NLMSG_DATA(h);
	const struct rtmsg *route = NLMSG_DATA(h);
	switch (h->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return h->nlmsg_len >= NLMSG_LENGTH(sizeof *link) && is_our_link(arg, link->ifi_index);
	case RTM_DELROUTE:
		return h->nlmsg_len >= NLMSG_LENGTH(sizeof *route) && route->rtm_protocol == NETLINK_ROUTE_ORIGIN;
	default:
		return false;
	}
}

static void watch_kernel(struct fabric *f)
{
	struct err err = ERR_INIT;
	f->watch = netlink_watch_new(&(struct netlink_watch_options){.loop = f->loop,
	                                     .groups = RTMGRP_LINK | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE,
	                                     .settle_ms = SETTLE_MS,
	                                     .counts = is_of_ours,
	                                     .changed = device_changed,
	                                     .arg = f},
	        &err);
	if (!f->watch)
		log_warn("fabric", "what others do to the pod network is seen late", "error=\"%s\"", err.msg);
}

/* ---- masquerading ---- */

/* Without it the table stays, empty, so that what an earlier run masqueraded ends. */
static void write_masquerade(void *arg, struct strbuf *out)
{
	const struct masquerade *m = arg;
	bool is_v6 = m->pods.first.family == IP_V6;
	const char *ip = is_v6 ? "ip6" : "ip";
	char pods[IP_NET_TEXT_MAX];
	ip_net_write(&m->pods, pods);
	strbuf_addf(out, "add table %s\ndelete table %s\ntable %s {\n", m->name, m->name, m->name);
	if (m->is_on)
		strbuf_addf(out,
		        "\tchain postrouting {\n"
		        "\t\ttype nat hook postrouting priority srcnat; policy accept;\n"
		        "\t\t%s saddr %s %s daddr != { %s, %s } masquerade\n"
		        "\t}\n",
		        ip, pods, ip, pods, is_v6 ? "ff00::/8" : "224.0.0.0/4");
	strbuf_adds(out, "}\n");
}

/* ---- life ---- */

static void all_closed(struct closing *closing)
{
	struct fabric *f = CONTAINER_OF(closing, struct fabric, parts);
	void (*closed)(void *) = f->closed;
	void *arg = f->closed_arg;
	for (size_t i = 0; i < f->count; i++)
		family_release(&f->families[i]);
	netlink_close(f->netlink);
	arena_release(&f->arena);
	free(f);
	if (closed)
		closed(arg);
}

static void add_tunnel(struct fabric *f, struct fabric_family *x, const struct fabric_wireguard_options *o)
{
	x->public_key = o->keys.public_key;
	x->tunnel = wireguard_tunnel_new(&(struct wireguard_tunnel_options){.keys = o->keys,
	        .keepalive_s = x->conf.keepalive_s,
	        .device = {.loop = f->loop,
	                .netlink = f->netlink,
	                .link = x->links.wireguard,
	                .port = x->conf.wireguard_ports[x->family],
	                .pid_file = o->pid_files[x->family],
	                .log_file = o->log_file,
	                .changed = device_changed,
	                .arg = f}});
}

static struct ip external_of(const struct fabric_options *o, const struct ip *host)
{
	struct ip_list list;
	struct err err = ERR_INIT;
	const struct ip *ip = NULL;
	if (o->external_ip && ip_list_parse(o->external_ip, &list, &err) == 0)
		ip = ip_list_of(&list, host->family);
	return ip ? *ip : *host;
}

static void add_family(struct fabric *f, const struct ip *host, const struct ip_net *cluster)
{
	bool is_v6 = host->family == IP_V6;
	const struct fabric_options *o = &f->o;
	struct fabric_family *x = &f->families[f->count];
	struct masquerade *m = &f->masquerades[f->count++];
	*x = (struct fabric_family){.family = host->family,
	        .backend = f->o.backend,
	        .iface = f->o.iface,
	        .conf = o->conf ? *o->conf : fabric_conf_default,
	        .host = *host,
	        .external = external_of(o, host),
	        .cluster = *cluster,
	        .netlink = f->netlink,
	        .failed = note_failure,
	        .arg = f};
	snprintf(x->links.vxlan, sizeof x->links.vxlan, "%s", is_v6 ? o->vxlan_v6 : o->vxlan);
	snprintf(x->links.wireguard, sizeof x->links.wireguard, "%s", is_v6 ? o->wireguard_v6 : o->wireguard);
	if (o->backend == FABRIC_WIREGUARD && f->netlink)
		add_tunnel(f, x, o->with_keys);
	*m = (struct masquerade){.pods = *cluster, .is_on = !is_v6 || f->o.masquerades_v6};
	snprintf(m->name, sizeof m->name, "%s k3x-masquerade", is_v6 ? "ip6" : "ip");
	m->table = nft_table_new(&(struct nft_table_options){
	        .loop = f->loop, .name = m->name, .nft_path = f->o.nft_path, .frame = write_masquerade, .arg = m});
	nft_table_start(m->table);
}

/* A family for each range of pods that the node has an address of. */
static void add_families(struct fabric *f, const char *cluster_cidr)
{
	struct ip_nets pods;
	struct err err = ERR_INIT;
	const char *ips[IP_FAMILIES] = {f->o.node_ip, f->o.node_ip_other};
	if (ip_nets_parse(cluster_cidr, &pods, &err) != 0) {
		log_error("fabric", "there is no pod network", "error=\"%s\"", err.msg);
		return;
	}
	for (size_t i = 0; i < IP_FAMILIES; i++) {
		struct ip ip;
		const struct ip_net *n =
		        ips[i] && ip_parse(slice_of(ips[i]), &ip) ? ip_nets_of(&pods, ip.family) : NULL;
		if (n)
			add_family(f, &ip, n);
	}
}

struct fabric *fabric_new(const struct fabric_options *o)
{
	struct fabric *f = xcalloc(1, sizeof *f);
	struct err err = ERR_INIT;
	CHECK(o->backend != FABRIC_NONE && o->client->loop == o->own->loop);
	f->o = *o;
	f->o.node_name = arena_strdup(&f->arena, o->node_name);
	f->o.iface = o->iface ? arena_strdup(&f->arena, o->iface) : NULL;
	f->loop = o->client->loop;
	f->parts.all_closed = all_closed;
	uv_timer_init(loop_uv(f->loop), &f->retry);
	f->retry.data = f;
	if (netlink_open(&f->netlink, &err) != 0)
		log_error("fabric", "there is no pod network", "error=\"%s\"", err.msg);
	add_families(f, o->cluster_cidr);
	f->o.with_keys = NULL; /* borrowed until here */
	f->o.conf = NULL;
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
	watch_kernel(f);
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
	for (size_t i = 0; i < f->count; i++) {
		closing_hold(&f->parts);
		nft_table_close(f->masquerades[i].table, closing_part_done, &f->parts);
		if (f->families[i].tunnel)
			closing_hold(&f->parts),
			        wireguard_tunnel_close(f->families[i].tunnel, closing_part_done, &f->parts);
	}
	if (f->watch) {
		closing_hold(&f->parts);
		netlink_watch_close(f->watch, closing_part_done, &f->parts);
	}
	if (f->nodes) {
		closing_hold(&f->parts);
		informer_close(f->nodes, closing_part_done, &f->parts);
	}
	if (f->is_annotating)
		closing_hold(&f->parts), client_cancel(f->o.own, &f->annotate);
}
