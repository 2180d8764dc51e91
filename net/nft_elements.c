/* See nft_elements.h. The messages are those of linux/netfilter/nf_tables.h: a batch begins and ends with messages of
 * its own, and is committed or dropped as a whole. Fields of a key lie in registers of four bytes: a port of two is
 * followed by two of zero. The numbers of a random choice are the processor's, all else is in the network's order. */
#include "net/nft_elements.h"

#include "base/check.h"
#include "base/ip.h"
#include "base/mem/arena.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_BYTES = 64 * 1024, ANSWER_S = 30 };

/* ---- messages ---- */

static size_t begin_message(struct strbuf *out, uint16_t type, uint16_t flags, uint8_t family, uint16_t resource)
{
	size_t at = out->len;
	struct nlmsghdr h = {.nlmsg_type = type, .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags)};
	struct nfgenmsg g = {.nfgen_family = family, .version = NFNETLINK_V0, .res_id = htons(resource)};
	strbuf_add(out, &h, sizeof h);
	strbuf_add(out, &g, sizeof g);
	return at;
}

static void end_message(struct strbuf *out, size_t at)
{
	uint32_t len = (uint32_t)(out->len - at);
	memcpy(out->data + at + offsetof(struct nlmsghdr, nlmsg_len), &len, sizeof len);
}

static void ask_for_answer(struct strbuf *out, size_t at)
{
	uint16_t flags;
	memcpy(&flags, out->data + at + offsetof(struct nlmsghdr, nlmsg_flags), sizeof flags);
	flags |= NLM_F_ACK;
	memcpy(out->data + at + offsetof(struct nlmsghdr, nlmsg_flags), &flags, sizeof flags);
}

static size_t begin_nest(struct strbuf *out, uint16_t type)
{
	size_t at = out->len;
	struct nlattr a = {.nla_type = type | NLA_F_NESTED};
	strbuf_add(out, &a, sizeof a);
	return at;
}

static bool end_nest(struct strbuf *out, size_t at)
{
	size_t len = out->len - at;
	uint16_t short_len = (uint16_t)len;
	memcpy(out->data + at + offsetof(struct nlattr, nla_len), &short_len, sizeof short_len);
	return len <= UINT16_MAX;
}

static void add_attribute(struct strbuf *out, uint16_t type, const void *data, size_t len)
{
	static const char zeroes[NLA_ALIGNTO];
	struct nlattr a = {.nla_len = (uint16_t)(sizeof a + len), .nla_type = type};
	strbuf_add(out, &a, sizeof a);
	strbuf_add(out, data, len);
	strbuf_add(out, zeroes, NLA_ALIGN(len) - len);
}

static void add_name(struct strbuf *out, uint16_t type, struct slice name)
{
	char text[NFT_NAME_MAXLEN] = {0};
	memcpy(text, name.ptr, name.len);
	add_attribute(out, type, text, name.len + 1);
}

/* ---- elements ---- */

/* What stands before the separator; `rest` is what stands behind it. */
static struct slice cut(struct slice *rest, const char *separator)
{
	size_t n = strlen(separator);
	const char *at = rest->len ? memmem(rest->ptr, rest->len, separator, n) : NULL;
	struct slice head = *rest;
	if (at)
		head.len = (size_t)(at - rest->ptr);
	*rest = at ? (struct slice){at + n, rest->len - head.len - n} : SLICE_NULL;
	return slice_trim(head);
}

static int protocol_number(struct slice name)
{
	return slice_is(name, "tcp")    ? IPPROTO_TCP
	       : slice_is(name, "udp")  ? IPPROTO_UDP
	       : slice_is(name, "sctp") ? IPPROTO_SCTP
	                                : -1;
}

