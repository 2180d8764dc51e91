/* Questions over UDP. See listener.h.
 *
 * A turn reads up to BATCH packets, asks for each, and sends what was answered at once together; what is answered later
 * goes out by itself. An answer leaves from the address that the question was sent to (IP_PKTINFO), for clients drop
 * others.
 *
 * What can go wrong: the socket takes no more (the answer is dropped: the client asks again). */
#include "net/dns/serve/listener.h"

#include "base/limits.h"
#include "base/mem/arena.h"
#include "net/dns/resolve/chain.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 32, ROUNDS = 8, IN_BYTES = 2048, OUT_BYTES = 4096, CONTROL_BYTES = 64, BUFFER_BYTES = 4 * 1024 * 1024 };

struct peer {
	struct udp *udp;
	struct sockaddr_storage address;
	socklen_t address_len;
	_Alignas(struct cmsghdr) char control[CONTROL_BYTES];
	size_t control_len;
};

struct udp {
	struct listener_options o;
	int fd, port;
	uv_poll_t poll;
	struct mmsghdr in[BATCH], out[BATCH];
	struct iovec in_parts[BATCH], out_parts[BATCH];
	struct sockaddr_storage from[BATCH];
	struct peer to[BATCH];
	char in_control[BATCH][CONTROL_BYTES] __attribute__((aligned(8)));
	uint8_t *in_bytes, *out_bytes;
	unsigned n_out;
	bool in_batch, is_closed, handle_closed;
	size_t under_way;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- sending ---- */

static void flush(struct udp *u)
{
	unsigned sent = 0;
	while (sent < u->n_out) {
		int n = sendmmsg(u->fd, u->out + sent, u->n_out - sent, MSG_DONTWAIT);
		sent += n > 0 ? (unsigned)n : 1; /* one that can't be sent is dropped */
	}
	u->n_out = 0;
}

static void queue(struct udp *u, const struct peer *p, const uint8_t *data, size_t len)
{
	unsigned i = u->n_out++;
	u->to[i] = *p;
	memcpy(u->out_bytes + (size_t)i * OUT_BYTES, data, len);
	u->out_parts[i] = (struct iovec){u->out_bytes + (size_t)i * OUT_BYTES, len};
	u->out[i].msg_hdr = (struct msghdr){.msg_name = &u->to[i].address,
	        .msg_namelen = p->address_len,
	        .msg_iov = &u->out_parts[i],
	        .msg_iovlen = 1,
	        .msg_control = p->control_len ? u->to[i].control : NULL,
	        .msg_controllen = p->control_len};
	if (u->n_out == BATCH || !u->in_batch)
		flush(u);
}

/* Answers that are still to come find it closed: the last of them frees it. */
static void maybe_gone(struct udp *u)
{
	if (!u->handle_closed || u->under_way)
		return;
	void (*closed)(void *) = u->closed;
	void *arg = u->closed_arg;
	free(u->in_bytes);
	free(u->out_bytes);
	free(u);
	if (closed)
		closed(arg);
}

static void answered(struct chain_request *r, const uint8_t *data, size_t len)
{
	struct peer *p = r->arg;
	struct udp *u = p->udp;
	u->under_way--;
	if (!u->is_closed && len && len <= OUT_BYTES)
		queue(u, p, data, len);
	maybe_gone(u);
}

/* ---- receiving ---- */

/* The address that was asked, for the answer to come from; the interface is left to the routes. */
static void keep_control(struct peer *p, const struct msghdr *m)
{
	p->control_len = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR((struct msghdr *)m, c)) {
		bool v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO;
		bool v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO;
		if ((!v4 && !v6) || c->cmsg_len > CONTROL_BYTES)
			continue;
		memcpy(p->control, c, c->cmsg_len);
		struct cmsghdr *mine = (struct cmsghdr *)p->control;
		struct in6_pktinfo *i6 = (struct in6_pktinfo *)CMSG_DATA(mine);
		if (v4)
			((struct in_pktinfo *)CMSG_DATA(mine))->ipi_ifindex = 0;
		else if (!IN6_IS_ADDR_LINKLOCAL(&i6->ipi6_addr))
			i6->ipi6_ifindex = 0;
		p->control_len = CMSG_SPACE(v4 ? sizeof(struct in_pktinfo) : sizeof(struct in6_pktinfo));
	}
}

/* An IPv4 client of a socket for both is one of IPv4. */
static void set_client(struct sockaddr_storage *ret, const struct sockaddr_storage *from)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;
	*ret = *from;
	if (from->ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		return;
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = v6->sin6_port};
	memcpy(&v4.sin_addr, v6->sin6_addr.s6_addr + 12, 4);
	memcpy(ret, &v4, sizeof v4);
}

