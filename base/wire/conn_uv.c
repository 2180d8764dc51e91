/* Connections over TCP and unix sockets: libuv streams, connecting, listening.
 *
 * Connecting resolves a name (libuv's pool, only for names), tries the addresses in order and then lets conn.c go on
 * with the handshake. One timer covers all of it. Requests under way keep the connection's memory (c->handles) until
 * libuv has reported them. */
#include "base/wire/conn_int.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem/arena.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { CONNECT_MS = 10000, BACKLOG = 4096, WRITEV_MAX = 64 };

struct conn_connecting {
	struct conn *conn;
	uv_getaddrinfo_t resolve;
	uv_connect_t connect;
	struct addrinfo *addresses;
	struct addrinfo *next;
	struct err last;
	char host[256];
	int port;
	bool stream_closing; /* between two attempts */
};

static void alloc_buffer(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
	struct conn *c = h->data;
	(void)suggested;
	*buf = uv_buf_init(loop_io_buffer(c->loop), LOOP_IO_BUFFER_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct conn *c = stream->data;
	struct err err = ERR_INIT;
	if (n > 0) {
		conn_received(c, buf->base, (size_t)n);
	} else if (n == UV_EOF) {
		c->reading = false;
		uv_read_stop(stream);
		conn_received_end(c);
	} else if (n < 0) {
		c->reading = false;
		uv_read_stop(stream);
		err_errno(&err, (int)n, "read from %s", c->address);
		err.code = ERR_CLOSED;
		conn_fail(c, &err);
	}
}

static void stream_read(struct conn *c, bool on)
{
	if (on)
		uv_read_start(&c->stream, alloc_buffer, on_read);
	else
		uv_read_stop(&c->stream);
}

static ssize_t stream_try_write(struct conn *c, uv_buf_t *bufs, unsigned n)
{
	ssize_t rc = uv_try_write(&c->stream, bufs, n);
	return rc == UV_EAGAIN ? 0 : rc;
}

static void on_written(uv_write_t *req, int status)
{
	struct conn *c = req->data;
	conn_sent(c, c->in_flight, status);
	conn_handle_closed(c);
}

static void stream_send_waiting(struct conn *c)
{
	uv_buf_t bufs[WRITEV_MAX];
	unsigned n = wqueue_peek(&c->raw, bufs, COUNT_OF(bufs));
	c->in_flight = 0;
	for (unsigned i = 0; i < n; i++)
		c->in_flight += bufs[i].len;
	c->write_req.data = c;
	c->handles++;
	int rc = uv_write(&c->write_req, &c->stream, bufs, n, on_written);
	CHECK(rc == 0);
}

static void on_shut_down(uv_shutdown_t *req, int status)
{
	(void)status;
	conn_handle_closed(req->data);
}

static void stream_shutdown(struct conn *c)
{
	c->shutdown_req.data = c;
	if (uv_shutdown(&c->shutdown_req, &c->stream, on_shut_down) == 0)
		c->handles++;
}

static void on_stream_closed(uv_handle_t *h)
{
	conn_handle_closed(h->data);
}

static void connecting_free(struct conn *c)
{
	struct conn_connecting *k = c->connecting;
	if (!k)
		return;
	c->connecting = NULL;
	if (k->addresses)
		uv_freeaddrinfo(k->addresses);
	free(k);
}

static void stream_close(struct conn *c)
{
	struct conn_connecting *k = c->connecting;
	if (k && k->stream_closing)
		return; /* on_attempt_closed() sees the state */
	if (k && k->resolve.data)
		uv_cancel((uv_req_t *)&k->resolve);
	uv_close((uv_handle_t *)&c->stream, on_stream_closed);
}

static const struct conn_ops stream_ops = {
        .try_write = stream_try_write,
        .send_waiting = stream_send_waiting,
        .read = stream_read,
        .shutdown = stream_shutdown,
        .close = stream_close,
};

static void note_address(struct conn *c)
{
	struct sockaddr_storage ss;
	int len = sizeof ss;
	char ip[INET6_ADDRSTRLEN];
	if (c->stream.type != UV_TCP || uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&ss, &len) != 0)
		return;
	if (ss.ss_family == AF_INET6) {
		struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&ss;
		uv_ip6_name(sin6, ip, sizeof ip);
		bool mapped = IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr);
		snprintf(c->address, sizeof c->address, mapped ? "%s:%d" : "[%s]:%d",
		        mapped ? strrchr(ip, ':') + 1 : ip, ntohs(sin6->sin6_port));
		return;
	}
	uv_ip4_name((struct sockaddr_in *)&ss, ip, sizeof ip);
	snprintf(c->address, sizeof c->address, "%s:%d", ip, ntohs(((struct sockaddr_in *)&ss)->sin_port));
}

