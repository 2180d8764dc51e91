/* Handing out equal parts of an IPv4 network, lowest free first. Pure. */
#ifndef K3X_API_CONTROLLERS_CIDR_H
#define K3X_API_CONTROLLERS_CIDR_H

#include "base/err.h"
#include "base/mem/str.h"

struct cidr_pool {
	uint32_t base;      /* host order */
	unsigned part_bits; /* 24: parts are /24 */
	uint32_t count;
	uint8_t *taken; /* one bit each */
	uint32_t next;  /* where to look first */
};

enum { CIDR_TEXT_MAX = 20 };

/* "10.42.0.0/16" in parts of /24 (or /part_bits). ERR_INVAL names what is wrong. */
int cidr_pool_init(struct cidr_pool *p, const char *network, unsigned part_bits, struct err *err);
void cidr_pool_release(struct cidr_pool *p);
/* False: not of this network, or taken already. */
bool cidr_pool_take(struct cidr_pool *p, struct slice cidr);
bool cidr_pool_give(struct cidr_pool *p, struct slice cidr);
/* False: none is left. */
bool cidr_pool_next(struct cidr_pool *p, char out[CIDR_TEXT_MAX]);

#endif
