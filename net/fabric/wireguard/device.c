/* See device.h. A change of networks comes after removals: two peers can't have the same one, and the last who is given
 * it takes it away from the other. */
#include "net/fabric/wireguard/device.h"

#include <stdlib.h>

static struct slice bytes_of(const struct wireguard_key *k)
{
	return (struct slice){(const char *)k->bytes, sizeof k->bytes};
}

void wireguard_device_release(struct wireguard_device *d)
{
	MAP_FOREACH (slot, &d->peers)
		free(TAKE(slot->value));
	map_release(&d->peers);
	*d = (struct wireguard_device){0};
}

struct wireguard_peer *wireguard_device_find(const struct wireguard_device *d, const struct wireguard_key *key)
{
	return map_get(&d->peers, bytes_of(key));
}

struct wireguard_peer *wireguard_device_put(struct wireguard_device *d, const struct wireguard_peer *p)
{
	struct wireguard_peer *mine = wireguard_device_find(d, &p->key);
	if (!mine) {
		mine = xcalloc(1, sizeof *mine);
		mine->key = p->key;
		map_put(&d->peers, bytes_of(&mine->key), mine);
	}
	*mine = *p;
	return mine;
}

void wireguard_device_drop(struct wireguard_device *d, const struct wireguard_key *key)
{
	free(map_del(&d->peers, bytes_of(key)));
}

/* ---- the difference ---- */

static bool is_there(const struct wireguard_peer *p)
{
	return p->port != 0;
}

static bool is_elsewhere(const struct wireguard_peer *have, const struct wireguard_peer *want)
{
	return have->port != want->port || !ip_equal(&have->endpoint, &want->endpoint);
}

static bool has_other_nets(const struct wireguard_peer *have, const struct wireguard_peer *want)
{
	return have->nets != want->nets || (want->nets && !ip_net_equal(&have->allowed, &want->allowed));
}

static void remove_strangers(
        const struct wireguard_device *have, const struct wireguard_device *want, struct wireguard_request *r)
{
	MAP_FOREACH (slot, &have->peers) {
		const struct wireguard_peer *p = slot->value;
		if (!wireguard_device_find(want, &p->key))
			r->changes[r->count++] = (struct wireguard_change){.peer = *p, .is_removal = true};
	}
}

static void compare(const struct wireguard_peer *have, const struct wireguard_peer *want, struct wireguard_request *r)
{
	bool is_lost = is_there(want) && (!have || !is_there(have)),
	     tells_endpoint = is_lost || (is_there(want) && want->is_news && is_elsewhere(have, want));
	if (!have || tells_endpoint || has_other_nets(have, want) || have->keepalive_s != want->keepalive_s)
		r->changes[r->count++] = (struct wireguard_change){.peer = *want, .has_endpoint = tells_endpoint};
}

struct wireguard_request wireguard_difference(
        const struct wireguard_device *have, const struct wireguard_device *want, bool removes_strangers)
{
	struct wireguard_request r = {.changes = xcalloc(have->peers.count + want->peers.count + 1, sizeof *r.changes)};
	bool is_anothers = !wireguard_key_equal(&have->private_key, &want->private_key);
	if (is_anothers) {
		r.private_key = &want->private_key;
		r.replaces_peers = true;
	}
	if (have->port != want->port)
		r.port = want->port;
	if (!is_anothers && removes_strangers)
		remove_strangers(have, want, &r);
	MAP_FOREACH (slot, &want->peers) {
		const struct wireguard_peer *p = slot->value;
		compare(is_anothers ? NULL : wireguard_device_find(have, &p->key), p, &r);
	}
	return r;
}

bool wireguard_request_is_empty(const struct wireguard_request *r)
{
	return !r->private_key && !r->port && !r->replaces_peers && r->count == 0;
}

void wireguard_request_release(struct wireguard_request *r)
{
	free(r->changes);
	r->changes = NULL;
}

/* ---- what was told ---- */

/* The networks of a peer are no other's any more. */
static void take_nets(struct wireguard_device *d, const struct wireguard_peer *from)
{
	MAP_FOREACH (slot, &d->peers) {
		struct wireguard_peer *p = slot->value;
		if (p->nets && !wireguard_key_equal(&p->key, &from->key) && ip_net_equal(&p->allowed, &from->allowed))
			p->nets--;
	}
}

static void apply(struct wireguard_device *d, const struct wireguard_change *c)
{
	const struct wireguard_peer *had = wireguard_device_find(d, &c->peer.key);
	struct wireguard_peer p = c->peer;
	p.is_news = false;
	if (c->is_removal) {
		wireguard_device_drop(d, &c->peer.key);
		return;
	}
	if (!c->has_endpoint) {
		p.endpoint = had ? had->endpoint : (struct ip){0};
		p.port = had ? had->port : 0;
	}
	if (p.nets)
		take_nets(d, &p);
	wireguard_device_put(d, &p);
}

void wireguard_device_apply(struct wireguard_device *d, const struct wireguard_request *r)
{
	struct wireguard_key key = r->private_key ? *r->private_key : d->private_key;
	uint16_t port = r->port ? r->port : d->port;
	if (r->replaces_peers)
		wireguard_device_release(d);
	d->private_key = key;
	d->port = port;
	for (size_t i = 0; i < r->count; i++)
		apply(d, &r->changes[i]);
}
