/* The session: its connection, its streams, and whether the other side is there. See mux.h.
 *
 *     connection --> frames --> stream's inbox --> its owner         owner --> stream --> frames --> connection
 *
 * Streams that have something to send stand in a list and take turns, a frame each, while the connection has room; it
 * tells when it has again. What is said of the session itself (PING, RESET, ROOM) is not held back: it is a few bytes
 * per stream.
 *
 * What can go wrong: the connection breaks or falls silent, or the other side sends what is no frame, or a stream where
 * it may not open one. All streams end with why; the owner closes the session and makes another. */
#include "base/wire/mux_int.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/mem/arena.h"

#include <stdlib.h>

enum { PING_MS = 10000, LOST_MS = 30000 };

static void maybe_free(struct mux *m)
{
	if (--m->handles > 0)
		return;
	void (*closed)(void *) = m->closed;
	void *arg = m->closed_arg;
	loop_defer_cancel(&m->turn);
	mux_decoder_release(&m->decoder);
	free(m);
	if (closed)
		closed(arg);
}

/* ---- the end ---- */

static void fail_streams(struct mux *m, const struct err *err)
{
	const char *why = err->code ? err->msg : "the connection has ended";
	while (!list_empty(&m->streams))
		mux_stream_fail(mux_stream_of(m->streams.next), ERR_CLOSED, slice_of(why));
}

static void end(struct mux *m, const struct err *err)
{
	if (m->ended)
		return;
	m->ended = true;
	m->err = err ? *err : ERR_INIT;
	fail_streams(m, &m->err);
	loop_defer(m->loop, &m->turn); /* tells the owner, who may free what calls us now */
}

/* ---- sending ---- */

bool mux_has_room(const struct mux *m)
{
	return !m->ended && conn_write_has_room(m->conn);
}

static void write_out(struct mux *m, struct strbuf *b)
{
	if (!m->ended)
		conn_write(m->conn, b->data, b->len);
	strbuf_release(b);
}

void mux_send(struct mux *m, enum mux_type type, uint32_t stream, struct slice payload)
{
	struct strbuf b = STRBUF_INIT;
	mux_encode(&b, type, stream, payload);
	write_out(m, &b);
}

void mux_send_room(struct mux *m, uint32_t stream, uint32_t room)
{
	struct strbuf b = STRBUF_INIT;
	mux_encode_room(&b, stream, room);
	write_out(m, &b);
}

void mux_wake(struct mux *m)
{
	loop_defer(m->loop, &m->turn);
}

/* One that was served goes to the back. The streams' own turns write; what they leave comes back by mux_wake(). */
static void serve(struct mux *m)
{
	for (size_t i = m->streams_count; i > 0; i--) {
		struct conn *c = mux_stream_of(m->streams.next);
		list_del(&c->mux.link);
		list_push_back(&m->streams, &c->mux.link);
		mux_stream_wake(c);
	}
}

static void turn(struct loop_defer *d)
{
	struct mux *m = CONTAINER_OF(d, struct mux, turn);
	if (m->closing)
		return;
	if (m->ended)
		m->o.on_end(m, m->err.code ? &m->err : NULL, m->o.arg);
	else if (mux_has_room(m))
		serve(m);
	else
		conn_write(m->conn, "", 0); /* asks to be told */
}

/* ---- receiving ---- */

static struct conn *find(struct mux *m, uint32_t id)
{
	LIST_FOREACH (it, &m->streams)
		if (mux_stream_of(it)->mux.id == id)
			return mux_stream_of(it);
	return NULL;
}

static void opened(struct mux *m, uint32_t id, struct err *err)
{
	if (!m->o.on_stream || id <= m->last_id) {
		err_set(err, ERR_PROTOCOL, "stream %u may not be opened", id);
		return;
	}
	m->last_id = id;
	if (m->streams_count >= MUX_STREAMS_MAX)
		mux_send(m, MUX_RESET, id, SLICE("too many streams at a time"));
	else
		m->o.on_stream(m, mux_stream_new(m->loop, m, id), m->o.arg);
}

static void of_stream(struct mux *m, const struct mux_frame *f, struct err *err)
{
	struct conn *c = f->type == MUX_OPEN ? NULL : find(m, f->stream);
	if (f->type == MUX_OPEN)
		opened(m, f->stream, err);
	else if (f->stream > m->last_id)
		err_set(err, ERR_PROTOCOL, "stream %u was never opened", f->stream);
	else if (!c)
		return; /* of one that has been closed here */
	else if (f->type == MUX_DATA)
		mux_stream_data(c, f->payload, err);
	else if (f->type == MUX_ROOM)
		mux_stream_room(c, f->room, err);
	else if (f->type == MUX_END)
		mux_stream_end(c);
	else
		mux_stream_fail(
		        c, ERR_UNAVAILABLE, f->payload.len ? f->payload : SLICE("broken off by the other side"));
}

