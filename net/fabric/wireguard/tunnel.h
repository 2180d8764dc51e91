/* This node's end of WireGuard in one family: a device, and the peers that are wanted of it. Loop's thread.
 *
 * The device is made by the kernel or by wireguard-go (writer.h). What is told it is always the difference between what
 * is wanted and what it is (device.h). It stays when this is closed, for pods run on. */
#ifndef K3X_NET_FABRIC_WIREGUARD_TUNNEL_H
#define K3X_NET_FABRIC_WIREGUARD_TUNNEL_H

#include "net/fabric/wireguard/writer.h"

struct wireguard_tunnel_options {
	struct wireguard_writer_options device; /* strings are copied */
	struct wireguard_keys keys;
	uint16_t keepalive_s;                     /* of all peers; 0: none */
	const struct wireguard_writer_kind *kind; /* NULL: the kernel if it can, else the program */
};

struct wireguard_tunnel;

/* Can this machine do it at all? ERR_NOT_FOUND says what would make it so. Blocks briefly. */
int wireguard_check(struct err *err);

/* Nothing is done yet. */
struct wireguard_tunnel *wireguard_tunnel_new(const struct wireguard_tunnel_options *o);
void wireguard_tunnel_close(struct wireguard_tunnel *t, void (*closed)(void *arg), void *arg);

/* Makes the device, or takes an earlier run's, with this node's key and port, and sets it up. *ret_link: its index; 0:
 * it is on its way. One that was made anew has no peers, and none are wanted of it. */
int wireguard_tunnel_link(struct wireguard_tunnel *t, unsigned mtu, int *ret_link, struct err *err);

/* A node is a peer: its public key, where it is, and its pods' network. */
int wireguard_tunnel_add(struct wireguard_tunnel *t, const struct wireguard_key *key, const struct ip *host,
        const struct ip_net *pods, struct err *err);
int wireguard_tunnel_remove(struct wireguard_tunnel *t, const struct wireguard_key *key, struct err *err);
/* Looks at the device, and mends what is not so; removes_strangers: peers of nobody, too. */
int wireguard_tunnel_repair(struct wireguard_tunnel *t, bool removes_strangers, struct err *err);

/* The link of this name is such a device, by whomever it was made. For who wants none any more. */
bool wireguard_is_link(struct netlink *n, const char *name, int *ret_index);

#endif
