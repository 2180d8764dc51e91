/* Two connections joined in memory, for tests of everything above: same queue, same TLS, no kernel. What one side sends
 * lands in the other's inbox (bounded, so back-pressure is real) and is delivered in a later turn of the loop. */
#include "base/wire/conn_int.h"

#include "base/check.h"
#include "base/mem/arena.h"

enum { INBOX_MAX = 64 * 1024 };

static ssize_t pair_try_write(struct conn *c, uv_buf_t *bufs, unsigned n)
{
	struct conn *o = c->pair.other;
	ssize_t sent = 0;
	if (!o || o->state == CONN_CLOSED)
		return UV_EPIPE;
	for (unsigned i = 0; i < n && o->pair.inbox.len < INBOX_MAX; i++) {
		size_t room = INBOX_MAX - o->pair.inbox.len;
		size_t take = bufs[i].len < room ? bufs[i].len : room;
		strbuf_add(&o->pair.inbox, bufs[i].base, take);
		sent += (ssize_t)take;
	}
	loop_defer(o->loop, &o->pair.deliver);
	return sent;
}

static void pair_send_waiting(struct conn *c)
{
	if (c->pair.other)
		c->pair.other->pair.other_waits = true;
}

static void wake_other(struct conn *c)
{
	struct conn *o = c->pair.other;
	c->pair.other_waits = false;
	if (o && o->state != CONN_CLOSED)
		conn_sent(o, 0, 0);
}

static void finish_close(struct conn *c)
{
	struct conn *o = c->pair.other;
	strbuf_release(&c->pair.inbox);
	if (o) {
		o->pair.other = NULL;
		o->pair.other_shut = true;
		if (o->state != CONN_CLOSED)
			loop_defer(o->loop, &o->pair.deliver);
	}
	conn_handle_closed(c);
}

static void pair_turn(struct loop_defer *d)
{
	struct conn *c = CONTAINER_OF(d, struct conn, pair.deliver);
	if (c->state == CONN_CLOSED) {
		finish_close(c);
		return;
	}
	if (!c->reading)
		return;
	if (c->pair.inbox.len) {
		struct strbuf b = c->pair.inbox;
		c->pair.inbox = STRBUF_INIT;
		conn_received(c, b.data, b.len);
		strbuf_release(&b);
		if (c->pair.other_waits)
			wake_other(c);
		if (c->pair.inbox.len || c->pair.other_shut)
			loop_defer(c->loop, &c->pair.deliver);
		return;
	}
	if (c->pair.other_shut) {
		c->pair.other_shut = false;
		c->reading = false;
		conn_received_end(c);
	}
}

static void pair_read(struct conn *c, bool on)
{
	if (on)
		loop_defer(c->loop, &c->pair.deliver);
}

static void pair_shutdown(struct conn *c)
{
	struct conn *o = c->pair.other;
	if (!o || o->state == CONN_CLOSED)
		return;
	o->pair.other_shut = true;
	loop_defer(o->loop, &o->pair.deliver);
}

static void pair_close(struct conn *c)
{
	loop_defer(c->loop, &c->pair.deliver);
}

static const struct conn_ops pair_ops = {
        .try_write = pair_try_write,
        .send_waiting = pair_send_waiting,
        .read = pair_read,
        .shutdown = pair_shutdown,
        .close = pair_close,
};

void conn_pair(struct loop *loop, struct tls_context *server_tls, struct tls_context *client_tls,
        struct conn **ret_server, struct conn **ret_client)
{
	struct conn *s = conn_alloc(loop, &pair_ops), *c = conn_alloc(loop, &pair_ops);
	struct err err = ERR_INIT;
	s->pair.other = c;
	c->pair.other = s;
	loop_defer_init(&s->pair.deliver, pair_turn);
	loop_defer_init(&c->pair.deliver, pair_turn);
	CHECK(!server_tls == !client_tls);
	if (server_tls) {
		CHECK(conn_add_tls(s, server_tls, true, NULL, &err) == 0);
		CHECK(conn_add_tls(c, client_tls, false, "localhost", &err) == 0);
	}
	conn_connected(s);
	conn_connected(c);
	*ret_server = s;
	*ret_client = c;
}
