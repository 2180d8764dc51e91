/* Questions over TCP, each with its length before it (RFC 1035 section 4.2.2). See listener.h.
 *
 * What can go wrong: a client sends faster than it reads, or more than is worked on at a time (reading pauses); it says
 * nothing (closed after a while); there are too many (the newest is closed at once). */
#include "net/dns/serve/listener.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/mem/arena.h"
#include "base/mem/list.h"
#include "base/rt/closing.h"
#include "base/wire/conn.h"
#include "net/dns/resolve/chain.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

struct tcp {
	struct listener_options o;
	int port;
	struct conn_listener *listener;
	struct list_link clients;
	size_t n_clients;
	bool is_closing;
	struct closing closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

struct client {
	struct tcp *tcp;
	struct list_link link;
	struct conn *conn; /* NULL: it is closing, or closed */
	struct strbuf in;
	unsigned under_way, handles;
	bool peer_ended, is_paused, in_take;
	struct sockaddr_storage address;
	uv_timer_t idle;
	struct loop_defer resume;
};

static void take(struct client *c);

/* ---- the end of a client ---- */

static void maybe_gone(struct client *c)
{
	struct tcp *t = c->tcp;
	if (c->handles || c->under_way)
		return;
	list_del(&c->link);
	t->n_clients--;
	strbuf_release(&c->in);
	free(c);
	if (t->is_closing)
		closing_part_done(&t->closing);
}

static void conn_closed(struct conn *conn, void *arg)
{
	struct client *c = arg;
	c->handles--;
	maybe_gone(c);
}

static void timer_closed(uv_handle_t *h)
{
	struct client *c = h->data;
	c->handles--;
	maybe_gone(c);
}

static void client_close(struct client *c, unsigned linger_ms)
{
	if (!c->conn)
		return;
	loop_defer_cancel(&c->resume);
	conn_close(TAKE(c->conn), linger_ms);
	uv_close((uv_handle_t *)&c->idle, timer_closed);
}

static void is_idle(uv_timer_t *timer)
{
	struct client *c = timer->data;
	if (c->under_way == 0)
		client_close(c, 0);
}

static void not_idle(struct client *c)
{
	if (c->conn)
		uv_timer_start(&c->idle, is_idle, DNS_TCP_IDLE_MS_MAX, 0);
}

/* ---- questions and answers ---- */

static void pause_or_go_on(struct client *c)
{
	bool full = c->under_way >= DNS_TCP_QUESTIONS_MAX || !conn_write_has_room(c->conn);
	if (full == c->is_paused)
		return;
	c->is_paused = full;
	if (full)
		conn_read_pause(c->conn);
	else
		conn_read_resume(c->conn);
}

static void resume(struct loop_defer *d)
{
	struct client *c = CONTAINER_OF(d, struct client, resume);
	if (c->conn)
		take(c);
}

static void answered(struct chain_request *r, const uint8_t *data, size_t len)
{
	struct client *c = r->arg;
	uint8_t head[2] = {(uint8_t)(len >> 8), (uint8_t)len};
	c->under_way--;
	if (c->conn && len) {
		conn_write(c->conn, head, 2);
		conn_write(c->conn, data, len);
		not_idle(c);
		if (!c->in_take)
			loop_defer(c->tcp->o.loop, &c->resume);
	} else if (c->conn && !c->in_take) {
		loop_defer(c->tcp->o.loop, &c->resume);
	}
	if (!c->in_take)
		maybe_gone(c);
}

static void ask(struct client *c, const uint8_t *data, size_t len)
{
	struct tcp *t = c->tcp;
	struct chain_request *r = chain_request_new(*t->o.chain);
	r->client = c->address;
	r->port = t->o.asked_port ? t->o.asked_port : t->port;
	r->is_tcp = true;
	r->answer = answered;
	r->arg = c;
	c->under_way++;
	chain_ask(r, data, len);
}

/* Asks what is there, as far as there is room. */
static void take(struct client *c)
{
	size_t at = 0;
	c->in_take = true;
	while (c->in.len - at >= 2 && c->under_way < DNS_TCP_QUESTIONS_MAX && conn_write_has_room(c->conn)) {
		const uint8_t *p = (const uint8_t *)c->in.data + at;
		size_t len = (size_t)(p[0] << 8 | p[1]);
		if (c->in.len - at < len + 2)
			break;
		at += len + 2;
		ask(c, p + 2, len);
	}
	c->in_take = false;
	memmove(c->in.data, c->in.data + at, c->in.len - at);
	c->in.len -= at;
	if (c->in.len == 0)
		strbuf_release(&c->in); /* idle connections hold nothing */
	pause_or_go_on(c);
	if (c->peer_ended && c->under_way == 0)
		client_close(c, 1000);
}

static void on_read(struct conn *conn, const char *data, size_t len, void *arg)
{
	struct client *c = arg;
	if (!c->conn)
		return;
	not_idle(c);
	strbuf_add(&c->in, data, len);
	take(c);
}

static void on_end(struct conn *conn, const struct err *err, void *arg)
{
	struct client *c = arg;
	c->peer_ended = true;
	if (c->conn && (err || c->under_way == 0))
		client_close(c, err ? 0 : 1000);
}

static void on_drained(struct conn *conn, void *arg)
{
	struct client *c = arg;
	if (c->conn)
		take(c);
}

/* ---- connections ---- */

/* "10.0.0.7:41234", "[::1]:80" */
static void read_address(const char *text, struct sockaddr_storage *ret)
{
	char host[64];
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
	const char *from = text[0] == '[' ? text + 1 : text, *end = strrchr(text, ':');
	memset(ret, 0, sizeof *ret);
	ret->ss_family = AF_INET;
	if (!end || (size_t)(end - from) >= sizeof host)
		return;
	size_t len = (size_t)(end - from) - (text[0] == '[');
	memcpy(host, from, len);
	host[len] = 0;
	const char *plain = strncmp(host, "::ffff:", 7) == 0 && strchr(host, '.') ? host + 7 : host;
	if (inet_pton(AF_INET, plain, &v4->sin_addr) != 1 && inet_pton(AF_INET6, host, &v6->sin6_addr) == 1)
		v6->sin6_family = AF_INET6;
}

static const struct conn_callbacks callbacks = {
        .on_read = on_read, .on_end = on_end, .on_drained = on_drained, .on_closed = conn_closed};

static void no_read(struct conn *conn, const char *data, size_t len, void *arg)
{
}

static void no_end(struct conn *conn, const struct err *err, void *arg)
{
}

static void on_accept(struct conn_listener *l, struct conn *conn, void *arg)
{
	static const struct conn_callbacks nobody = {.on_read = no_read, .on_end = no_end};
	struct tcp *t = arg;
	if (t->n_clients >= DNS_TCP_CONNECTIONS_MAX || t->is_closing) {
		conn_start(conn, &nobody, NULL);
		conn_close(conn, 0);
		return;
	}
	struct client *c = xcalloc(1, sizeof *c);
	c->tcp = t;
	c->conn = conn;
	c->handles = 2;
	list_push_back(&t->clients, &c->link);
	t->n_clients++;
	loop_defer_init(&c->resume, resume);
	uv_timer_init(loop_uv(t->o.loop), &c->idle);
	c->idle.data = c;
	read_address(conn_peer(conn)->address, &c->address);
	conn_start(conn, &callbacks, c);
	not_idle(c);
}

int tcp_new(const struct listener_options *o, int port, struct tcp **ret, struct err *err)
{
	struct tcp *t = xcalloc(1, sizeof *t);
	bool all = !o->address[0];
	t->o = *o;
	t->port = port;
	list_init(&t->clients);
	struct conn_listen_options listen = {.on_accept = on_accept, .arg = t};
	if (conn_listen_tcp(o->loop, all ? "::" : o->address, port, &listen, &t->listener, err) != 0 &&
	        (!all || conn_listen_tcp(o->loop, "0.0.0.0", port, &listen, &t->listener, err) != 0)) {
		free(t);
		return err->code;
	}
	*ret = t;
	return 0;
}

static void all_closed(struct closing *x)
{
	struct tcp *t = CONTAINER_OF(x, struct tcp, closing);
	void (*closed)(void *) = t->closed;
	void *arg = t->closed_arg;
	free(t);
	if (closed)
		closed(arg);
}

void tcp_close(struct tcp *t, void (*closed)(void *arg), void *arg)
{
	t->is_closing = true;
	t->closed = closed;
	t->closed_arg = arg;
	t->closing.all_closed = all_closed;
	closing_hold(&t->closing);
	closing_hold(&t->closing), conn_listener_close(t->listener, closing_part_done, &t->closing);
	for (size_t i = 0; i < t->n_clients; i++)
		closing_hold(&t->closing);
	LIST_FOREACH (it, &t->clients)
		client_close(CONTAINER_OF(it, struct client, link), 0);
	closing_part_done(&t->closing);
}
