/* A stream of a session as a transport of conn.c: what it writes becomes frames on the session's connection, what comes
 * for it waits in its inbox until it is read.
 *
 * Room. Each side may send MUX_WINDOW_BYTES and then as much as the other says it has delivered (ROOM, when half a
 * window is owed). A reader that pauses delivers nothing, so its writer stops after a window, and only that one does.
 * A writer takes at most a frame at a time and then waits for its turn, so that none fills the connection alone.
 *
 * What can go wrong: the session ends, the other side breaks the stream off (RESET), or sends more than it may, which
 * ends the session. A stream that is closed before both sides have ended sends RESET; what still comes for it is
 * dropped. */
#include "base/wire/mux_int.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/mem/arena.h"

#include <stdlib.h>

_Static_assert(MUX_WINDOW_BYTES >= 2 * MUX_FRAME_BYTES_MAX, "half a window has room for a frame");

struct conn *mux_stream_of(struct list_link *link)
{
	return CONTAINER_OF(link, struct conn, mux.link);
}

static void leave(struct conn *c)
{
	struct mux *m = c->mux.session;
	if (!m)
		return;
	c->mux.session = NULL;
	list_del(&c->mux.link);
	m->streams_count--;
}

/* ---- sending ---- */

static ssize_t try_write(struct conn *c, uv_buf_t *bufs, unsigned n)
{
	struct mux *m = c->mux.session;
	size_t limit = c->mux.room < MUX_FRAME_BYTES_MAX ? c->mux.room : MUX_FRAME_BYTES_MAX, len = 0;
	unsigned char head[MUX_HEAD_BYTES];
	if (!m)
		return UV_EPIPE;
	if (!limit || !mux_has_room(m))
		return 0;
	for (unsigned i = 0; i < n && len < limit; i++)
		len += bufs[i].len < limit - len ? bufs[i].len : limit - len;
	mux_encode_head(head, MUX_DATA, c->mux.id, len);
	conn_write(m->conn, head, sizeof head);
	size_t left = len;
	for (unsigned i = 0; left; i++) {
		size_t take = bufs[i].len < left ? bufs[i].len : left;
		conn_write(m->conn, bufs[i].base, take);
		left -= take;
	}
	c->mux.room -= (uint32_t)len;
	return (ssize_t)len;
}

static void send_waiting(struct conn *c)
{
	c->mux.waits = true;
	if (c->mux.session && c->mux.room)
		mux_wake(c->mux.session);
}

bool mux_stream_wake(struct conn *c)
{
	if (!c->mux.waits || !c->mux.room)
		return false;
	c->mux.waits = false;
	conn_sent(c, 0, 0);
	return true;
}

void mux_stream_room(struct conn *c, uint32_t room, struct err *err)
{
	if (room > MUX_WINDOW_BYTES - (c->mux.room < MUX_WINDOW_BYTES ? c->mux.room : MUX_WINDOW_BYTES)) {
		err_set(err, ERR_PROTOCOL, "room for more than a window on stream %u", c->mux.id);
		return;
	}
	c->mux.room += room;
	if (c->mux.waits)
		mux_wake(c->mux.session);
}

static void maybe_done(struct conn *c)
{
	if (c->mux.sent_end && c->mux.got_end)
		leave(c);
}

static void shut_down(struct conn *c)
{
	if (!c->mux.session || c->mux.sent_end)
		return;
	c->mux.sent_end = true;
	mux_send(c->mux.session, MUX_END, c->mux.id, SLICE(""));
	maybe_done(c);
}

/* ---- receiving ---- */

static void tell_room(struct conn *c)
{
	if (!c->mux.session || c->mux.got_end || c->mux.owed < MUX_WINDOW_BYTES / 2)
		return;
	c->mux.await += c->mux.owed;
	mux_send_room(c->mux.session, c->mux.id, c->mux.owed);
	c->mux.owed = 0;
}

static void deliver(struct conn *c, const char *data, size_t len)
{
	conn_received(c, data, len);
	c->mux.owed += (uint32_t)len;
	tell_room(c);
}

