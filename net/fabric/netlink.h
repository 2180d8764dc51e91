/* Links, addresses, routes and neighbours of this host, by rtnetlink (rtnetlink(7)): what the fabric needs of it and no
 * more. One socket, questions and answers in turn; an answer of the kernel takes microseconds, so nothing is put on
 * another thread. Both families: an address says its own. One thread at a time. */
#ifndef K3X_NET_FABRIC_NETLINK_H
#define K3X_NET_FABRIC_NETLINK_H

#include "base/err.h"
#include "base/ip.h"

#include <stdbool.h>
#include <stdint.h>

struct netlink;

int netlink_open(struct netlink **ret, struct err *err);
void netlink_close(struct netlink *n); /* NULL is allowed */

struct netlink_vxlan {
	const char *name;
	uint32_t vni;
	uint16_t port;
	struct ip local;
	int link; /* index of the link beneath */
	unsigned mtu;
	unsigned char mac[6];
};

/* What the link of this name is; false: there is none, or it is no VXLAN. */
bool netlink_vxlan_get(struct netlink *n, const char *name, struct netlink_vxlan *ret, int *ret_index);
/* Makes it; ERR_EXISTS when the name, or the pair of VNI and port, is another's. */
int netlink_vxlan_add(struct netlink *n, const struct netlink_vxlan *v, struct err *err);
/* A link of a kind that needs no more to be told. */
int netlink_link_add(struct netlink *n, const char *name, const char *kind, struct err *err);
/* Which kind it is of ("wireguard", "tun"; "" of a machine's own), and its index; false: there is none of this name. */
enum { NETLINK_KIND_MAX = 32 };
bool netlink_link_kind(struct netlink *n, const char *name, char ret[NETLINK_KIND_MAX], int *ret_index);
int netlink_link_del(struct netlink *n, int index, struct err *err);
int netlink_link_set_mtu(struct netlink *n, int index, unsigned mtu, struct err *err);
int netlink_link_up(struct netlink *n, int index, struct err *err);
unsigned netlink_link_mtu(int index); /* 0: unknown */
/* The link that has this address; 0: none. */
int netlink_link_of(const struct ip *address);
/* The networks of a link's addresses: what lies in them is reached without a router. How many, at most `max`. */
size_t netlink_link_networks(int link, enum ip_family f, struct ip_net *ret, size_t max);

/* The link has an address of this one's family that is not this one; those that are the link's alone do not count. */
bool netlink_has_other_address(const char *link, const struct ip *address);
/* By itself, without a network around it. */
int netlink_address_set(struct netlink *n, int index, const struct ip *address, struct err *err);

struct netlink_route {
	struct ip_net to;
	struct ip via;
	int link;
	bool is_onlink;      /* `via` need not be on the link's network */
	bool is_direct;      /* nobody is between: `via` does not count */
	bool is_unreachable; /* there is no way, where no narrower route knows one; neither `via` nor link count */
};

/* Routes of ours carry this mark of origin, by which those of an earlier run are known. */
enum { NETLINK_ROUTE_ORIGIN = 171 };

int netlink_route_set(struct netlink *n, const struct netlink_route *r, struct err *err);
int netlink_route_del(struct netlink *n, const struct netlink_route *r, struct err *err); /* fine when it is gone */
/* Those of our origin, of one family. */
int netlink_routes(struct netlink *n, enum ip_family f, void (*fn)(void *arg, const struct netlink_route *r), void *arg,
        struct err *err);

/* Where an address is (ARP, NDP): its hardware address; and where a hardware address is (FDB): the host to send to.
 * Both for good. */
int netlink_neighbour_set(
        struct netlink *n, int link, const struct ip *address, const unsigned char mac[6], struct err *err);
int netlink_neighbour_del(struct netlink *n, int link, const struct ip *address, struct err *err);
int netlink_fdb_set(struct netlink *n, int link, const unsigned char mac[6], const struct ip *host, struct err *err);
int netlink_fdb_del(struct netlink *n, int link, const unsigned char mac[6], const struct ip *host, struct err *err);
/* All permanent ones of a link: neighbours of one family, and forwarding entries. */
int netlink_neighbours(struct netlink *n, int link, enum ip_family f, void (*fn)(void *arg, const struct ip *address),
        void *arg, struct err *err);
int netlink_fdbs(struct netlink *n, int link, void (*fn)(void *arg, const unsigned char mac[6], const struct ip *host),
        void *arg, struct err *err);

#endif
