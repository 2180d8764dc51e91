/* Addresses and networks of IPv4 and IPv6 as numbers. Pure; any thread.
 *
 * An address keeps its bytes in the order of the network, those of IPv4 in the first four. Text is what inet_pton(3)
 * takes and inet_ntop(3) gives, so that one address has one text. */
#ifndef K3X_BASE_IP_H
#define K3X_BASE_IP_H

#include "base/err.h"
#include "base/mem/str.h"

#include <arpa/inet.h>

enum {
	IP_TEXT_MAX = INET6_ADDRSTRLEN,
	IP_NET_TEXT_MAX = IP_TEXT_MAX + 4, /* "/128" */
	IP_FAMILIES = 2,
};

enum ip_family { IP_V4, IP_V6 };

struct ip {
	enum ip_family family;
	unsigned char bytes[16];
};

/* The bits behind the first `bits` are zero. */
struct ip_net {
	struct ip first;
	unsigned bits;
};

/* At most one of each family; the first is the primary one. */
struct ip_list {
	struct ip items[IP_FAMILIES];
	size_t count;
};

struct ip_nets {
	struct ip_net items[IP_FAMILIES];
	size_t count;
};

static inline unsigned ip_bits(enum ip_family f)
{
	return f == IP_V6 ? 128 : 32;
}

static inline size_t ip_bytes(enum ip_family f)
{
	return ip_bits(f) / 8;
}

/* AF_INET, AF_INET6. */
static inline int ip_af(enum ip_family f)
{
	return f == IP_V6 ? AF_INET6 : AF_INET;
}

/* As the API calls it: "IPv4", "IPv6". */
const char *ip_family_name(enum ip_family f);
/* False: it is neither of the two. */
bool ip_family_parse(struct slice text, enum ip_family *ret);

/* False: it is none; *ret is what it was. A zone ("fe80::1%eth0"), and IPv4 dressed up as IPv6, are none. */
bool ip_parse(struct slice text, struct ip *ret);
/* Returns out. */
const char *ip_write(const struct ip *ip, char out[IP_TEXT_MAX]);
bool ip_equal(const struct ip *a, const struct ip *b);

/* "10.42.0.0/16", "fd00:42::/56". False: it is none, or bits behind the prefix are set. */
bool ip_net_parse(struct slice text, struct ip_net *ret);
/* Returns out. */
const char *ip_net_write(const struct ip_net *n, char out[IP_NET_TEXT_MAX]);
bool ip_net_equal(const struct ip_net *a, const struct ip_net *b);
bool ip_net_contains(const struct ip_net *n, const struct ip *ip);
/* One contains the other. */
bool ip_net_overlaps(const struct ip_net *a, const struct ip_net *b);
/* How many addresses it has, at most 2^63. */
uint64_t ip_net_count(const struct ip_net *n);
/* Its address number `index`, counted in steps of 2^step bits from the first. CHECKed to lie in it. */
struct ip ip_net_at(const struct ip_net *n, uint64_t index, unsigned step);
/* The reverse. False: the address is outside, or its number has more than 63 bits. */
bool ip_net_index(const struct ip_net *n, const struct ip *ip, unsigned step, uint64_t *ret);

/* "A" or "A,B", one of each family. ERR_INVAL says what is wrong, beginning with the text. */
int ip_list_parse(const char *text, struct ip_list *ret, struct err *err);
int ip_nets_parse(const char *text, struct ip_nets *ret, struct err *err);
/* That of a family; NULL: there is none. */
const struct ip *ip_list_of(const struct ip_list *l, enum ip_family f);
const struct ip_net *ip_nets_of(const struct ip_nets *l, enum ip_family f);

#endif