void mux_stream_data(struct conn *c, struct slice data, struct err *err)
{
	if (c->mux.got_end || data.len > c->mux.await) {
		err_set(err, ERR_PROTOCOL, "more on stream %u than it may send", c->mux.id);
		return;
	}
	c->mux.await -= (uint32_t)data.len;
	if (c->reading && !c->mux.inbox.len)
		deliver(c, data.ptr, data.len);
	else
		strbuf_add(&c->mux.inbox, data.ptr, data.len);
}

void mux_stream_end(struct conn *c)
{
	c->mux.got_end = true;
	maybe_done(c);
	loop_defer(c->loop, &c->mux.turn);
}

void mux_stream_fail(struct conn *c, int code, struct slice why)
{
	leave(c);
	if (!c->mux.failure) {
		c->mux.failure = xprintf("%.*s", SLICE_FMT(why));
		c->mux.failure_code = code;
	}
	loop_defer(c->loop, &c->mux.turn);
}

static void deliver_inbox(struct conn *c)
{
	struct strbuf b = c->mux.inbox;
	c->mux.inbox = STRBUF_INIT;
	deliver(c, b.data, b.len);
	strbuf_release(&b);
	if (c->mux.got_end || c->mux.failure)
		loop_defer(c->loop, &c->mux.turn);
}

static void finish_close(struct conn *c)
{
	strbuf_release(&c->mux.inbox);
	free(c->mux.failure);
	conn_handle_closed(c);
}

static void report_failure(struct conn *c)
{
	struct err err = ERR_INIT;
	err_set(&err, c->mux.failure_code, "%s", c->mux.failure);
	c->reading = false;
	conn_fail(c, &err);
}

/* What came before a failure or an end is delivered before it is told. */
static void turn(struct loop_defer *d)
{
	struct conn *c = CONTAINER_OF(d, struct conn, mux.turn);
	if (c->state == CONN_CLOSED) {
		finish_close(c);
	} else if (c->state == CONN_CONNECTING && !c->mux.failure) {
		conn_connected(c);
		loop_defer(c->loop, &c->mux.turn);
	} else if (c->mux.inbox.len && c->reading) {
		deliver_inbox(c);
	} else if (c->mux.failure) {
		report_failure(c);
	} else if (c->mux.got_end && !c->mux.inbox.len && c->reading) {
		c->reading = false;
		conn_received_end(c);
	}
}

static void read_on(struct conn *c, bool on)
{
	if (on)
		loop_defer(c->loop, &c->mux.turn);
}

static void close_stream(struct conn *c)
{
	if (c->mux.session)
		mux_send(c->mux.session, MUX_RESET, c->mux.id, SLICE(""));
	leave(c);
	loop_defer(c->loop, &c->mux.turn);
}

static const struct conn_ops ops = {
        .try_write = try_write,
        .send_waiting = send_waiting,
        .read = read_on,
        .shutdown = shut_down,
        .close = close_stream,
};

/* ---- made ---- */

struct conn *mux_stream_new(struct loop *loop, struct mux *m, uint32_t id)
{
	struct conn *c = conn_alloc(loop, &ops);
	c->mux.session = m;
	c->mux.id = id;
	c->mux.room = c->mux.await = MUX_WINDOW_BYTES;
	loop_defer_init(&c->mux.turn, turn);
	list_init(&c->mux.link);
	if (m) {
		list_push_back(&m->streams, &c->mux.link);
		m->streams_count++;
	}
	loop_defer(loop, &c->mux.turn);
	return c;
}

void mux_refuse(struct conn *stream, const char *why)
{
	struct slice reason = slice_of(why);
	if (reason.len > MUX_REASON_BYTES_MAX)
		reason.len = MUX_REASON_BYTES_MAX;
	if (stream->mux.session)
		mux_send(stream->mux.session, MUX_RESET, stream->mux.id, reason);
	mux_stream_fail(stream, ERR_CLOSED, SLICE("refused here"));
}