/* Writes one field of a key at `to`; its length there, 0: the text is none. */
static size_t put_field(unsigned char *to, char kind, enum ip_family family, struct slice text)
{
	struct ip ip;
	uint64_t n;
	int protocol;
	switch (kind) {
	case 'a':
		if (!ip_parse(text, &ip) || ip.family != family)
			return 0;
		memcpy(to, ip.bytes, ip_bytes(family));
		return ip_bytes(family);
	case 'p':
		if (!slice_to_u64(text, &n) || n > UINT16_MAX)
			return 0;
		memcpy(to, &(uint16_t){htons((uint16_t)n)}, sizeof(uint16_t));
		return sizeof(uint32_t);
	case 't':
		if ((protocol = protocol_number(text)) < 0)
			return 0;
		*to = (unsigned char)protocol;
		return sizeof(uint32_t);
	default:
		CHECK(kind == 'n');
		if (!slice_to_u64(text, &n) || n > UINT32_MAX)
			return 0;
		memcpy(to, &(uint32_t){(uint32_t)n}, sizeof(uint32_t));
		return sizeof(uint32_t);
	}
}

/* The length of a field by itself, where nothing follows that it must be aligned for. */
static size_t alone(char kind, size_t len)
{
	return kind == 'p' ? sizeof(uint16_t) : kind == 't' ? 1 : len;
}

static bool add_fields(struct strbuf *out, uint16_t type, const char *kinds, enum ip_family family, struct slice text)
{
	unsigned char bytes[NFT_DATA_VALUE_MAXLEN] = {0};
	size_t len = 0, n = strlen(kinds);
	CHECK(n > 0 && n * 16 <= sizeof bytes);
	for (size_t i = 0; i < n; i++) {
		size_t field = put_field(bytes + len, kinds[i], family, cut(&text, " . "));
		if (!field)
			return false;
		len += n == 1 ? alone(kinds[i], field) : field;
	}
	size_t at = begin_nest(out, type);
	add_attribute(out, NFTA_DATA_VALUE, bytes, len);
	return end_nest(out, at) && !text.len;
}

static bool add_verdict(struct strbuf *out, struct slice text)
{
	static const char verb[] = "goto ";
	if (!slice_starts(text, verb) || text.len - (sizeof verb - 1) >= NFT_NAME_MAXLEN)
		return false;
	size_t data = begin_nest(out, NFTA_SET_ELEM_DATA), verdict = begin_nest(out, NFTA_DATA_VERDICT);
	add_attribute(out, NFTA_VERDICT_CODE, &(uint32_t){htonl((uint32_t)NFT_GOTO)}, sizeof(uint32_t));
	add_name(out, NFTA_VERDICT_CHAIN, (struct slice){text.ptr + sizeof verb - 1, text.len - (sizeof verb - 1)});
	return end_nest(out, verdict) && end_nest(out, data);
}

static bool add_element(
        struct strbuf *out, const struct nft_set_kind *kind, enum ip_family family, bool is_delete, struct slice text)
{
	struct slice value = text, key = cut(&value, " : ");
	size_t at = begin_nest(out, NFTA_LIST_ELEM);
	if (!add_fields(out, NFTA_SET_ELEM_KEY, kind->key, family, key))
		return false;
	if (!kind->value || is_delete)
		return end_nest(out, at) && !value.len;
	bool fits = strcmp(kind->value, "v") == 0 ? add_verdict(out, value)
	                                          : add_fields(out, NFTA_SET_ELEM_DATA, kind->value, family, value);
	return end_nest(out, at) && fits;
}

/* ---- commands ---- */

static const struct nft_set_kind *kind_of(const struct nft_set_kind *kinds, size_t n, struct slice name)
{
	for (size_t i = 0; i < n; i++)
		if (slice_is(name, kinds[i].name))
			return &kinds[i];
	return NULL;
}

