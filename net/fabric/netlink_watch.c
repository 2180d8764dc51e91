/* See netlink_watch.h.
 *
 *     message that counts --> the timer begins anew --> quiet for settle_ms --> changed
 *
 * What can go wrong: more is told than the socket holds (ENOBUFS): that counts as a change; whoever listens looks at
 * what is so, and not at what was told. A stream of changes without a pause puts it off: those that count are few. */
#include "net/fabric/netlink_watch.h"

#include "base/mem/arena.h"
#include "base/rt/closing.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGES_BYTES = 16 * 1024 };

struct netlink_watch {
	struct netlink_watch_options o;
	int fd;
	uv_poll_t poll;
	uv_timer_t settle;
	struct closing parts;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void settled(uv_timer_t *t)
{
	struct netlink_watch *w = t->data;
	w->o.changed(w->o.arg);
}

static bool has_one_that_counts(const struct netlink_watch *w, const char *data, size_t len)
{
	const struct nlmsghdr *h = (const void *)data;
	for (; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len))
		if (!w->o.counts || w->o.counts(w->o.arg, h))
			return true;
	return false;
}

static void readable(uv_poll_t *p, int status, int events)
{
	struct netlink_watch *w = p->data;
	char data[MESSAGES_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));
	bool has_changed = false;
	for (;;) {
		ssize_t got = recv(w->fd, data, sizeof data, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno != ENOBUFS)
			break;
		has_changed = has_changed || got < 0 || has_one_that_counts(w, data, (size_t)got);
	}
	if (has_changed)
		uv_timer_start(&w->settle, settled, w->o.settle_ms, 0);
}

struct netlink_watch *netlink_watch_new(const struct netlink_watch_options *o, struct err *err)
{
	struct sockaddr_nl all = {.nl_family = AF_NETLINK, .nl_groups = o->groups};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (fd < 0 || bind(fd, (struct sockaddr *)&all, sizeof all) != 0) {
		err_errno(err, errno, "listen to changes of links and addresses");
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	struct netlink_watch *w = xcalloc(1, sizeof *w);
	w->o = *o;
	w->fd = fd;
	uv_timer_init(loop_uv(o->loop), &w->settle);
	CHECK(uv_poll_init(loop_uv(o->loop), &w->poll, fd) == 0);
	w->settle.data = w->poll.data = w;
	CHECK(uv_poll_start(&w->poll, UV_READABLE, readable) == 0);
	uv_timer_start(&w->settle, settled, o->settle_ms, 0);
	return w;
}

static void all_closed(struct closing *c)
{
	struct netlink_watch *w = CONTAINER_OF(c, struct netlink_watch, parts);
	void (*closed)(void *) = w->closed;
	void *arg = w->closed_arg;
	close(w->fd);
	free(w);
	if (closed)
		closed(arg);
}

static void handle_closed(uv_handle_t *h)
{
	struct netlink_watch *w = h->data;
	closing_part_done(&w->parts);
}

void netlink_watch_close(struct netlink_watch *w, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(w->o.loop);
	w->closed = closed;
	w->closed_arg = arg;
	w->parts.all_closed = all_closed;
	closing_hold(&w->parts);
	uv_close((uv_handle_t *)&w->poll, handle_closed);
	closing_hold(&w->parts);
	uv_close((uv_handle_t *)&w->settle, handle_closed);
}