/* ---- connecting ---- */

static struct conn *new_stream(struct loop *loop, bool is_tcp)
{
	struct conn *c = conn_alloc(loop, &stream_ops);
	if (is_tcp)
		uv_tcp_init(loop_uv(loop), &c->tcp);
	else
		uv_pipe_init(loop_uv(loop), &c->pipe, 0);
	c->stream.data = c;
	return c;
}

static void stream_ready(struct conn *c)
{
	connecting_free(c);
	if (c->stream.type == UV_TCP)
		uv_tcp_nodelay(&c->tcp, 1);
	if (c->stream.type == UV_TCP)
		uv_tcp_keepalive(&c->tcp, 1, 60); /* peers that vanish without a word */
	note_address(c);
	conn_connected(c);
}

void conn_limit_stall(struct conn *c, unsigned ms)
{
	uv_os_fd_t fd;
	if (c->stream.type == UV_TCP && uv_fileno((uv_handle_t *)&c->stream, &fd) == 0)
		setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
}

static void try_next(struct conn *c);

static void on_attempt_closed(uv_handle_t *h)
{
	struct conn *c = h->data;
	c->connecting->stream_closing = false;
	if (c->state == CONN_CLOSED) {
		connecting_free(c);
		conn_handle_closed(c);
		return;
	}
	uv_tcp_init(loop_uv(c->loop), &c->tcp);
	c->stream.data = c;
	try_next(c);
}

static void on_connected(uv_connect_t *req, int status)
{
	struct conn *c = req->data;
	struct conn_connecting *k = c->connecting;
	if (c->state == CONN_CONNECTING && status == 0) {
		stream_ready(c);
	} else if (c->state == CONN_CONNECTING) {
		err_errno(&k->last, status, "connect to %s", k->host);
		k->last.code = ERR_UNAVAILABLE;
		if (k->next) {
			k->stream_closing = true;
			uv_close((uv_handle_t *)&c->stream, on_attempt_closed);
		} else {
			struct err last = k->last;
			connecting_free(c);
			conn_fail(c, &last);
		}
	} else if (!k->stream_closing) {
		connecting_free(c);
	}
	conn_handle_closed(c); /* the request */
}

static void try_next(struct conn *c)
{
	struct conn_connecting *k = c->connecting;
	struct addrinfo *a = k->next;
	k->next = a->ai_next;
	k->connect.data = c;
	int rc = uv_tcp_connect(&k->connect, &c->tcp, a->ai_addr, on_connected);
	if (rc == 0) {
		c->handles++;
		return;
	}
	err_errno(&k->last, rc, "connect to %s", k->host);
	k->last.code = ERR_UNAVAILABLE;
	struct err last = k->last;
	connecting_free(c);
	conn_fail(c, &last);
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *res)
{
	struct conn *c = CONTAINER_OF(req, struct conn_connecting, resolve)->conn;
	struct conn_connecting *k = c->connecting;
	k->resolve.data = NULL;
	k->addresses = k->next = res;
	if (c->state == CONN_CONNECTING && status == 0 && res) {
		try_next(c);
	} else if (c->state == CONN_CONNECTING) {
		struct err err = ERR_INIT;
		err_errno(&err, status, "resolve %s", k->host);
		err.code = ERR_UNAVAILABLE;
		connecting_free(c);
		conn_fail(c, &err);
	} else {
		connecting_free(c);
	}
	conn_handle_closed(c); /* the request */
}

