/* See message.h.
 *
 *     netlink header, 16 bytes | generic header: command, version, 2 reserved | attributes
 *     attribute: length with these 4 bytes, type | value | up to a multiple of 4
 *
 * A nested attribute holds attributes. Lists (peers, the networks of one) are nests whose entries have type 0. Numbers
 * are in the machine's order, addresses and ports of endpoints in the network's. What comes is read byte by byte, each
 * length against what is left, for it need not lie where the machine likes it. */
#include "net/fabric/wireguard/message.h"

#include "base/check.h"

#include <linux/genetlink.h>
#include <linux/wireguard.h>
#include <net/if.h>
#include <netinet/in.h>

_Static_assert((int)WIREGUARD_KEY_BYTES == WG_KEY_LEN, "the kernel's keys are ours");

/* A message ends behind the peer that passes this; the kernel takes several times as much. */
enum { FULL_BYTES = 16 * 1024, ATTRIBUTE_HEAD = NLA_HDRLEN };

/* ---- questions ---- */

static void pad(struct strbuf *out)
{
	static const char zeros[NLA_ALIGNTO];
	strbuf_add(out, zeros, NLA_ALIGN(out->len) - out->len);
}

static void attribute(struct strbuf *out, uint16_t type, const void *data, size_t len)
{
	struct nlattr a = {.nla_len = (uint16_t)(ATTRIBUTE_HEAD + len), .nla_type = type};
	strbuf_add(out, &a, sizeof a);
	strbuf_add(out, data, len);
	pad(out);
}

/* Where it begins, for end_nest(). */
static size_t begin_nest(struct strbuf *out, uint16_t type)
{
	size_t at = out->len;
	attribute(out, (uint16_t)(type | NLA_F_NESTED), NULL, 0);
	return at;
}

static void end_nest(struct strbuf *out, size_t at)
{
	uint16_t len = (uint16_t)(out->len - at);
	CHECK(out->len - at <= UINT16_MAX);
	memcpy(out->data + at, &len, sizeof len);
}

static size_t begin(struct strbuf *out, uint16_t type, uint16_t flags, uint32_t seq, uint8_t command, uint8_t version)
{
	struct nlmsghdr h = {.nlmsg_type = type, .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags), .nlmsg_seq = seq};
	struct genlmsghdr g = {.cmd = command, .version = version};
	size_t at = out->len;
	strbuf_add(out, &h, sizeof h);
	strbuf_add(out, &g, sizeof g);
	return at;
}

static void end(struct strbuf *out, size_t at)
{
	uint32_t len = (uint32_t)(out->len - at);
	memcpy(out->data + at, &len, sizeof len);
}

void wireguard_message_family(struct strbuf *out, uint32_t seq, const char *name)
{
	size_t at = begin(out, GENL_ID_CTRL, NLM_F_ACK, seq, CTRL_CMD_GETFAMILY, 1);
	attribute(out, CTRL_ATTR_FAMILY_NAME, name, strlen(name) + 1);
	end(out, at);
}

void wireguard_message_get(struct strbuf *out, uint16_t family, uint32_t seq, const char *link)
{
	size_t at = begin(out, family, NLM_F_DUMP, seq, WG_CMD_GET_DEVICE, WG_GENL_VERSION);
	attribute(out, WGDEVICE_A_IFNAME, link, strlen(link) + 1);
	end(out, at);
}

static void write_endpoint(struct strbuf *out, const struct wireguard_peer *p)
{
	if (p->endpoint.family == IP_V6) {
		struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(p->port)};
		memcpy(&a.sin6_addr, p->endpoint.bytes, sizeof a.sin6_addr);
		attribute(out, WGPEER_A_ENDPOINT, &a, sizeof a);
		return;
	}
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(p->port)};
	memcpy(&a.sin_addr, p->endpoint.bytes, sizeof a.sin_addr);
	attribute(out, WGPEER_A_ENDPOINT, &a, sizeof a);
}

static void write_net(struct strbuf *out, const struct ip_net *n)
{
	uint16_t family = (uint16_t)ip_af(n->first.family);
	uint8_t bits = (uint8_t)n->bits;
	size_t at = begin_nest(out, 0);
	attribute(out, WGALLOWEDIP_A_FAMILY, &family, sizeof family);
	attribute(out, WGALLOWEDIP_A_IPADDR, n->first.bytes, ip_bytes(n->first.family));
	attribute(out, WGALLOWEDIP_A_CIDR_MASK, &bits, sizeof bits);
	end_nest(out, at);
}

