/* See peer.h. */
#include "net/fabric/peer.h"

#include "base/check.h"
#include "base/json/json.h"

/* What flannel calls them in each family. */
static const struct {
	const char *data, *address, *overwrite;
} annotation_names[IP_FAMILIES] = {
        [IP_V4] = {FABRIC_ANNOTATION "backend-data", FABRIC_ANNOTATION "public-ip",
                FABRIC_ANNOTATION "public-ip-overwrite"},
        [IP_V6] = {FABRIC_ANNOTATION "backend-v6-data", FABRIC_ANNOTATION "public-ipv6",
                FABRIC_ANNOTATION "public-ipv6-overwrite"},
};

/* Of one host, and not of this one to itself. */
static bool is_a_hosts(const struct ip *ip)
{
	static const struct ip none = {.family = IP_V6}, self = {.family = IP_V6, .bytes = {[15] = 1}};
	unsigned char first = ip->bytes[0];
	if (ip->family == IP_V4)
		return first != 0 && first != 127 && first < 224;
	bool is_link_local = first == 0xfe && (ip->bytes[1] & 0xc0) == 0x80;
	return first != 0xff && !is_link_local && !ip_equal(ip, &none) && !ip_equal(ip, &self);
}

static bool parse_host(struct slice text, enum ip_family f, struct ip *ret)
{
	return ip_parse(text, ret) && ret->family == f && is_a_hosts(ret);
}

bool peer_parse_network(struct slice text, struct ip_net *ret)
{
	struct ip_net n;
	if (!ip_net_parse(text, &n) || n.bits == 0)
		return false;
	*ret = n;
	return true;
}

bool peer_parse_mac(struct slice text, unsigned char ret[6])
{
	if (text.len != 17)
		return false;
	for (size_t i = 0; i < 6; i++) {
		int high = hex_digit(text.ptr[3 * i]), low = hex_digit(text.ptr[3 * i + 1]);
		if (high < 0 || low < 0 || (i < 5 && text.ptr[3 * i + 2] != ':'))
			return false;
		ret[i] = (unsigned char)(high << 4 | low);
	}
	static const unsigned char none[6];
	return !(ret[0] & 1) && memcmp(ret, none, sizeof none) != 0;
}

static bool read_host(const struct json *node, const struct json *annotations, enum ip_family f, struct ip *ret)
{
	if (parse_host(json_get_str(annotations, annotation_names[f].address), f, ret))
		return true;
	JSON_FOREACH (it, json_path(node, "status", "addresses", NULL))
		if (slice_is(json_get_str(it, "type"), "InternalIP") && parse_host(json_get_str(it, "address"), f, ret))
			return true;
	return false;
}

/* podCIDRs, or of a node of before that field podCIDR alone. */
static void read_pods(const struct json *spec, struct peer *p)
{
	struct ip_net n;
	const struct json *list = json_get(spec, "podCIDRs");
	JSON_FOREACH (it, list)
		if (peer_parse_network(json_str(it), &n) && !p->ends[n.first.family].has_pods) {
			p->ends[n.first.family].pods = n;
			p->ends[n.first.family].has_pods = true;
		}
	if (!(list && list->first) && peer_parse_network(json_get_str(spec, "podCIDR"), &n)) {
		p->ends[n.first.family].pods = n;
		p->ends[n.first.family].has_pods = true;
	}
}

static enum fabric_backend backend_of(struct slice type)
{
	static const char *const names[] = {[FABRIC_NONE] = "",
	        [FABRIC_VXLAN] = "vxlan",
	        [FABRIC_HOST_GW] = "host-gw",
	        [FABRIC_WIREGUARD] = "wireguard"};
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (slice_is(type, names[i]))
			return (enum fabric_backend)i;
	return FABRIC_NONE;
}

struct peer peer_read(struct slice text)
{
	struct arena a = ARENA_INIT;
	struct peer p = {0};
	const struct json *node = json_parse(&a, text, NULL, NULL);
	const struct json *annotations = json_path(node, "metadata", "annotations", NULL);
	p.backend = backend_of(json_get_str(annotations, FABRIC_ANNOTATION "backend-type"));
	read_pods(json_get(node, "spec"), &p);
	for (int f = 0; f < IP_FAMILIES; f++) {
		struct peer_end *e = &p.ends[f];
		const struct json *data =
		        json_parse(&a, json_get_str(annotations, annotation_names[f].data), NULL, NULL);
		e->has_host = read_host(node, annotations, (enum ip_family)f, &e->host);
		e->has_overwrite = parse_host(
		        json_get_str(annotations, annotation_names[f].overwrite), (enum ip_family)f, &e->overwrite);
		e->has_mac = p.backend == FABRIC_VXLAN && peer_parse_mac(json_get_str(data, "VtepMAC"), e->mac);
		e->has_key =
		        p.backend == FABRIC_WIREGUARD && wireguard_key_parse(json_get_str(data, "PublicKey"), &e->key);
	}
	arena_release(&a);
	return p;
}

bool peer_end_is_same(const struct peer_end *a, const struct peer_end *b)
{
	return (a->has_mac && b->has_mac && memcmp(a->mac, b->mac, sizeof a->mac) == 0) ||
	       (a->has_key && b->has_key && wireguard_key_equal(&a->key, &b->key));
}

bool peer_end_equal(const struct peer_end *a, const struct peer_end *b)
{
	return a->has_pods == b->has_pods && a->has_host == b->has_host && a->has_mac == b->has_mac &&
	       a->has_key == b->has_key && (!a->has_pods || ip_net_equal(&a->pods, &b->pods)) &&
	       (!a->has_host || ip_equal(&a->host, &b->host)) && memcmp(a->mac, b->mac, sizeof a->mac) == 0 &&
	       wireguard_key_equal(&a->key, &b->key);
}