static void ask(struct udp *u, unsigned i)
{
	struct chain_request *r = chain_request_new(*u->o.chain);
	struct peer *p = arena_alloc(&r->arena, sizeof *p);
	p->udp = u;
	p->address = u->from[i];
	p->address_len = u->in[i].msg_hdr.msg_namelen;
	keep_control(p, &u->in[i].msg_hdr);
	set_client(&r->client, &u->from[i]);
	r->port = u->o.asked_port ? u->o.asked_port : u->port;
	r->is_tcp = false;
	r->answer = answered;
	r->arg = p;
	u->under_way++;
	chain_ask(r, u->in_bytes + (size_t)i * IN_BYTES, u->in[i].msg_len);
}

static void prepare(struct udp *u)
{
	for (unsigned i = 0; i < BATCH; i++) {
		u->in_parts[i] = (struct iovec){u->in_bytes + (size_t)i * IN_BYTES, IN_BYTES};
		u->in[i].msg_hdr = (struct msghdr){.msg_name = &u->from[i],
		        .msg_namelen = sizeof u->from[i],
		        .msg_iov = &u->in_parts[i],
		        .msg_iovlen = 1,
		        .msg_control = u->in_control[i],
		        .msg_controllen = CONTROL_BYTES};
	}
}

static void on_readable(uv_poll_t *h, int status, int events)
{
	struct udp *u = h->data;
	u->in_batch = true;
	for (unsigned round = 0; round < ROUNDS && !u->is_closed; round++) {
		prepare(u);
		int n = recvmmsg(u->fd, u->in, BATCH, MSG_DONTWAIT, NULL);
		for (int i = 0; i < n && !u->is_closed; i++)
			ask(u, (unsigned)i);
		flush(u);
		if (n < BATCH)
			break;
	}
	u->in_batch = false;
}

/* ---- life ---- */

static socklen_t make_address(const char *text, int port, struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
	memset(ret, 0, sizeof *ret);
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		return sizeof *v4;
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1)
		return 0;
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((uint16_t)port);
	return sizeof *v6;
}

static int open_socket(const char *address, int port, int *ret_fd, struct err *err)
{
	struct sockaddr_storage s;
	socklen_t len = make_address(address, port, &s);
	int on = 1, off = 0, bytes = BUFFER_BYTES;
	int fd = len ? socket(s.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) : -1;
	if (!len)
		return err_set(err, ERR_INVAL, "\"%s\" is no address to listen on", address);
	if (fd < 0)
		return err_errno(err, errno, "listen on UDP %s port %d", address, port);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes); /* as much as the system allows */
	if (s.ss_family == AF_INET6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
	} else {
		setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
	}
	if (bind(fd, (struct sockaddr *)&s, len) != 0) {
		err_errno(err, errno, "listen on UDP %s port %d", address, port);
		close(fd);
		return err->code;
	}
	*ret_fd = fd;
	return 0;
}

static int bound_port(int fd)
{
	struct sockaddr_storage s;
	socklen_t len = sizeof s;
	getsockname(fd, (struct sockaddr *)&s, &len);
	return ntohs(
	        s.ss_family == AF_INET ? ((struct sockaddr_in *)&s)->sin_port : ((struct sockaddr_in6 *)&s)->sin6_port);
}

int udp_new(const struct listener_options *o, struct udp **ret, struct err *err)
{
	int fd = -1;
	bool all = !o->address[0];
	if (open_socket(all ? "::" : o->address, o->port, &fd, err) != 0 &&
	        (!all || open_socket("0.0.0.0", o->port, &fd, err) != 0)) /* a system without IPv6 */
		return err->code;
	struct udp *u = xcalloc(1, sizeof *u);
	u->o = *o;
	u->fd = fd;
	u->port = bound_port(fd);
	u->in_bytes = xmalloc(BATCH * IN_BYTES);
	u->out_bytes = xmalloc(BATCH * OUT_BYTES);
	CHECK(uv_poll_init(loop_uv(o->loop), &u->poll, fd) == 0);
	u->poll.data = u;
	uv_poll_start(&u->poll, UV_READABLE, on_readable);
	*ret = u;
	return 0;
}

int udp_port(const struct udp *u)
{
	return u->port;
}

static void poll_closed(uv_handle_t *h)
{
	struct udp *u = h->data;
	close(u->fd);
	u->handle_closed = true;
	maybe_gone(u);
}

void udp_close(struct udp *u, void (*closed)(void *arg), void *arg)
{
	u->is_closed = true;
	u->closed = closed;
	u->closed_arg = arg;
	uv_close((uv_handle_t *)&u->poll, poll_closed);
}