static void write_change(struct strbuf *out, const struct wireguard_change *c)
{
	const struct wireguard_peer *p = &c->peer;
	uint32_t flags = c->is_removal ? WGPEER_F_REMOVE_ME : WGPEER_F_REPLACE_ALLOWEDIPS;
	size_t at = begin_nest(out, 0);
	attribute(out, WGPEER_A_PUBLIC_KEY, p->key.bytes, sizeof p->key.bytes);
	attribute(out, WGPEER_A_FLAGS, &flags, sizeof flags);
	if (!c->is_removal) {
		if (c->has_endpoint)
			write_endpoint(out, p);
		attribute(out, WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, &p->keepalive_s, sizeof p->keepalive_s);
		size_t nets = begin_nest(out, WGPEER_A_ALLOWEDIPS);
		if (p->nets)
			write_net(out, &p->allowed);
		end_nest(out, nets);
	}
	end_nest(out, at);
}

static void write_device(struct strbuf *out, const struct wireguard_request *r)
{
	uint32_t flags = WGDEVICE_F_REPLACE_PEERS;
	if (r->replaces_peers)
		attribute(out, WGDEVICE_A_FLAGS, &flags, sizeof flags);
	if (r->private_key)
		attribute(out, WGDEVICE_A_PRIVATE_KEY, r->private_key->bytes, sizeof r->private_key->bytes);
	if (r->port)
		attribute(out, WGDEVICE_A_LISTEN_PORT, &r->port, sizeof r->port);
}

size_t wireguard_message_set(struct strbuf *out, uint16_t family, uint32_t seq, const char *link,
        const struct wireguard_request *r, size_t from)
{
	size_t at = begin(out, family, NLM_F_ACK, seq, WG_CMD_SET_DEVICE, WG_GENL_VERSION), next = from;
	attribute(out, WGDEVICE_A_IFNAME, link, strlen(link) + 1);
	if (from == 0)
		write_device(out, r);
	if (next < r->count) {
		size_t peers = begin_nest(out, WGDEVICE_A_PEERS);
		while (next < r->count && out->len - at < FULL_BYTES)
			write_change(out, &r->changes[next++]);
		end_nest(out, peers);
	}
	end(out, at);
	return next;
}

/* ---- answers ---- */

/* The next attribute; false: there is none. */
static bool next_attribute(struct slice *rest, uint16_t *ret_type, struct slice *ret)
{
	struct nlattr a;
	if (rest->len < sizeof a)
		return false;
	memcpy(&a, rest->ptr, sizeof a);
	if (a.nla_len < ATTRIBUTE_HEAD || a.nla_len > rest->len)
		return false;
	size_t step = NLA_ALIGN((size_t)a.nla_len) < rest->len ? NLA_ALIGN((size_t)a.nla_len) : rest->len;
	*ret_type = a.nla_type & NLA_TYPE_MASK;
	*ret = (struct slice){rest->ptr + ATTRIBUTE_HEAD, a.nla_len - ATTRIBUTE_HEAD};
	*rest = (struct slice){rest->ptr + step, rest->len - step};
	return true;
}

static bool copy(struct slice value, void *ret, size_t len)
{
	if (value.len < len)
		return false;
	memcpy(ret, value.ptr, len);
	return true;
}

bool wireguard_message_walk(
        struct slice datagram, uint32_t seq, void (*fn)(void *arg, struct slice body), void *arg, int *ret_errno)
{
	struct nlmsghdr h;
	while (copy(datagram, &h, sizeof h) && h.nlmsg_len >= sizeof h && h.nlmsg_len <= datagram.len) {
		struct slice body = {datagram.ptr + sizeof h, h.nlmsg_len - sizeof h};
		size_t step = NLMSG_ALIGN((size_t)h.nlmsg_len);
		bool is_last = h.nlmsg_type == NLMSG_ERROR || h.nlmsg_type == NLMSG_DONE;
		int error = 0;
		if (h.nlmsg_seq == seq && is_last) {
			copy(body, &error, sizeof error);
			*ret_errno = error < 0 && error > -4096 ? -error : 0;
			return true;
		}
		if (h.nlmsg_seq == seq && h.nlmsg_type != NLMSG_NOOP)
			fn(arg, body);
		if (step >= datagram.len)
			break;
		datagram = (struct slice){datagram.ptr + step, datagram.len - step};
	}
	return false;
}