/* "add element ip NAME SET { ELEMENTS }". */
static bool add_command(
        struct strbuf *out, const char *table, const struct nft_set_kind *kinds, size_t n_kinds, struct slice line)
{
	struct slice name = slice_of(table), family_name = slice_cut(&name, ' ');
	enum ip_family family = slice_is(family_name, "ip6") ? IP_V6 : IP_V4;
	struct slice verb = slice_cut(&line, ' '), what = slice_cut(&line, ' ');
	bool is_delete = slice_is(verb, "delete");
	if ((!is_delete && !slice_is(verb, "add")) || !slice_is(what, "element") ||
	        !slice_eq(slice_cut(&line, ' '), family_name) || !slice_eq(slice_cut(&line, ' '), name))
		return false;
	struct slice set = slice_cut(&line, ' '), open = slice_cut(&line, ' ');
	const struct nft_set_kind *kind = kind_of(kinds, n_kinds, set);
	if (!kind || !slice_is(open, "{") || !slice_ends(line, " }") || name.len >= NFT_NAME_MAXLEN)
		return false;
	line.len -= sizeof " }" - 1;
	size_t message = begin_message(out,
	        (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | (is_delete ? NFT_MSG_DELSETELEM : NFT_MSG_NEWSETELEM)),
	        is_delete ? 0 : NLM_F_CREATE, family == IP_V6 ? NFPROTO_IPV6 : NFPROTO_IPV4, 0);
	add_name(out, NFTA_SET_ELEM_LIST_TABLE, name);
	add_name(out, NFTA_SET_ELEM_LIST_SET, set);
	size_t list = begin_nest(out, NFTA_SET_ELEM_LIST_ELEMENTS);
	while (line.len)
		if (!add_element(out, kind, family, is_delete, cut(&line, ", ")) || out->len > NFT_ELEMENTS_BYTES_MAX)
			return false;
	bool fits = end_nest(out, list);
	end_message(out, message);
	return fits;
}

bool nft_elements_encode(
        struct strbuf *out, const char *table, const struct nft_set_kind *kinds, size_t n_kinds, struct slice commands)
{
	size_t at = begin_message(out, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	end_message(out, at);
	if (!commands.len)
		return false;
	while (commands.len) {
		at = out->len;
		if (!add_command(out, table, kinds, n_kinds, slice_cut(&commands, '\n')))
			return false;
	}
	ask_for_answer(out, at); /* of the last, for those before it are told of only when they fail */
	at = begin_message(out, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	end_message(out, at);
	return true;
}

/* ---- the kernel ---- */

int nft_elements_open(unsigned *ret_port)
{
	struct sockaddr_nl to = {.nl_family = AF_NETLINK}, ours = {0};
	socklen_t len = sizeof ours;
	struct timeval patience = {.tv_sec = ANSWER_S};
	int size = 2 * NFT_ELEMENTS_BYTES_MAX, fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	if (fd < 0)
		return -1;
	if (bind(fd, (struct sockaddr *)&to, sizeof to) != 0 || getsockname(fd, (struct sockaddr *)&ours, &len) != 0 ||
	        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) != 0 ||
	        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0) {
		close(fd);
		return -1;
	}
	*ret_port = ours.nl_pid;
	return fd;
}

/* The first error among answers; 0 with *ret_taken: the answer that was asked for is there. */
static int read_answers(const char *data, size_t len, bool *ret_taken)
{
	const struct nlmsghdr *h = (const void *)data;
	for (size_t left = len; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
		const struct nlmsgerr *e = NLMSG_DATA(h);
		if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_len < NLMSG_LENGTH(sizeof e->error))
			continue;
		if (e->error)
			return -e->error;
		*ret_taken = true;
	}
	return 0;
}

/* What is left of an earlier batch's answers is none of this one's. */
static void drain(int fd, char *buffer)
{
	while (recv(fd, buffer, ANSWER_BYTES, MSG_DONTWAIT) > 0)
		;
}

int nft_elements_send(int fd, struct slice batch)
{
	char *buffer = xmalloc(ANSWER_BYTES);
	bool is_taken = false;
	int rc = 0;
	CHECK(fd >= 0 && batch.len > 0);
	drain(fd, buffer);
	if (send(fd, batch.ptr, batch.len, 0) != (ssize_t)batch.len)
		rc = errno ? errno : EIO;
	while (rc == 0 && !is_taken) {
		ssize_t n = recv(fd, buffer, ANSWER_BYTES, 0);
		if (n < 0 && errno == EINTR)
			continue;
		rc = n <= 0 ? (n < 0 ? errno : EIO) : read_answers(buffer, (size_t)n, &is_taken);
	}
	free(buffer);
	return rc;
}
