/* Servers: listeners, connections, deadlines, shutting down.
 *
 * A connection's protocol is what ALPN says, or, without TLS, what its first bytes look like (the HTTP/2 preface or
 * not). One timer per server looks at the deadlines of all connections twice a second, and at requests and answers that
 * do not go on (both protocols leave that to it): cheaper than a timer each.
 *
 * Shutting down: listeners close, each protocol finishes what is under way, at the deadline the rest is cut; when the
 * last connection, exchange and handle is gone the server frees itself. */
#include "base/wire/http_int.h"

#include "base/check.h"
#include "base/log.h"
#include "base/wire/tls.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { TICK_MS = 500, SPARE_MAX = 64, LINGER_MS = 2000 };

static const char h2_preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static void finish_close(struct http_server *s);

/* ---- connections ---- */

void http_connection_wake(struct http_connection *c)
{
	if (!c->closing && !c->upgraded)
		loop_defer(c->server->loop, &c->turn);
}

void http_connection_deadline(struct http_connection *c, unsigned ms)
{
	c->deadline_ms = ms ? loop_now_ms(c->server->loop) + ms : 0;
}

static void break_exchanges(struct http_connection *c)
{
	LIST_FOREACH (it, &c->exchanges)
		exchange_broken(CONTAINER_OF(it, struct http_exchange, link));
}

void http_connection_close(struct http_connection *c, unsigned linger_ms)
{
	if (c->closing || c->upgraded)
		return;
	c->closing = true;
	break_exchanges(c);
	conn_close(c->conn, linger_ms);
}

void http_connection_known(struct http_connection *c)
{
	if (!list_linked(&c->in_strangers))
		return;
	list_del(&c->in_strangers);
	c->server->strangers_count--;
}

static void connection_free(struct http_connection *c)
{
	struct http_server *s = c->server;
	http_connection_known(c);
	break_exchanges(c);
	if (c->protocol)
		c->protocol->closed(c);
	loop_defer_cancel(&c->turn);
	list_del(&c->link);
	s->connections_count--;
	free(c);
	finish_close(s);
}

static void connection_turn(struct loop_defer *d)
{
	struct http_connection *c = CONTAINER_OF(d, struct http_connection, turn);
	if (c->upgraded)
		connection_free(c);
	else if (c->protocol && !c->closing)
		c->protocol->flush(c);
}

struct conn *http_connection_detach(struct http_connection *c)
{
	c->upgraded = true;
	loop_defer(c->server->loop, &c->turn);
	return c->conn;
}

static void set_protocol(struct http_connection *c, bool is_h2)
{
	c->protocol = is_h2 ? &h2_protocol : &h1_protocol;
	if (c->draining)
		c->protocol->drain(c);
}

/* Prior knowledge of HTTP/2: the preface comes first. */
static void sniff(struct http_connection *c, const char *data, size_t len)
{
	size_t have = c->preface_len;
	size_t n = len < sizeof c->preface - have ? len : sizeof c->preface - have;
	bool fits = memcmp(h2_preface + have, data, n) == 0;
	if (fits && have + n < sizeof c->preface) {
		memcpy(c->preface + have, data, n);
		c->preface_len += n;
		return;
	}
	set_protocol(c, fits);
	c->preface_len = 0;
	if (have)
		c->protocol->received(c, c->preface, have);
	if (!c->closing)
		c->protocol->received(c, data, len);
}

static void on_open(struct conn *conn, const struct err *err, void *arg)
{
	struct http_connection *c = arg;
	if (err) {
		http_connection_close(c, 0);
		return;
	}
	struct slice alpn = conn_alpn(conn);
	if (alpn.len)
		set_protocol(c, slice_is(alpn, "h2"));
	if (conn_peer(conn)->verified)
		http_connection_known(c);
	http_connection_deadline(c, c->server->o.read_stall_ms);
	http_connection_wake(c);
}

static void on_read(struct conn *conn, const char *data, size_t len, void *arg)
{
	struct http_connection *c = arg;
	(void)conn;
	if (c->closing)
		return;
	if (c->protocol)
		c->protocol->received(c, data, len);
	else
		sniff(c, data, len);
}

static void on_end(struct conn *conn, const struct err *err, void *arg)
{
	struct http_connection *c = arg;
	(void)conn;
	c->ended = true;
	if (err || !c->protocol)
		http_connection_close(c, 0);
	else
		c->protocol->ended(c);
}

static void on_drained(struct conn *conn, void *arg)
{
	struct http_connection *c = arg;
	(void)conn;
	if (c->protocol && !c->closing)
		c->protocol->flush(c);
}

static void on_closed(struct conn *conn, void *arg)
{
	(void)conn;
	connection_free(arg);
}

static const struct conn_callbacks callbacks = {on_open, on_read, on_end, on_drained, on_closed};