/* Errors that are there at once are reported from the loop, like all others. */
struct early_failure {
	struct loop_defer defer;
	struct conn *conn;
	struct err err;
};

static void report_early(struct loop_defer *d)
{
	struct early_failure *f = CONTAINER_OF(d, struct early_failure, defer);
	if (f->conn->state != CONN_CLOSED)
		conn_fail(f->conn, &f->err);
	conn_handle_closed(f->conn);
	free(f);
}

static void fail_early(struct conn *c, const struct err *err)
{
	struct early_failure *f = xcalloc(1, sizeof *f);
	f->conn = c;
	f->err = *err;
	c->handles++;
	loop_defer_init(&f->defer, report_early);
	loop_defer(c->loop, &f->defer);
}

static struct conn_connecting *begin(struct conn *c, const struct conn_connect_options *o, const char *host,
        const struct conn_callbacks *callbacks, void *arg)
{
	struct conn_connecting *k = xcalloc(1, sizeof *k);
	struct err err = ERR_INIT;
	k->conn = c;
	snprintf(k->host, sizeof k->host, "%s", host);
	c->connecting = k;
	conn_start(c, callbacks, arg);
	conn_start_timer(c, o && o->timeout_ms ? o->timeout_ms : CONNECT_MS);
	const char *name = o && o->server_name ? o->server_name : host;
	if (o && o->tls && conn_add_tls(c, o->tls, false, name, &err) != 0) {
		connecting_free(c);
		fail_early(c, &err);
		return NULL;
	}
	if (c->tls && o->http_major)
		tls_session_offer(c->tls, o->http_major);
	return k;
}

struct conn *conn_connect_tcp(struct loop *loop, const char *host, int port, const struct conn_connect_options *options,
        const struct conn_callbacks *callbacks, void *arg)
{
	struct conn *c = new_stream(loop, true);
	struct conn_connecting *k = begin(c, options, host, callbacks, arg);
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct err err = ERR_INIT;
	char service[12];
	if (!k)
		return c;
	snprintf(service, sizeof service, "%d", port);
	size_t n = strlen(host);
	char bare[256];
	snprintf(bare, sizeof bare, "%s", host);
	if (n > 2 && n < sizeof bare && host[0] == '[' && host[n - 1] == ']')
		snprintf(bare, sizeof bare, "%.*s", (int)n - 2, host + 1);
	snprintf(c->address, sizeof c->address, "%.60s:%d", host, port);
	k->resolve.data = k;
	int rc = uv_getaddrinfo(loop_uv(loop), &k->resolve, on_resolved, bare, service, &hints);
	if (rc == 0) {
		c->handles++;
		return c;
	}
	err_errno(&err, rc, "resolve %s", host);
	connecting_free(c);
	fail_early(c, &err);
	return c;
}

struct conn *conn_connect_unix(struct loop *loop, const char *path, const struct conn_connect_options *options,
        const struct conn_callbacks *callbacks, void *arg)
{
	struct conn *c = new_stream(loop, false);
	struct conn_connecting *k = begin(c, options, path, callbacks, arg);
	if (!k)
		return c;
	k->connect.data = c;
	c->handles++;
	uv_pipe_connect(&k->connect, &c->pipe, path, on_connected);
	return c;
}

/* ---- listening ---- */

struct conn_listener {
	union {
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	};
	struct loop *loop;
	struct conn_listen_options o;
	int port;
	char path[sizeof((struct sockaddr_un *)0)->sun_path];
	void (*on_closed)(void *arg);
	void *closed_arg;
};

static void on_connection(uv_stream_t *stream, int status)
{
	struct conn_listener *l = stream->data;
	struct err err = ERR_INIT;
	if (status < 0) {
		log_warn("wire", "accept failed", "error=%s", uv_strerror(status));
		return;
	}
	struct conn *c = new_stream(l->loop, l->stream.type == UV_TCP);
	if (uv_accept(stream, &c->stream) != 0) {
		conn_close(c, 0);
		return;
	}
	if (l->o.tls && conn_add_tls(c, l->o.tls, true, NULL, &err) != 0) {
		log_warn("wire", "accept failed", "error=%s", err.msg);
		conn_close(c, 0);
		return;
	}
	if (l->o.tls)
		conn_start_timer(c, l->o.handshake_ms ? l->o.handshake_ms : CONNECT_MS);
	stream_ready(c);
	l->o.on_accept(l, c, l->o.arg);
}

