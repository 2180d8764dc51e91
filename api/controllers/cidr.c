/* See cidr.h. */
#include "api/controllers/cidr.h"

#include "base/mem/arena.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

/* "a.b.c.d/n" in host order. */
static bool parse(struct slice text, uint32_t *address, unsigned *bits)
{
	char copy[32];
	struct in_addr in;
	struct slice rest = text, host = slice_cut(&rest, '/');
	uint64_t n;
	if (host.len >= sizeof copy || !slice_to_u64(rest, &n) || n > 32)
		return false;
	memcpy(copy, host.ptr, host.len);
	copy[host.len] = 0;
	if (inet_pton(AF_INET, copy, &in) != 1)
		return false;
	*address = ntohl(in.s_addr);
	*bits = (unsigned)n;
	return true;
}

int cidr_pool_init(struct cidr_pool *p, const char *network, unsigned part_bits, struct err *err)
{
	unsigned bits;
	*p = (struct cidr_pool){.part_bits = part_bits};
	if (!parse(slice_of(network), &p->base, &bits))
		return err_set(err, ERR_INVAL, "cluster CIDR \"%s\": not an IPv4 network like 10.42.0.0/16", network);
	if (bits > part_bits || part_bits - bits > 16 || bits == 0)
		return err_set(err, ERR_INVAL,
		        "cluster CIDR \"%s\": must be larger than a node's /%u, by at most 16 bits", network,
		        part_bits);
	p->base &= ~0u << (32 - bits);
	p->count = 1u << (part_bits - bits);
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
	uint32_t address;
	unsigned bits;
	if (!p->count || !parse(cidr, &address, &bits) || bits != p->part_bits || address < p->base)
		return false;
	*at = (address - p->base) >> (32 - p->part_bits);
	return *at < p->count;
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
		uint32_t address = p->base + (at << (32 - p->part_bits));
		p->taken[at / 8] |= (uint8_t)(1u << (at % 8));
		p->next = (at + 1) % p->count; /* what was given back rests a while */
		snprintf(out, CIDR_TEXT_MAX, "%u.%u.%u.%u/%u", address >> 24, address >> 16 & 255, address >> 8 & 255,
		        address & 255, p->part_bits);
		return true;
	}
	return false;
}