/* One line a minute: who turns others away must say so. */
static void tell_full(struct http_server *s, const char *what)
{
	uint64_t now = loop_now_ms(s->loop);
	if (s->told_full_ms && now - s->told_full_ms < 60000)
		return;
	s->told_full_ms = now;
	log_warn("http", what, "port=%d connections=%zu unknown=%zu", http_server_port(s), s->connections_count,
	        s->strangers_count);
}

static void make_room_for_stranger(struct http_server *s)
{
	while (s->strangers_count >= HTTP_STRANGERS_MAX) {
		struct http_connection *oldest = CONTAINER_OF(s->strangers.next, struct http_connection, in_strangers);
		tell_full(s, "too many peers that do not say who they are: the oldest connections are closed");
		http_connection_known(oldest);
		http_connection_close(oldest, 0);
	}
}

void http_server_take(struct http_server *s, struct conn *conn)
{
	if (s->closing || s->connections_count >= s->o.connections_max) {
		if (!s->closing)
			tell_full(s, "too many connections: new ones are closed");
		conn_close(conn, 0);
		return;
	}
	make_room_for_stranger(s);
	struct http_connection *c = xcalloc(1, sizeof *c);
	c->server = s;
	c->conn = conn;
	list_init(&c->exchanges);
	list_init(&c->in_strangers);
	list_push_back(&s->strangers, &c->in_strangers);
	s->strangers_count++;
	loop_defer_init(&c->turn, connection_turn);
	list_push_back(&s->connections, &c->link);
	s->connections_count++;
	http_connection_deadline(c, s->o.read_stall_ms);
	conn_start(conn, &callbacks, c);
}

static void on_accept(struct conn_listener *l, struct conn *conn, void *arg)
{
	(void)l;
	http_server_take(arg, conn);
}

/* ---- servers ---- */

/* A queue that is not empty and does not move: the peer has stopped reading. */
static bool write_stalled(struct http_connection *c, uint64_t now)
{
	size_t pending = conn_write_pending(c->conn);
	if (pending == 0 || pending != c->stalled_bytes) {
		c->stalled_bytes = pending;
		c->stalled_since_ms = now;
		return false;
	}
	return now - c->stalled_since_ms > HTTP_WRITE_STALL_MS_MAX;
}

/* The protocols end what has stalled; a connection may go with it. */
static void end_stalled(struct http_connection *c, uint64_t now)
{
	LIST_FOREACH (it, &c->exchanges) {
		struct http_exchange *x = CONTAINER_OF(it, struct http_exchange, link);
		if (c->closing)
			return;
		if (exchange_has_stalled(x, now))
			c->protocol->stalled(x);
	}
}

static void tick(uv_timer_t *t)
{
	struct http_server *s = t->data;
	uint64_t now = loop_now_ms(s->loop);
	bool over = s->closing && now >= s->close_deadline_ms;
	LIST_FOREACH (it, &s->connections) {
		struct http_connection *c = CONTAINER_OF(it, struct http_connection, link);
		if (c->closing || c->upgraded)
			continue;
		if (over || write_stalled(c, now))
			http_connection_close(c, 0);
		else if (c->deadline_ms && now >= c->deadline_ms && c->protocol)
			c->protocol->expired(c);
		else if (c->deadline_ms && now >= c->deadline_ms)
			http_connection_close(c, 0);
		else if (c->protocol)
			end_stalled(c, now);
		if (!c->closing && c->protocol && c->protocol->tick)
			c->protocol->tick(c);
	}
}

/* A connection that takes the last descriptor is one too many. */
static size_t connections_possible(void)
{
	struct rlimit l;
	if (getrlimit(RLIMIT_NOFILE, &l) != 0 || l.rlim_cur == RLIM_INFINITY)
		return API_CONNECTIONS_MAX;
	size_t n = l.rlim_cur > 2 * HTTP_DESCRIPTORS_RESERVED ? l.rlim_cur - HTTP_DESCRIPTORS_RESERVED : l.rlim_cur / 2;
	return n < API_CONNECTIONS_MAX ? n : API_CONNECTIONS_MAX;
}

#define DEFAULT(field, value) \
	if (!s->o.field) \
	s->o.field = (value)

int http_server_new(const struct http_server_options *options, struct http_server **ret, struct err *err)
{
	if (!options->loop || !options->handler)
		return err_set(err, ERR_INVAL, "an HTTP server needs a loop and a handler");
	struct http_server *s = xcalloc(1, sizeof *s);
	s->loop = options->loop;
	s->o = *options;
	DEFAULT(header_bytes_max, HTTP_HEADER_BYTES_MAX);
	DEFAULT(headers_max, HTTP_HEADERS_MAX);
	DEFAULT(connections_max, connections_possible());
	DEFAULT(streams_max, HTTP2_STREAMS_MAX);
	DEFAULT(read_stall_ms, HTTP_READ_STALL_MS_MAX);
	DEFAULT(idle_ms, HTTP_IDLE_MS_MAX);
	if (s->o.tls)
		tls_context_ref(s->o.tls);
	list_init(&s->connections);
	list_init(&s->strangers);
	list_init(&s->spare);
	uv_timer_init(loop_uv(s->loop), &s->tick);
	s->tick.data = s;
	uv_timer_start(&s->tick, tick, TICK_MS, TICK_MS);
	*ret = s;
	return 0;
}

