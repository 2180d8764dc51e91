/* See base/ip.h. Numbers within a network are taken bit by bit from the end: no arithmetic of 128 bits is needed, for
 * nothing here counts further than 63 of them. */
#include "base/ip.h"

#include "base/check.h"

#include <stdio.h>

enum { INDEX_BITS = 63 };

static const char *const family_names[] = {[IP_V4] = "IPv4", [IP_V6] = "IPv6"};

const char *ip_family_name(enum ip_family f)
{
	return family_names[f];
}

bool ip_family_parse(struct slice text, enum ip_family *ret)
{
	for (int f = 0; f < IP_FAMILIES; f++)
		if (slice_is(text, family_names[f])) {
			*ret = (enum ip_family)f;
			return true;
		}
	return false;
}

/* ---- addresses ---- */

bool ip_parse(struct slice text, struct ip *ret)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
	char copy[IP_TEXT_MAX];
	struct ip ip = {.family = text.len && memchr(text.ptr, ':', text.len) ? IP_V6 : IP_V4};
	if (!text.len || text.len >= sizeof copy || memchr(text.ptr, 0, text.len))
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = 0;
	if (inet_pton(ip_af(ip.family), copy, ip.bytes) != 1)
		return false;
	if (ip.family == IP_V6 && memcmp(ip.bytes, mapped, sizeof mapped) == 0)
		return false;
	*ret = ip;
	return true;
}

const char *ip_write(const struct ip *ip, char out[IP_TEXT_MAX])
{
	CHECK(inet_ntop(ip_af(ip->family), ip->bytes, out, IP_TEXT_MAX));
	return out;
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, ip_bytes(a->family)) == 0;
}

/* ---- networks ---- */

static bool bit_of(const struct ip *ip, unsigned bit)
{
	return ip->bytes[bit / 8] & (0x80u >> bit % 8);
}

static bool share_bits(const struct ip *a, const struct ip *b, unsigned bits)
{
	if (a->family != b->family || memcmp(a->bytes, b->bytes, bits / 8) != 0)
		return false;
	return bits % 8 == 0 || ((a->bytes[bits / 8] ^ b->bytes[bits / 8]) & (0xff00u >> bits % 8 & 0xff)) == 0;
}

bool ip_net_parse(struct slice text, struct ip_net *ret)
{
	struct slice bits = text, address = slice_cut(&bits, '/');
	struct ip_net n;
	uint64_t prefix;
	if (!bits.ptr || !ip_parse(address, &n.first) || !slice_to_u64(bits, &prefix) ||
	        prefix > ip_bits(n.first.family))
		return false;
	n.bits = (unsigned)prefix;
	for (unsigned bit = n.bits; bit < ip_bits(n.first.family); bit++)
		if (bit_of(&n.first, bit))
			return false;
	*ret = n;
	return true;
}

const char *ip_net_write(const struct ip_net *n, char out[IP_NET_TEXT_MAX])
{
	char first[IP_TEXT_MAX];
	snprintf(out, IP_NET_TEXT_MAX, "%s/%u", ip_write(&n->first, first), n->bits);
	return out;
}

bool ip_net_equal(const struct ip_net *a, const struct ip_net *b)
{
	return a->bits == b->bits && ip_equal(&a->first, &b->first);
}

bool ip_net_contains(const struct ip_net *n, const struct ip *ip)
{
	return share_bits(&n->first, ip, n->bits);
}

bool ip_net_overlaps(const struct ip_net *a, const struct ip_net *b)
{
	return share_bits(&a->first, &b->first, a->bits < b->bits ? a->bits : b->bits);
}

uint64_t ip_net_count(const struct ip_net *n)
{
	unsigned bits = ip_bits(n->first.family) - n->bits;
	return UINT64_C(1) << (bits < INDEX_BITS ? bits : INDEX_BITS);
}

struct ip ip_net_at(const struct ip_net *n, uint64_t index, unsigned step)
{
	struct ip ip = n->first;
	unsigned bit = ip_bits(ip.family) - step;
	for (; index; index >>= 1) {
		CHECK(bit > n->bits);
		bit--;
		if (index & 1)
			ip.bytes[bit / 8] |= (unsigned char)(0x80u >> bit % 8);
	}
	return ip;
}

bool ip_net_index(const struct ip_net *n, const struct ip *ip, unsigned step, uint64_t *ret)
{
	uint64_t index = 0;
	if (!ip_net_contains(n, ip))
		return false;
	for (unsigned bit = n->bits; bit < ip_bits(ip->family) - step; bit++) {
		if (index >> (INDEX_BITS - 1))
			return false;
		index = index << 1 | bit_of(ip, bit);
	}
	*ret = index;
	return true;
}

/* ---- lists ---- */

static int check_second(const char *text, enum ip_family first, enum ip_family second, struct err *err)
{
	if (first != second)
		return 0;
	return err_set(err, ERR_INVAL, "\"%s\": both are %s: two are one of IPv4 and one of IPv6", text,
	        ip_family_name(first));
}

int ip_list_parse(const char *text, struct ip_list *ret, struct err *err)
{
	struct slice rest = slice_of(text);
	struct ip_list l = {0};
	while (rest.ptr) {
		struct slice one = slice_trim(slice_cut(&rest, ','));
		if (l.count == IP_FAMILIES)
			return err_set(err, ERR_INVAL, "\"%s\": more than two addresses", text);
		if (!ip_parse(one, &l.items[l.count]))
			return err_set(err, ERR_INVAL, "\"%s\": \"%.*s\" is not an IP address", text, SLICE_FMT(one));
		l.count++;
	}
	if (l.count == IP_FAMILIES && check_second(text, l.items[0].family, l.items[1].family, err) != 0)
		return err->code;
	*ret = l;
	return 0;
}

int ip_nets_parse(const char *text, struct ip_nets *ret, struct err *err)
{
	struct slice rest = slice_of(text);
	struct ip_nets l = {0};
	while (rest.ptr) {
		struct slice one = slice_trim(slice_cut(&rest, ','));
		if (l.count == IP_FAMILIES)
			return err_set(err, ERR_INVAL, "\"%s\": more than two ranges", text);
		if (!ip_net_parse(one, &l.items[l.count]))
			return err_set(err, ERR_INVAL,
			        "\"%s\": \"%.*s\" is not a range like 10.42.0.0/16 or fd00:42::/56", text,
			        SLICE_FMT(one));
		l.count++;
	}
	if (l.count == IP_FAMILIES && check_second(text, l.items[0].first.family, l.items[1].first.family, err) != 0)
		return err->code;
	*ret = l;
	return 0;
}

const struct ip *ip_list_of(const struct ip_list *l, enum ip_family f)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->items[i].family == f)
			return &l->items[i];
	return NULL;
}

const struct ip_net *ip_nets_of(const struct ip_nets *l, enum ip_family f)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->items[i].first.family == f)
			return &l->items[i];
	return NULL;
}