static bool attributes_of(struct slice body, struct slice *ret)
{
	if (body.len < GENL_HDRLEN)
		return false;
	*ret = (struct slice){body.ptr + GENL_HDRLEN, body.len - GENL_HDRLEN};
	return true;
}

bool wireguard_message_read_family(struct slice body, uint16_t *ret)
{
	struct slice rest, value;
	uint16_t type;
	if (!attributes_of(body, &rest))
		return false;
	while (next_attribute(&rest, &type, &value))
		if (type == CTRL_ATTR_FAMILY_ID)
			return copy(value, ret, sizeof *ret);
	return false;
}

static void read_endpoint(struct slice value, struct wireguard_peer *p)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	sa_family_t family = AF_UNSPEC;
	copy(value, &family, sizeof family);
	if (family == AF_INET && copy(value, &v4, sizeof v4)) {
		p->endpoint = (struct ip){.family = IP_V4};
		memcpy(p->endpoint.bytes, &v4.sin_addr, sizeof v4.sin_addr);
		p->port = ntohs(v4.sin_port);
	} else if (family == AF_INET6 && copy(value, &v6, sizeof v6)) {
		p->endpoint = (struct ip){.family = IP_V6};
		memcpy(p->endpoint.bytes, &v6.sin6_addr, sizeof v6.sin6_addr);
		p->port = ntohs(v6.sin6_port);
	}
}

static bool read_net(struct slice rest, struct ip_net *ret)
{
	struct slice value, address = SLICE_NULL;
	uint16_t type, family = AF_UNSPEC;
	uint8_t bits = UINT8_MAX;
	while (next_attribute(&rest, &type, &value)) {
		if (type == WGALLOWEDIP_A_FAMILY)
			copy(value, &family, sizeof family);
		if (type == WGALLOWEDIP_A_CIDR_MASK)
			copy(value, &bits, sizeof bits);
		if (type == WGALLOWEDIP_A_IPADDR)
			address = value;
	}
	*ret = (struct ip_net){.first.family = family == AF_INET6 ? IP_V6 : IP_V4, .bits = bits};
	return (family == AF_INET || family == AF_INET6) && bits <= ip_bits(ret->first.family) &&
	       copy(address, ret->first.bytes, ip_bytes(ret->first.family));
}

static bool read_nets(struct slice rest, struct wireguard_peer *p)
{
	struct slice value;
	struct ip_net n;
	uint16_t type;
	while (next_attribute(&rest, &type, &value)) {
		if (!read_net(value, &n))
			return false;
		if (!p->nets++)
			p->allowed = n;
	}
	return true;
}

/* A peer of more networks than fit into a message comes again in the next one, with its key and the rest of them. */
static bool read_peer(struct slice rest, struct wireguard_device *d)
{
	struct slice value, nets = SLICE_NULL;
	struct wireguard_peer p = {0};
	uint16_t type;
	bool has_key = false;
	while (next_attribute(&rest, &type, &value)) {
		if (type == WGPEER_A_PUBLIC_KEY)
			has_key = copy(value, p.key.bytes, sizeof p.key.bytes);
		if (type == WGPEER_A_ENDPOINT)
			read_endpoint(value, &p);
		if (type == WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL)
			copy(value, &p.keepalive_s, sizeof p.keepalive_s);
		if (type == WGPEER_A_ALLOWEDIPS)
			nets = value;
	}
	if (!has_key)
		return false;
	struct wireguard_peer *known = wireguard_device_find(d, &p.key);
	return read_nets(nets, known ? known : wireguard_device_put(d, &p));
}

bool wireguard_message_read_device(struct slice body, struct wireguard_device *ret)
{
	struct slice rest, value, entry;
	uint16_t type, unused;
	bool reads = attributes_of(body, &rest);
	while (reads && next_attribute(&rest, &type, &value)) {
		if (type == WGDEVICE_A_PRIVATE_KEY)
			reads = copy(value, ret->private_key.bytes, sizeof ret->private_key.bytes);
		if (type == WGDEVICE_A_LISTEN_PORT)
			reads = copy(value, &ret->port, sizeof ret->port);
		while (type == WGDEVICE_A_PEERS && reads && next_attribute(&value, &unused, &entry))
			reads = read_peer(entry, ret);
	}
	return reads;
}
