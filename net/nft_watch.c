/* See nft_watch.h.
 *
 * The kernel batches what one transaction does; who did it stands in each message's header. What can go wrong: more is
 * told than the socket holds (a transaction of hundreds of thousands of rules): then the kernel is asked whether the
 * table is there, which is what a flushed ruleset comes down to. */
#include "net/nft_watch.h"

#include "base/limits.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct nft_watch {
	struct nft_watch_options o;
	char *name;
	uint8_t family;
	int fd;
	uv_poll_t poll;
	void (*closed)(void *arg);
	void *closed_arg;
	bool closing;
};

static uint8_t family_of(struct slice word)
{
	static const struct {
		const char *word;
		uint8_t family;
	} rows[] = {{"ip", NFPROTO_IPV4}, {"ip6", NFPROTO_IPV6}, {"inet", NFPROTO_INET}};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (slice_is(word, rows[i].word))
			return rows[i].family;
	CHECK(!"a table of a family that is watched");
	return 0;
}

/* ---- what the kernel says ---- */

/* The first attribute of all these messages is the name of the table. */
_Static_assert(NFTA_TABLE_NAME == 1 && NFTA_CHAIN_TABLE == 1 && NFTA_RULE_TABLE == 1 && NFTA_SET_TABLE == 1 &&
                       NFTA_SET_ELEM_LIST_TABLE == 1,
        "the table's name is attribute 1");

static bool is_of_table(const struct nft_watch *w, const struct nlmsghdr *h)
{
	const struct nfgenmsg *g = NLMSG_DATA(h);
	size_t left = NLMSG_PAYLOAD(h, sizeof *g);
	const char *p = (const char *)g + NLMSG_ALIGN(sizeof *g);
	if (h->nlmsg_len < NLMSG_LENGTH(sizeof *g) || g->nfgen_family != w->family)
		return false;
	while (left >= sizeof(struct nlattr)) {
		const struct nlattr *a = (const void *)p;
		if (a->nla_len < sizeof *a || a->nla_len > left)
			return false;
		size_t len = a->nla_len - sizeof *a;
		if ((a->nla_type & NLA_TYPE_MASK) == NFTA_TABLE_NAME)
			return len == strlen(w->name) + 1 && memcmp(a + 1, w->name, len) == 0;
		if ((size_t)NLA_ALIGN(a->nla_len) >= left)
			return false;
		p += NLA_ALIGN(a->nla_len);
		left -= NLA_ALIGN(a->nla_len);
	}
	return false;
}

static bool is_removal(const struct nlmsghdr *h)
{
	if (NFNL_SUBSYS_ID(h->nlmsg_type) != NFNL_SUBSYS_NFTABLES)
		return false;
	switch (NFNL_MSG_TYPE(h->nlmsg_type)) {
	case NFT_MSG_DELTABLE:
	case NFT_MSG_DELCHAIN:
	case NFT_MSG_DELRULE:
	case NFT_MSG_DELSET:
	case NFT_MSG_DELSETELEM:
		return true;
	default:
		return false;
	}
}

/* The answer to ask_for_table(): the only error that comes here is that there is none. */
static bool says_no_table(const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = NLMSG_DATA(h);
	return h->nlmsg_type == NLMSG_ERROR && h->nlmsg_len >= NLMSG_LENGTH(sizeof *e) && e->error == -ENOENT;
}

static void read_messages(struct nft_watch *w, const char *data, size_t len)
{
	const struct nlmsghdr *h = (const void *)data;
	for (size_t left = len; NLMSG_OK(h, left) && !w->closing; h = NLMSG_NEXT(h, left)) {
		if (says_no_table(h))
			w->o.removed(w->o.arg, 0);
		else if (is_removal(h) && is_of_table(w, h))
			w->o.removed(w->o.arg, h->nlmsg_pid);
	}
}

static void ask_for_table(struct nft_watch *w)
{
	struct {
		struct nlmsghdr h;
		struct nfgenmsg g;
		struct nlattr a;
		char name[NFT_NAME_MAXLEN];
	} m = {.g = {.nfgen_family = w->family, .version = NFNETLINK_V0}};
	size_t len = strlen(w->name) + 1;
	CHECK(len <= sizeof m.name);
	memcpy(m.name, w->name, len);
	m.a = (struct nlattr){.nla_len = (uint16_t)(sizeof m.a + len), .nla_type = NFTA_TABLE_NAME};
	m.h = (struct nlmsghdr){.nlmsg_len = (uint32_t)(sizeof m - sizeof m.name + NLA_ALIGN(len)),
	        .nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE,
	        .nlmsg_flags = NLM_F_REQUEST};
	if (send(w->fd, &m, m.h.nlmsg_len, 0) < 0)
		w->o.removed(w->o.arg, 0);
}

static void readable(uv_poll_t *poll, int status, int events)
{
	struct nft_watch *w = poll->data;
	char *buffer = loop_io_buffer(w->o.loop);
	while (!w->closing) {
		ssize_t n = recv(w->fd, buffer, LOOP_IO_BUFFER_BYTES, MSG_DONTWAIT);
		if (n < 0 && errno == ENOBUFS)
			ask_for_table(w);
		else if (n > 0)
			read_messages(w, buffer, (size_t)n);
		else if (n == 0 || errno != EINTR)
			return;
	}
}

/* ---- life ---- */

static int open_socket(int *ret_fd, struct err *err)
{
	struct sockaddr_nl self = {.nl_family = AF_NETLINK};
	int group = NFNLGRP_NFTABLES, bytes = NFT_WATCH_BYTES;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
	if (fd < 0)
		return err_set(err, ERR_INTERNAL, "netlink socket: %s", strerror(errno));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
	if (bind(fd, (struct sockaddr *)&self, sizeof self) != 0 ||
	        setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0) {
		err_set(err, ERR_INTERNAL, "nftables' notifications: %s", strerror(errno));
		close(fd);
		return err->code;
	}
	*ret_fd = fd;
	return 0;
}

struct nft_watch *nft_watch_new(const struct nft_watch_options *options, struct err *err)
{
	int fd = -1;
	LOOP_CHECK_OWNER(options->loop);
	if (open_socket(&fd, err) != 0)
		return NULL;
	struct nft_watch *w = xcalloc(1, sizeof *w);
	struct slice name = slice_of(options->table);
	w->o = *options;
	w->family = family_of(slice_cut(&name, ' '));
	w->name = xmemdup(name.ptr, name.len);
	w->fd = fd;
	CHECK(uv_poll_init(loop_uv(w->o.loop), &w->poll, fd) == 0);
	w->poll.data = w;
	uv_poll_start(&w->poll, UV_READABLE, readable);
	return w;
}

static void poll_closed(uv_handle_t *h)
{
	struct nft_watch *w = h->data;
	void (*closed)(void *) = w->closed;
	void *arg = w->closed_arg;
	close(w->fd);
	free(w->name);
	free(w);
	if (closed)
		closed(arg);
}

void nft_watch_close(struct nft_watch *w, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(w->o.loop);
	w->closing = true;
	w->closed = closed;
	w->closed_arg = arg;
	uv_close((uv_handle_t *)&w->poll, poll_closed);
}
