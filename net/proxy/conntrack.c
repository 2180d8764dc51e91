/* See conntrack.h. All flows are listed, for no kernel selects them by what we ask; those that go are named by the
 * tuple that the kernel itself said, byte for byte, after the list has ended: two questions on one socket don't mix.
 * One that ended by itself meanwhile is as good as forgotten. */
#include "net/proxy/conntrack.h"

#include "base/check.h"
#include "base/mem/str.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_BYTES = 64 * 1024, ANSWER_S = 5, QUESTION_BYTES = 512 };

struct question {
	struct nlmsghdr h;
	struct nfgenmsg g;
	char attributes[QUESTION_BYTES];
};

/* ---- attributes ---- */

/* The payload of the first attribute of this type; SLICE_NULL: none. */
static struct slice attribute(struct slice in, uint16_t type)
{
	while (in.len >= sizeof(struct nlattr)) {
		const struct nlattr *a = (const void *)in.ptr;
		size_t all = NLA_ALIGN(a->nla_len);
		if (a->nla_len < sizeof *a || a->nla_len > in.len)
			break;
		if ((a->nla_type & NLA_TYPE_MASK) == type)
			return (struct slice){in.ptr + sizeof *a, a->nla_len - sizeof *a};
		if (all >= in.len)
			break;
		in = (struct slice){in.ptr + all, in.len - all};
	}
	return SLICE_NULL;
}

static uint32_t number(struct slice s, size_t bytes)
{
	uint32_t n = 0;
	for (size_t i = 0; s.len == bytes && i < bytes; i++)
		n = n << 8 | (unsigned char)s.ptr[i];
	return n;
}

static bool address(struct slice tuple, uint16_t type_v4, uint16_t type_v6, struct ip *ret)
{
	struct slice ip = attribute(tuple, CTA_TUPLE_IP), v4 = attribute(ip, type_v4), v6 = attribute(ip, type_v6);
	struct slice s = v6.ptr ? v6 : v4;
	*ret = (struct ip){.family = v6.ptr ? IP_V6 : IP_V4};
	if (s.len != ip_bytes(ret->family))
		return false;
	memcpy(ret->bytes, s.ptr, s.len);
	return true;
}

/* False: it is no UDP flow. */
static bool read_flow(struct slice in, struct conntrack_flow *ret)
{
	struct slice there = attribute(in, CTA_TUPLE_ORIG), back = attribute(in, CTA_TUPLE_REPLY);
	struct slice proto = attribute(there, CTA_TUPLE_PROTO), back_proto = attribute(back, CTA_TUPLE_PROTO);
	if (number(attribute(proto, CTA_PROTO_NUM), 1) != IPPROTO_UDP)
		return false;
	ret->port = (uint16_t)number(attribute(proto, CTA_PROTO_DST_PORT), 2);
	ret->by_port = (uint16_t)number(attribute(back_proto, CTA_PROTO_SRC_PORT), 2);
	return address(there, CTA_IP_V4_DST, CTA_IP_V6_DST, &ret->to) &&
	       address(back, CTA_IP_V4_SRC, CTA_IP_V6_SRC, &ret->by);
}

/* ---- questions ---- */

static void begin(struct question *q, unsigned message, uint16_t flags, uint32_t seq)
{
	memset(q, 0, sizeof *q);
	q->h = (struct nlmsghdr){.nlmsg_len = NLMSG_LENGTH(sizeof q->g),
	        .nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | message),
	        .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
	        .nlmsg_seq = seq};
	q->g = (struct nfgenmsg){.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0}; /* both */
}

static void add(struct question *q, uint16_t type, struct slice payload)
{
	struct nlattr *a = (void *)((char *)q + NLMSG_ALIGN(q->h.nlmsg_len));
	CHECK(NLMSG_ALIGN(q->h.nlmsg_len) + NLA_HDRLEN + NLA_ALIGN(payload.len) <= sizeof *q);
	*a = (struct nlattr){(uint16_t)(NLA_HDRLEN + payload.len), type};
	memcpy(a + 1, payload.ptr, payload.len);
	q->h.nlmsg_len = (uint32_t)(NLMSG_ALIGN(q->h.nlmsg_len) + NLA_ALIGN(a->nla_len));
}