static void on_listener_closed(uv_handle_t *h)
{
	struct conn_listener *l = h->data;
	if (l->on_closed)
		l->on_closed(l->closed_arg);
	tls_context_unref(l->o.tls);
	free(l);
}

static struct conn_listener *listener_new(struct loop *loop, const struct conn_listen_options *o)
{
	struct conn_listener *l = xcalloc(1, sizeof *l);
	LOOP_CHECK_OWNER(loop);
	l->loop = loop;
	l->o = *o;
	if (o->tls)
		tls_context_ref(o->tls);
	return l;
}

static int listener_fail(struct conn_listener *l, int rc, const char *where, struct err *err)
{
	int code = err_errno(err, rc, "listen on %s", where);
	conn_listener_close(l, NULL, NULL);
	return code;
}

static int bind_tcp(struct conn_listener *l, const struct sockaddr *sa)
{
	int on = 1, off = 0, fd;
	size_t len = sa->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (l->o.reuse_port)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
	if (sa->sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	if (bind(fd, sa, (socklen_t)len) != 0) {
		int e = errno;
		close(fd);
		return -e;
	}
	int rc = uv_tcp_open(&l->tcp, fd);
	if (rc != 0)
		close(fd);
	return rc;
}

static int bound_port(struct conn_listener *l)
{
	struct sockaddr_storage ss;
	int len = sizeof ss;
	if (uv_tcp_getsockname(&l->tcp, (struct sockaddr *)&ss, &len) != 0)
		return 0;
	return ntohs(ss.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&ss)->sin6_port
	                                      : ((struct sockaddr_in *)&ss)->sin_port);
}

int conn_listen_tcp(struct loop *loop, const char *address, int port, const struct conn_listen_options *options,
        struct conn_listener **ret, struct err *err)
{
	struct sockaddr_storage ss;
	char where[96];
	snprintf(where, sizeof where, "%.64s port %d", address, port);
	if (uv_ip4_addr(address, port, (struct sockaddr_in *)&ss) != 0 &&
	        uv_ip6_addr(address, port, (struct sockaddr_in6 *)&ss) != 0)
		return err_set(err, ERR_INVAL, "listen on %s: not an IP address", where);
	struct conn_listener *l = listener_new(loop, options);
	uv_tcp_init(loop_uv(loop), &l->tcp);
	l->stream.data = l;
	int rc = bind_tcp(l, (struct sockaddr *)&ss);
	if (rc == 0)
		rc = uv_listen(&l->stream, BACKLOG, on_connection);
	if (rc != 0)
		return listener_fail(l, rc, where, err);
	l->port = bound_port(l);
	*ret = l;
	return 0;
}

int conn_listen_unix(struct loop *loop, const char *path, unsigned mode, const struct conn_listen_options *options,
        struct conn_listener **ret, struct err *err)
{
	struct stat st;
	if (strlen(path) >= sizeof(*ret)->path)
		return err_set(err, ERR_INVAL, "listen on %s: path is too long for a unix socket", path);
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path);
	struct conn_listener *l = listener_new(loop, options);
	uv_pipe_init(loop_uv(loop), &l->pipe, 0);
	l->stream.data = l;
	mode_t old = umask(~mode & 0777);
	int rc = uv_pipe_bind(&l->pipe, path);
	umask(old);
	if (rc == 0)
		rc = uv_listen(&l->stream, BACKLOG, on_connection);
	if (rc != 0)
		return listener_fail(l, rc, path, err);
	snprintf(l->path, sizeof l->path, "%s", path);
	*ret = l;
	return 0;
}

int conn_listener_port(const struct conn_listener *l)
{
	return l->port;
}

void conn_listener_close(struct conn_listener *l, void (*on_closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(l->loop);
	l->on_closed = on_closed;
	l->closed_arg = arg;
	uv_close((uv_handle_t *)&l->stream, on_listener_closed); /* libuv unlinks a unix socket's path */
}
