/* See peer.h. */
#include "net/fabric/peer.h"

#include "base/json/json.h"

#include <arpa/inet.h>
#include <string.h>

static bool parse_address(struct slice text, struct in_addr *ret)
{
	char copy[INET_ADDRSTRLEN];
	if (text.len == 0 || text.len >= sizeof copy)
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = 0;
	return inet_pton(AF_INET, copy, ret) == 1;
}

/* Of one host, and not of this one to itself. */
static bool parse_host(struct slice text, struct in_addr *ret)
{
	if (!parse_address(text, ret))
		return false;
	uint32_t first = ntohl(ret->s_addr) >> 24;
	return first != 0 && first != 127 && first < 224;
}

static uint32_t mask_of(int prefix)
{
	return htonl(~UINT32_C(0) << (32 - prefix));
}

bool peer_networks_overlap(struct in_addr a, int a_prefix, struct in_addr b, int b_prefix)
{
	return ((a.s_addr ^ b.s_addr) & mask_of(a_prefix < b_prefix ? a_prefix : b_prefix)) == 0;
}

bool peer_parse_network(struct slice text, struct in_addr *ret, int *ret_prefix)
{
	struct slice address = slice_cut(&text, '/');
	uint64_t prefix;
	if (!text.ptr || !parse_address(address, ret) || !slice_to_u64(text, &prefix) || prefix < 1 || prefix > 32)
		return false;
	*ret_prefix = (int)prefix;
	return (ret->s_addr & ~mask_of(*ret_prefix)) == 0;
}

static int digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = strchr(digits, c | 0x20);
	return c && at ? (int)(at - digits) : -1;
}

bool peer_parse_mac(struct slice text, unsigned char ret[6])
{
	if (text.len != 17)
		return false;
	for (size_t i = 0; i < 6; i++) {
		int high = digit(text.ptr[3 * i]), low = digit(text.ptr[3 * i + 1]);
		if (high < 0 || low < 0 || (i < 5 && text.ptr[3 * i + 2] != ':'))
			return false;
		ret[i] = (unsigned char)(high << 4 | low);
	}
	static const unsigned char none[6];
	return !(ret[0] & 1) && memcmp(ret, none, sizeof none) != 0;
}

static bool read_host(const struct json *node, const struct json *annotations, struct in_addr *ret)
{
	if (parse_host(json_get_str(annotations, FABRIC_ANNOTATION "public-ip"), ret))
		return true;
	JSON_FOREACH (it, json_path(node, "status", "addresses", NULL))
		if (slice_is(json_get_str(it, "type"), "InternalIP") && parse_host(json_get_str(it, "address"), ret))
			return true;
	return false;
}

struct peer peer_read(struct slice text)
{
	struct arena a = ARENA_INIT;
	struct peer p = {0};
	const struct json *node = json_parse(&a, text, NULL, NULL);
	const struct json *annotations = json_path(node, "metadata", "annotations", NULL);
	const struct json *data =
	        json_parse(&a, json_get_str(annotations, FABRIC_ANNOTATION "backend-data"), NULL, NULL);
	p.has_pods = peer_parse_network(json_str(json_path(node, "spec", "podCIDR", NULL)), &p.pods, &p.prefix);
	p.has_host = read_host(node, annotations, &p.host);
	p.is_host_gw = slice_is(json_get_str(annotations, FABRIC_ANNOTATION "backend-type"), "host-gw");
	p.has_mac = slice_is(json_get_str(annotations, FABRIC_ANNOTATION "backend-type"), "vxlan") &&
	            peer_parse_mac(json_get_str(data, "VtepMAC"), p.mac);
	arena_release(&a);
	return p;
}

bool peer_equal(const struct peer *a, const struct peer *b)
{
	return a->host.s_addr == b->host.s_addr && a->pods.s_addr == b->pods.s_addr && a->prefix == b->prefix &&
	       memcmp(a->mac, b->mac, sizeof a->mac) == 0 && a->has_pods == b->has_pods && a->has_host == b->has_host &&
	       a->has_mac == b->has_mac;
}
