/* See tunnel.h.
 *
 *     have: what the device is, as it was last read and told since -- unless `is_known` is false: then it is read first
 *     want: key, port, and the peers of nodes
 *
 * What was told in part, because the writer failed midway, is read again. */
#include "net/fabric/wireguard/tunnel.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem/arena.h"

#include <stdlib.h>

struct wireguard_tunnel {
	struct wireguard_writer *writer;
	struct netlink *netlink; /* borrowed */
	uint16_t port, keepalive_s;
	int link;
	bool is_known;
	struct wireguard_device have, want;
};

int wireguard_check(struct err *err)
{
	if (wireguard_kernel_can() || wireguard_program_is_there())
		return 0;
	return err_set(err, ERR_NOT_FOUND,
	        "--flannel-backend=wireguard-native: this kernel has no WireGuard (modprobe wireguard fails), and the "
	        "program wireguard-go, which does without, is not in PATH: install a kernel with WireGuard, or the "
	        "package "
	        "wireguard-go, or use --flannel-backend=vxlan on the servers");
}

bool wireguard_is_link(struct netlink *n, const char *name, int *ret_index)
{
	char kind[NETLINK_KIND_MAX];
	return netlink_link_kind(n, name, kind, ret_index) &&
	       (strcmp(kind, "wireguard") == 0 || strcmp(kind, "tun") == 0);
}

struct wireguard_tunnel *wireguard_tunnel_new(const struct wireguard_tunnel_options *o)
{
	struct wireguard_tunnel *t = xcalloc(1, sizeof *t);
	const struct wireguard_writer_kind *kind = o->kind;
	if (!kind)
		kind = wireguard_kernel_can() ? &wireguard_by_kernel : &wireguard_by_program;
	t->writer = kind->open(&o->device);
	t->netlink = o->device.netlink;
	t->keepalive_s = o->keepalive_s;
	t->want.private_key = o->keys.private_key;
	t->port = t->want.port = o->device.port;
	log_info("fabric", "WireGuard", "link=%s by=%s", o->device.link, kind->name);
	return t;
}

void wireguard_tunnel_close(struct wireguard_tunnel *t, void (*closed)(void *arg), void *arg)
{
	struct wireguard_writer *w = t->writer;
	wireguard_device_release(&t->have);
	wireguard_device_release(&t->want);
	explicit_bzero(t, sizeof *t);
	free(t);
	w->kind->close(w, closed, arg);
}

/* ---- telling ---- */

static int look(struct wireguard_tunnel *t, struct err *err)
{
	wireguard_device_release(&t->have);
	int rc = t->writer->kind->get(t->writer, &t->have, err);
	t->is_known = rc == 0;
	return rc;
}

static void were_told(struct wireguard_tunnel *t)
{
	MAP_FOREACH (slot, &t->want.peers)
		((struct wireguard_peer *)slot->value)->is_news = false;
}

static int tell(struct wireguard_tunnel *t, const struct wireguard_request *r, struct err *err)
{
	if (wireguard_request_is_empty(r))
		return 0;
	int rc = t->writer->kind->set(t->writer, r, err);
	t->is_known = rc == 0;
	if (rc == 0)
		wireguard_device_apply(&t->have, r);
	return rc;
}

static int tell_difference(struct wireguard_tunnel *t, bool removes_strangers, struct err *err)
{
	if (!t->is_known && look(t, err) != 0)
		return err->code;
	struct wireguard_request r = wireguard_difference(&t->have, &t->want, removes_strangers);
	int rc = tell(t, &r, err);
	wireguard_request_release(&r);
	if (rc == 0)
		were_told(t);
	return rc;
}

/* ---- what is wanted ---- */

static void use_link(struct wireguard_tunnel *t, int link)
{
	if (link == t->link)
		return;
	struct wireguard_key key = t->want.private_key;
	wireguard_device_release(&t->want);
	t->want.private_key = key;
	t->want.port = t->port;
	t->link = link;
	t->is_known = false;
}

int wireguard_tunnel_link(struct wireguard_tunnel *t, unsigned mtu, int *ret_link, struct err *err)
{
	int link = 0;
	int rc = t->writer->kind->link(t->writer, &link, err);
	use_link(t, rc == 0 ? link : 0);
	*ret_link = t->link;
	if (rc != 0 || !link)
		return rc;
	if (mtu && netlink_link_mtu(link) != mtu && netlink_link_set_mtu(t->netlink, link, mtu, err) != 0)
		return err->code;
	if (netlink_link_up(t->netlink, link, err) != 0)
		return err->code;
	return tell_difference(t, false, err);
}

int wireguard_tunnel_add(struct wireguard_tunnel *t, const struct wireguard_key *key, const struct ip *host,
        const struct ip_net *pods, struct err *err)
{
	wireguard_device_put(&t->want, &(struct wireguard_peer){.key = *key,
	                                       .endpoint = *host,
	                                       .port = t->port,
	                                       .keepalive_s = t->keepalive_s,
	                                       .nets = 1,
	                                       .allowed = *pods,
	                                       .is_news = true});
	return tell_difference(t, false, err);
}

int wireguard_tunnel_remove(struct wireguard_tunnel *t, const struct wireguard_key *key, struct err *err)
{
	struct wireguard_change c = {.peer.key = *key, .is_removal = true};
	wireguard_device_drop(&t->want, key);
	return tell(t, &(struct wireguard_request){.changes = &c, .count = 1}, err);
}

int wireguard_tunnel_repair(struct wireguard_tunnel *t, bool removes_strangers, struct err *err)
{
	return look(t, err) == 0 ? tell_difference(t, removes_strangers, err) : err->code;
}
