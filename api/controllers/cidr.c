/* See cidr.h. */
#include "api/controllers/cidr.h"

#include "base/mem/arena.h"

#include <stdlib.h>

enum { PARTS_BITS_MAX = 16 };

static unsigned bits_behind(const struct cidr_pool *p)
{
	return ip_bits(p->network.first.family) - p->part_bits;
}

int cidr_pool_init(struct cidr_pool *p, const struct ip_net *network, unsigned part_bits, struct err *err)
{
	char text[IP_NET_TEXT_MAX];
	*p = (struct cidr_pool){.network = *network, .part_bits = part_bits};
	if (network->bits > part_bits || part_bits - network->bits > PARTS_BITS_MAX ||
	        part_bits > ip_bits(network->first.family))
		return err_set(err, ERR_INVAL,
		        "cluster CIDR \"%s\": must be larger than a node's /%u, by at most %d bits",
		        ip_net_write(network, text), part_bits, PARTS_BITS_MAX);
	p->count = 1u << (part_bits - network->bits);
	p->taken = xcalloc(1, p->count / 8 + 1);
	return 0;
}

void cidr_pool_release(struct cidr_pool *p)
{
	free(p->taken);
	*p = (struct cidr_pool){0};
}

static bool place(const struct cidr_pool *p, struct slice cidr, uint32_t *at)
{
	struct ip_net part;
	uint64_t index;
	if (!p->count || !ip_net_parse(cidr, &part) || part.bits != p->part_bits ||
	        !ip_net_index(&p->network, &part.first, bits_behind(p), &index))
		return false;
	*at = (uint32_t)index;
	return true;
}

static bool is_taken(const struct cidr_pool *p, uint32_t at)
{
	return p->taken[at / 8] & (1u << (at % 8));
}

bool cidr_pool_take(struct cidr_pool *p, struct slice cidr)
{
	uint32_t at;
	if (!place(p, cidr, &at) || is_taken(p, at))
		return false;
	p->taken[at / 8] |= (uint8_t)(1u << (at % 8));
	return true;
}

bool cidr_pool_give(struct cidr_pool *p, struct slice cidr)
{
	uint32_t at;
	if (!place(p, cidr, &at) || !is_taken(p, at))
		return false;
	p->taken[at / 8] &= (uint8_t) ~(1u << (at % 8));
	return true;
}

bool cidr_pool_next(struct cidr_pool *p, char out[CIDR_TEXT_MAX])
{
	for (uint32_t i = 0; i < p->count; i++) {
		uint32_t at = (p->next + i) % p->count;
		if (is_taken(p, at))
			continue;
		struct ip_net part = {ip_net_at(&p->network, at, bits_behind(p)), p->part_bits};
		p->taken[at / 8] |= (uint8_t)(1u << (at % 8));
		p->next = (at + 1) % p->count; /* what was given back rests a while */
		ip_net_write(&part, out);
		return true;
	}
	return false;
}