struct sweep {
	int fd;
	uint32_t seq;
	bool (*is_stale)(void *arg, const struct conntrack_flow *f);
	void *arg;
	struct strbuf stale; /* questions, one behind the other */
	size_t count;
};

static void look_at(struct sweep *s, const struct nlmsghdr *h)
{
	struct question q;
	struct conntrack_flow f;
	struct slice in = {(const char *)h + NLMSG_LENGTH(sizeof q.g), h->nlmsg_len - NLMSG_LENGTH(sizeof q.g)}, zone;
	if (!read_flow(in, &f) || !s->is_stale(s->arg, &f))
		return;
	struct slice tuple = attribute(in, CTA_TUPLE_ORIG);
	zone = attribute(in, CTA_ZONE);
	if (tuple.len > QUESTION_BYTES / 2 || zone.len > 8)
		return;
	begin(&q, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, 0);
	q.g.nfgen_family = (uint8_t)ip_af(f.to.family);
	add(&q, CTA_TUPLE_ORIG | NLA_F_NESTED, tuple);
	if (zone.len)
		add(&q, CTA_ZONE, zone);
	strbuf_add(&s->stale, &q, sizeof q);
	s->count++;
}

/* Answers until the last one. */
static int answers(struct sweep *s, struct err *err)
{
	_Alignas(struct nlmsghdr) char answer[ANSWER_BYTES];
	for (;;) {
		ssize_t got = recv(s->fd, answer, sizeof answer, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_errno(err, errno, "read what is tracked");
		size_t len = (size_t)got;
		for (struct nlmsghdr *h = (void *)answer; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
			if (h->nlmsg_seq != s->seq)
				continue;
			if (h->nlmsg_type == NLMSG_DONE)
				return 0;
			if (h->nlmsg_type == NLMSG_ERROR) {
				int error = -((struct nlmsgerr *)NLMSG_DATA(h))->error;
				bool is_gone = error == 0 || error == ENOENT;
				return is_gone ? 0 : err_errno(err, error, "ask what is tracked");
			}
			if (h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct nfgenmsg)))
				look_at(s, h);
		}
	}
}

static int ask(struct sweep *s, struct question *q, struct err *err)
{
	q->h.nlmsg_seq = ++s->seq;
	if (send(s->fd, q, q->h.nlmsg_len, 0) != (ssize_t)q->h.nlmsg_len)
		return err_errno(err, errno, "ask what is tracked");
	return answers(s, err);
}

static int forget(struct sweep *s, struct err *err)
{
	struct question q;
	for (size_t i = 0; i < s->count; i++) {
		memcpy(&q, s->stale.data + i * sizeof q, sizeof q);
		if (ask(s, &q, err) != 0)
			return err->code;
	}
	return 0;
}

int conntrack_forget_udp(
        bool (*is_stale)(void *arg, const struct conntrack_flow *f), void *arg, size_t *ret_count, struct err *err)
{
	struct question q;
	struct timeval limit = {.tv_sec = ANSWER_S};
	struct sweep s = {.is_stale = is_stale, .arg = arg, .stale = STRBUF_INIT};
	*ret_count = 0;
	s.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	if (s.fd < 0)
		return err_errno(err, errno, "open a netlink socket");
	setsockopt(s.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	begin(&q, IPCTNL_MSG_CT_GET, NLM_F_DUMP, 0);
	int rc = ask(&s, &q, err);
	if (rc == 0)
		rc = forget(&s, err);
	if (rc == 0)
		*ret_count = s.count;
	strbuf_release(&s.stale);
	close(s.fd);
	return rc;
}
