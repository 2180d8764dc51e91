/* A WireGuard device as it is, as it should be, and what is to be told it: the difference. Pure; any thread.
 *
 * A device has a private key, a port, and peers; a peer is a public key with where it is, and which addresses are its.
 * Peers by key: a device knows each once. Of a peer of ours one network is its, that of its node's pods. */
#ifndef K3X_NET_FABRIC_WIREGUARD_DEVICE_H
#define K3X_NET_FABRIC_WIREGUARD_DEVICE_H

#include "base/ip.h"
#include "base/mem/map.h"
#include "net/fabric/wireguard/key.h"

struct wireguard_peer {
	struct wireguard_key key; /* its public one */
	struct ip endpoint;
	uint16_t port;         /* 0: nobody knows where it is */
	uint16_t keepalive_s;  /* 0: only what there is to send is sent */
	unsigned nets;         /* how many networks are its */
	struct ip_net allowed; /* the first of them */
	/* Of one that is wanted: where it is was not told yet. Once it was, WireGuard follows it by itself when it
	 * moves, and knows better than we do. */
	bool is_news;
};

struct wireguard_device {
	struct wireguard_key private_key; /* zero: it has none yet */
	uint16_t port;
	struct map peers; /* of struct wireguard_peer, by the bytes of its key */
};

void wireguard_device_release(struct wireguard_device *d);
/* The one of a key; NULL: there is none. Valid until it is dropped. */
struct wireguard_peer *wireguard_device_find(const struct wireguard_device *d, const struct wireguard_key *key);
/* Adds it, or puts it in the place of the one of its key. */
struct wireguard_peer *wireguard_device_put(struct wireguard_device *d, const struct wireguard_peer *p);
void wireguard_device_drop(struct wireguard_device *d, const struct wireguard_key *key);

/* What is to be told of one peer. Its keepalive and its networks are said with it, in the place of those it has. */
struct wireguard_change {
	struct wireguard_peer peer;
	bool is_removal;   /* only the key counts */
	bool has_endpoint; /* where it is, too */
};

struct wireguard_request {
	const struct wireguard_key *private_key; /* NULL: it stays */
	uint16_t port;                           /* 0: it stays */
	bool replaces_peers;                     /* all that are there go first */
	struct wireguard_change *changes;        /* malloc'ed */
	size_t count;
};

/* What makes `have` like `want`. Peers that are not wanted go when `removes_strangers`; of a device with another key
 * nothing is kept anyway. The result refers to `want`. */
struct wireguard_request wireguard_difference(
        const struct wireguard_device *have, const struct wireguard_device *want, bool removes_strangers);
bool wireguard_request_is_empty(const struct wireguard_request *r);
void wireguard_request_release(struct wireguard_request *r);
/* `d` is so once it was told. */
void wireguard_device_apply(struct wireguard_device *d, const struct wireguard_request *r);

#endif
