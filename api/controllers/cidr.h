/* Handing out equal parts of a network of IPv4 or IPv6, lowest free first. Pure. */
#ifndef K3X_API_CONTROLLERS_CIDR_H
#define K3X_API_CONTROLLERS_CIDR_H

#include "base/ip.h"

struct cidr_pool {
	struct ip_net network;
	unsigned part_bits; /* 24: parts are /24 */
	uint32_t count;
	uint8_t *taken; /* one bit each */
	uint32_t next;  /* where to look first */
};

enum { CIDR_TEXT_MAX = IP_NET_TEXT_MAX };

/* A network in parts of /part_bits, at most 2^16 of them. ERR_INVAL says what is wrong. */
int cidr_pool_init(struct cidr_pool *p, const struct ip_net *network, unsigned part_bits, struct err *err);
void cidr_pool_release(struct cidr_pool *p);
/* False: not of this network, or taken already. */
bool cidr_pool_take(struct cidr_pool *p, struct slice cidr);
bool cidr_pool_give(struct cidr_pool *p, struct slice cidr);
/* False: none is left. */
bool cidr_pool_next(struct cidr_pool *p, char out[CIDR_TEXT_MAX]);

#endif