static void on_read(struct conn *conn, const char *data, size_t len, void *arg)
{
	struct mux *m = arg;
	struct slice in = {data, len};
	struct mux_frame f;
	struct err err = ERR_INIT;
	m->heard_ms = loop_now_ms(m->loop);
	m->asked = false;
	while (!m->ended && !m->closing && mux_decode(&m->decoder, &in, &f, &err) > 0) {
		if (f.type == MUX_PING)
			mux_send(m, MUX_PONG, 0, f.payload);
		else if (f.type != MUX_PONG)
			of_stream(m, &f, &err);
		if (err.code)
			break;
	}
	if (err.code)
		end(m, &err);
}

static void on_end(struct conn *conn, const struct err *err, void *arg)
{
	end(arg, err);
}

static void on_drained(struct conn *conn, void *arg)
{
	mux_wake(arg);
}

static void on_closed(struct conn *conn, void *arg)
{
	maybe_free(arg);
}

/* ---- is anybody there ---- */

static void on_timer(uv_timer_t *t)
{
	struct mux *m = t->data;
	struct err err = ERR_INIT;
	uint64_t silent = loop_now_ms(m->loop) - m->heard_ms;
	if (m->ended)
		return;
	if (silent >= m->o.lost_ms) {
		err_set(&err, ERR_TIMEOUT, "nothing has come for %u s", m->o.lost_ms / 1000);
		end(m, &err);
	} else if (silent >= m->o.ping_ms && !m->asked) {
		m->asked = true;
		mux_send(m, MUX_PING, 0, SLICE("k3x-ping"));
	}
}

static void timer_closed(uv_handle_t *h)
{
	maybe_free(h->data);
}

/* ---- life ---- */

struct mux *mux_new(struct conn *c, const struct mux_options *options)
{
	static const struct conn_callbacks callbacks = {NULL, on_read, on_end, on_drained, on_closed};
	struct mux *m = xcalloc(1, sizeof *m);
	CHECK(options->on_end);
	m->loop = conn_loop(c);
	m->conn = c;
	m->o = *options;
	m->o.ping_ms = options->ping_ms ? options->ping_ms : PING_MS;
	m->o.lost_ms = options->lost_ms ? options->lost_ms : LOST_MS;
	m->heard_ms = loop_now_ms(m->loop);
	m->handles = 2;
	list_init(&m->streams);
	loop_defer_init(&m->turn, turn);
	uv_timer_init(loop_uv(m->loop), &m->timer);
	m->timer.data = m;
	uv_timer_start(&m->timer, on_timer, m->o.ping_ms / 2, m->o.ping_ms / 2);
	conn_start(c, &callbacks, m);
	return m;
}

void mux_close(struct mux *m, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(m->loop);
	CHECK(!m->closing);
	m->closing = m->ended = true;
	m->closed = closed;
	m->closed_arg = arg;
	fail_streams(m, &m->err);
	uv_close((uv_handle_t *)&m->timer, timer_closed);
	conn_close(m->conn, 0);
}

size_t mux_streams(const struct mux *m)
{
	return m->streams_count;
}

const char *mux_address(struct mux *m)
{
	return conn_peer(m->conn)->address;
}

struct conn *mux_open(struct mux *m, struct loop *loop, const struct conn_connect_options *o,
        const struct conn_callbacks *callbacks, void *arg)
{
	struct err err = ERR_INIT;
	LOOP_CHECK_OWNER(loop);
	bool is_full = m && m->streams_count >= MUX_STREAMS_MAX, can = m && !m->ended && !is_full;
	struct conn *c = mux_stream_new(loop, can ? m : NULL, can ? ++m->last_id : 0);
	conn_start(c, callbacks, arg);
	if (o && o->timeout_ms)
		conn_start_timer(c, o->timeout_ms);
	if (can)
		mux_send(m, MUX_OPEN, m->last_id, SLICE(""));
	if (o && o->tls && conn_add_tls(c, o->tls, false, o->server_name, &err) != 0)
		mux_stream_fail(c, err.code, slice_of(err.msg));
	else if (!can)
		mux_stream_fail(c, is_full ? ERR_BUSY : ERR_UNAVAILABLE,
		        is_full ? SLICE("too many streams at a time") : SLICE("the connection has ended"));
	if (c->tls && o->http_major)
		tls_session_offer(c->tls, o->http_major);
	return c;
}