static int add_listener(struct http_server *s, int rc, struct conn_listener *l)
{
	if (rc != 0)
		return rc;
	s->listeners[s->listeners_count++] = l;
	s->listeners_open++;
	return 0;
}

static struct conn_listen_options listen_options(struct http_server *s)
{
	return (struct conn_listen_options){
	        .tls = s->o.tls, .reuse_port = s->o.reuse_port, .on_accept = on_accept, .arg = s};
}

int http_server_listen_tcp(struct http_server *s, const char *address, int port, struct err *err)
{
	struct conn_listen_options o = listen_options(s);
	struct conn_listener *l = NULL;
	if (s->listeners_count == COUNT_OF(s->listeners))
		return err_set(err, ERR_INVAL, "an HTTP server has at most %zu listeners", COUNT_OF(s->listeners));
	struct err no_v6 = ERR_INIT;
	int rc = address ? conn_listen_tcp(s->loop, address, port, &o, &l, err)
	                 : conn_listen_tcp(s->loop, "::", port, &o, &l, &no_v6);
	if (rc != 0 && !address)
		rc = conn_listen_tcp(s->loop, "0.0.0.0", port, &o, &l, err);
	return add_listener(s, rc, l);
}

int http_server_listen_unix(struct http_server *s, const char *path, unsigned mode, struct err *err)
{
	struct conn_listen_options o = listen_options(s);
	struct conn_listener *l = NULL;
	if (s->listeners_count == COUNT_OF(s->listeners))
		return err_set(err, ERR_INVAL, "an HTTP server has at most %zu listeners", COUNT_OF(s->listeners));
	int rc = conn_listen_unix(s->loop, path, mode, &o, &l, err);
	return add_listener(s, rc, l);
}

int http_server_port(const struct http_server *s)
{
	for (unsigned i = 0; i < s->listeners_count; i++)
		if (conn_listener_port(s->listeners[i]))
			return conn_listener_port(s->listeners[i]);
	return 0;
}

size_t http_server_connections(const struct http_server *s)
{
	return s->connections_count;
}

void http_server_recycle(struct http_server *s, struct http_exchange *x)
{
	s->exchanges_live--;
	if (s->spare_count < SPARE_MAX) {
		list_push_front(&s->spare, &x->link);
		s->spare_count++;
	} else {
		exchange_free(x);
	}
	finish_close(s);
}

const char *http_server_date(struct http_server *s)
{
	time_t now = time(NULL);
	struct tm tm;
	if (now != s->date_s) {
		s->date_s = now;
		gmtime_r(&now, &tm);
		strftime(s->date, sizeof s->date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	}
	return s->date;
}

static void on_tick_closed(uv_handle_t *h)
{
	struct http_server *s = h->data;
	for (struct list_link *it; (it = list_pop_front(&s->spare)) != NULL;)
		exchange_free(CONTAINER_OF(it, struct http_exchange, link));
	tls_context_unref(s->o.tls);
	if (s->on_closed)
		s->on_closed(s->closed_arg);
	free(s);
}

static void finish_close(struct http_server *s)
{
	if (!s->closing || s->listeners_open || s->connections_count || s->exchanges_live || s->tick_closed)
		return;
	s->tick_closed = true;
	uv_close((uv_handle_t *)&s->tick, on_tick_closed);
}

static void on_listener_closed(void *arg)
{
	struct http_server *s = arg;
	s->listeners_open--;
	finish_close(s);
}

void http_server_close(struct http_server *s, unsigned timeout_ms, void (*on_server_closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(s->loop);
	CHECK(!s->closing);
	s->closing = true;
	s->on_closed = on_server_closed;
	s->closed_arg = arg;
	s->close_deadline_ms = loop_now_ms(s->loop) + timeout_ms;
	for (unsigned i = 0; i < s->listeners_count; i++)
		conn_listener_close(s->listeners[i], on_listener_closed, s);
	LIST_FOREACH (it, &s->connections) {
		struct http_connection *c = CONTAINER_OF(it, struct http_connection, link);
		c->draining = true;
		if (timeout_ms == 0 || !c->protocol)
			http_connection_close(c, 0);
		else if (!c->closing && !c->upgraded)
			c->protocol->drain(c);
	}
	finish_close(s);
}
