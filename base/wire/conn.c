/* Connections: the part that does not depend on what is underneath.
 *
 *   conn_write --> plain --(encrypt)--> raw --> transport          transport --> (decrypt) --> on_read
 *
 * Happy path. conn_write*() only queues and asks for a flush at the end of the turn (loop_defer). The flush encrypts
 * until `raw` holds enough for the socket, hands it to the transport's try_write, and what the socket does not take is
 * left with the transport, which reports conn_sent() later; then the next flush. So one turn's small writes become
 * one run of TLS records and one system call. A plain connection queues in `raw` at once.
 *
 * Reading goes straight from the loop's buffer through OpenSSL to on_read. When on_read pauses in the middle, the
 * encrypted rest is kept in `cipher_in` and the transport stops reading.
 *
 * Closing. conn_close() without linger drops everything. With it, what is queued is sent, our side is shut down, and
 * what still comes is thrown away until the peer ends or time is up: closing a socket with unread bytes would make the
 * kernel reset it, and the peer would lose our last answer.
 *
 * What can go wrong: transport errors and bad TLS end reading (on_end with the error); writes after that are dropped.
 * A producer that ignores the queue's marks overflows it, which is treated as a broken connection (ERR_BUSY). */
#include "base/wire/conn_int.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/mem/arena.h"

#include <stdlib.h>

enum { WRITE_HIGH = 128 * 1024, WRITE_LOW = 64 * 1024, RAW_HIGH = 128 * 1024, FLUSH_ROUNDS = 8, RECORD = 16 * 1024 };
enum { WRITEV_MAX = 64, READ_ROUNDS = 64 };

static void flush(struct conn *c);
static void close_now(struct conn *c);

static void turn(struct loop_defer *d);

struct conn *conn_alloc(struct loop *loop, const struct conn_ops *ops)
{
	LOOP_CHECK_OWNER(loop);
	struct conn *c = xcalloc(1, sizeof *c);
	c->loop = loop;
	c->ops = ops;
	c->handles = 1;
	loop_defer_init(&c->turn, turn);
	memcpy(c->address, "@", 2);
	return c;
}

static void emit(void *arg, const char *data, size_t len)
{
	struct conn *c = arg;
	wqueue_add_copy(&c->raw, data, len);
}

int conn_add_tls(struct conn *c, struct tls_context *tls, bool is_server, const char *server_name, struct err *err)
{
	return tls_session_new(tls, is_server, server_name, emit, c, &c->tls, err);
}

void conn_flush_later(struct conn *c)
{
	if (c->state != CONN_CLOSED)
		loop_defer(c->loop, &c->turn);
}

/* ---- timer ---- */

static void timer_closed(uv_handle_t *h)
{
	conn_handle_closed(h->data);
}

static void on_timer(uv_timer_t *t)
{
	struct conn *c = t->data;
	struct err err = ERR_INIT;
	if (c->state == CONN_LINGER) {
		close_now(c);
		return;
	}
	if (c->state >= CONN_OPEN)
		return;
	err_set(&err, ERR_TIMEOUT, c->state == CONN_CONNECTING ? "connect: timed out" : "TLS handshake: timed out");
	conn_fail(c, &err);
}

void conn_start_timer(struct conn *c, unsigned ms)
{
	if (!c->timer_used) {
		uv_timer_init(loop_uv(c->loop), &c->timer);
		c->timer.data = c;
		c->timer_used = true;
		c->handles++;
	}
	uv_timer_start(&c->timer, on_timer, ms, 0);
}

/* ---- reading ---- */

static void update_reading(struct conn *c)
{
	bool on = c->started && !c->ended &&
	          (c->state == CONN_HANDSHAKE ||
	                  (c->state == CONN_OPEN && !c->paused && c->unread.len == 0 && c->cipher_in.len == 0));
	if (c->state == CONN_LINGER)
		on = true;
	if (c->state == CONN_CLOSED || c->state == CONN_CONNECTING || on == c->reading)
		return;
	c->reading = on;
	c->ops->read(c, on);
}

static bool may_deliver(const struct conn *c)
{
	return c->state == CONN_OPEN && c->started && !c->paused && !c->ended;
}

static void deliver(struct conn *c, const char *data, size_t len)
{
	if (may_deliver(c) && c->unread.len == 0)
		c->cb.on_read(c, data, len, c->arg);
	else if (c->state == CONN_OPEN && !c->ended)
		strbuf_add(&c->unread, data, len);
}

/* The first end counts. Before the connection was open it is on_open that hears of it. */
static void end(struct conn *c, const struct err *err)
{
	if (c->ended || c->state == CONN_CLOSED)
		return;
	c->ended = true;
	update_reading(c);
	if (c->state == CONN_LINGER) {
		close_now(c);
		return;
	}
	if (!c->started)
		return;
	if (c->state < CONN_OPEN && c->cb.on_open)
		c->cb.on_open(c, err, c->arg);
	else
		c->cb.on_end(c, err, c->arg);
}

void conn_fail(struct conn *c, const struct err *err)
{
	wqueue_release(&c->plain);
	if (!c->sending)
		wqueue_release(&c->raw);
	end(c, err);
}

static void opened(struct conn *c)
{
	c->state = CONN_OPEN;
	if (c->timer_used)
		uv_timer_stop(&c->timer);
	if (c->started && c->cb.on_open)
		c->cb.on_open(c, NULL, c->arg);
	if (c->state == CONN_OPEN)
		update_reading(c);
}

static bool shake_hands(struct conn *c)
{
	struct err err = ERR_INIT;
	int rc = tls_session_handshake(c->tls, &err);
	conn_flush_later(c);
	if (rc == TLS_DONE)
		opened(c);
	if (rc != TLS_FAILED)
		return rc == TLS_DONE;
	flush(c); /* the alert */
	conn_fail(c, &err);
	return false;
}

/* Decrypts what tls_session_input() was given; leaves the rest in cipher_in when reading pauses. */
static void pump_tls(struct conn *c)
{
	char buf[RECORD];
	size_t len;
	struct err err = ERR_INIT;
	if (c->state == CONN_HANDSHAKE && !shake_hands(c))
		return;
	while (may_deliver(c)) {
		int rc = tls_session_read(c->tls, buf, sizeof buf, &len, &err);
		if (rc == TLS_DONE) {
			deliver(c, buf, len);
			continue;
		}
		if (c->raw.bytes)
			conn_flush_later(c);
		if (rc == TLS_CLOSED)
			end(c, NULL);
		else if (rc == TLS_FAILED)
			conn_fail(c, &err);
		return;
	}
}

static void receive_tls(struct conn *c, const char *data, size_t len)
{
	if (c->cipher_in.len) { /* keep the order */
		strbuf_add(&c->cipher_in, data, len);
		return;
	}
	tls_session_input(c->tls, data, len);
	pump_tls(c);
	struct slice left = tls_session_input_left(c->tls);
	if (left.len && c->state < CONN_LINGER && !c->ended)
		strbuf_add(&c->cipher_in, left.ptr, left.len);
	tls_session_input(c->tls, NULL, 0);
}

void conn_received(struct conn *c, const char *data, size_t len)
{
	if (c->state >= CONN_LINGER || c->ended)
		return;
	if (c->tls)
		receive_tls(c, data, len);
	else
		deliver(c, data, len);
	update_reading(c);
}

void conn_received_end(struct conn *c)
{
	struct err err = ERR_INIT;
	if (c->state < CONN_OPEN) {
		err_set(&err, ERR_CLOSED, "peer closed the connection during the TLS handshake");
		conn_fail(c, &err);
		return;
	}
	end(c, NULL);
}

/* What waited while reading was paused. */
static void deliver_waiting(struct conn *c)
{
	if (c->unread.len && may_deliver(c)) {
		struct strbuf b = c->unread;
		c->unread = STRBUF_INIT;
		c->cb.on_read(c, b.data, b.len, c->arg);
		strbuf_release(&b);
	}
	if (c->tls && c->unread.len == 0 && (c->cipher_in.len || tls_session_has_plain(c->tls)) && may_deliver(c)) {
		struct strbuf b = c->cipher_in;
		c->cipher_in = STRBUF_INIT;
		receive_tls(c, strbuf_cstr(&b), b.len);
		strbuf_release(&b);
	}
	update_reading(c);
}

void conn_read_pause(struct conn *c)
{
	c->paused = true;
	update_reading(c);
}

void conn_read_resume(struct conn *c)
{
	if (!c->paused)
		return;
	c->paused = false;
	conn_flush_later(c);
}

void conn_unread(struct conn *c, const void *data, size_t len)
{
	struct strbuf b = STRBUF_INIT;
	if (len == 0 || c->state >= CONN_LINGER)
		return;
	strbuf_add(&b, data, len);
	strbuf_add_slice(&b, strbuf_slice(&c->unread));
	strbuf_release(&c->unread);
	c->unread = b;
	conn_flush_later(c);
}

/* ---- writing ---- */

static bool encrypt_some(struct conn *c)
{
	char buf[RECORD];
	uv_buf_t parts[16];
	struct err err = ERR_INIT;
	unsigned n = wqueue_peek(&c->plain, parts, COUNT_OF(parts));
	const char *from = parts[0].base;
	size_t len = parts[0].len;
	if (len < RECORD / 2 && n > 1) { /* gather small pieces into one record */
		len = 0;
		for (unsigned i = 0; i < n && len < sizeof buf; i++) {
			size_t take = parts[i].len < sizeof buf - len ? parts[i].len : sizeof buf - len;
			memcpy(buf + len, parts[i].base, take);
			len += take;
		}
		from = buf;
	} else if (len > RECORD) {
		len = RECORD;
	}
	if (tls_session_write(c->tls, from, len, &err) != TLS_DONE) {
		conn_fail(c, &err);
		return false;
	}
	wqueue_consume(&c->plain, len);
	return true;
}

static bool encrypt(struct conn *c)
{
	if (!c->tls || (c->state != CONN_OPEN && c->state != CONN_LINGER))
		return true;
	while (c->plain.bytes && c->raw.bytes < RAW_HIGH)
		if (!encrypt_some(c))
			return false;
	return true;
}

/* True when the transport took all there was. */
static bool send_raw(struct conn *c)
{
	uv_buf_t bufs[WRITEV_MAX];
	struct err err = ERR_INIT;
	while (c->raw.bytes && !c->sending) {
		unsigned n = wqueue_peek(&c->raw, bufs, COUNT_OF(bufs));
		size_t want = 0;
		for (unsigned i = 0; i < n; i++)
			want += bufs[i].len;
		ssize_t sent = c->ops->try_write(c, bufs, n);
		if (sent < 0) {
			err_errno(&err, (int)sent, "write to %s", c->address);
			err.code = ERR_CLOSED;
			conn_fail(c, &err);
			return false;
		}
		wqueue_consume(&c->raw, (size_t)sent);
		if ((size_t)sent < want) {
			c->sending = true;
			c->ops->send_waiting(c);
		}
	}
	return !c->sending;
}

static void flush(struct conn *c)
{
	if (c->state == CONN_CONNECTING || c->state == CONN_CLOSED)
		return;
	for (int i = 0; i < FLUSH_ROUNDS; i++) {
		if (!encrypt(c) || !send_raw(c) || c->plain.bytes == 0)
			return;
	}
	conn_flush_later(c);
}

static bool all_sent(const struct conn *c)
{
	return c->plain.bytes == 0 && c->raw.bytes == 0 && !c->sending;
}

static void shut_down_when_sent(struct conn *c)
{
	if (!c->wants_shutdown || c->shut_down || c->state == CONN_CONNECTING || c->state == CONN_CLOSED ||
	        !all_sent(c))
		return;
	c->shut_down = true;
	if (c->tls && c->state >= CONN_OPEN) {
		tls_session_close_notify(c->tls);
		flush(c);
	}
	if (c->state != CONN_CLOSED)
		c->ops->shutdown(c);
}

static void tell_drained(struct conn *c)
{
	if (!c->wants_drained || conn_write_pending(c) >= WRITE_LOW || c->state != CONN_OPEN || c->overflowed)
		return;
	c->wants_drained = false;
	if (c->started && c->cb.on_drained)
		c->cb.on_drained(c, c->arg);
}

static void turn(struct loop_defer *d)
{
	struct conn *c = CONTAINER_OF(d, struct conn, turn);
	struct err err = ERR_INIT;
	if (c->overflowed && !c->ended) {
		err_set(&err, ERR_BUSY, "more queued for %s than it may hold", c->address);
		conn_fail(c, &err);
		return;
	}
	if (c->state == CONN_HANDSHAKE && c->started && !c->reading && c->tls) {
		update_reading(c);
		shake_hands(c); /* a client speaks first */
	}
	deliver_waiting(c);
	flush(c);
	tell_drained(c);
	shut_down_when_sent(c);
	if (c->state == CONN_LINGER && c->ended && all_sent(c))
		close_now(c);
}

void conn_sent(struct conn *c, size_t bytes, int uv_error)
{
	struct err err = ERR_INIT;
	c->sending = false;
	if (c->state == CONN_CLOSED) {
		return;
	}
	if (uv_error) {
		err_errno(&err, uv_error, "write to %s", c->address);
		err.code = ERR_CLOSED;
		conn_fail(c, &err);
		return;
	}
	wqueue_consume(&c->raw, bytes);
	conn_flush_later(c);
}

static struct wqueue *queue_for_write(struct conn *c, size_t len)
{
	LOOP_CHECK_OWNER(c->loop);
	if (c->state >= CONN_LINGER || c->wants_shutdown || c->overflowed)
		return NULL;
	if (conn_write_pending(c) > CONN_WRITE_QUEUE_BYTES_MAX) {
		c->overflowed = true;
		conn_flush_later(c);
		return NULL;
	}
	conn_flush_later(c);
	(void)len;
	return c->tls ? &c->plain : &c->raw;
}

static bool has_room_or_note(struct conn *c)
{
	if (conn_write_has_room(c))
		return true;
	c->wants_drained = true;
	return false;
}

bool conn_write(struct conn *c, const void *data, size_t len)
{
	struct wqueue *q = queue_for_write(c, len);
	if (q)
		wqueue_add_copy(q, data, len);
	return has_room_or_note(c);
}

bool conn_write_ref(struct conn *c, struct rcbuf *ref, struct slice part)
{
	struct wqueue *q = queue_for_write(c, part.len);
	if (q)
		wqueue_add_ref(q, ref, part);
	else
		rcbuf_unref(ref);
	return has_room_or_note(c);
}

bool conn_write_borrowed(struct conn *c, struct slice data, void (*free_fn)(void *arg), void *arg)
{
	struct wqueue *q = queue_for_write(c, data.len);
	if (q)
		wqueue_add_borrowed(q, data, free_fn, arg);
	else
		free_fn(arg);
	return has_room_or_note(c);
}

size_t conn_write_pending(const struct conn *c)
{
	return c->plain.bytes + c->raw.bytes;
}

bool conn_write_has_room(const struct conn *c)
{
	return conn_write_pending(c) < WRITE_HIGH;
}

/* ---- life ---- */

void conn_start(struct conn *c, const struct conn_callbacks *callbacks, void *arg)
{
	LOOP_CHECK_OWNER(c->loop);
	CHECK(callbacks->on_read && callbacks->on_end);
	c->cb = *callbacks;
	c->arg = arg;
	c->started = true;
	c->paused = false;
	conn_flush_later(c);
}

void conn_connected(struct conn *c)
{
	if (c->state != CONN_CONNECTING || c->ended)
		return;
	if (!c->tls) {
		opened(c);
		conn_flush_later(c);
		return;
	}
	c->state = CONN_HANDSHAKE;
	conn_flush_later(c);
}

void conn_shutdown(struct conn *c)
{
	c->wants_shutdown = true;
	conn_flush_later(c);
}

static void close_now(struct conn *c)
{
	if (c->state == CONN_CLOSED)
		return;
	c->state = CONN_CLOSED;
	loop_defer_cancel(&c->turn);
	if (c->timer_used)
		uv_close((uv_handle_t *)&c->timer, timer_closed);
	c->ops->close(c);
}

void conn_close(struct conn *c, unsigned linger_ms)
{
	LOOP_CHECK_OWNER(c->loop);
	if (c->state >= CONN_LINGER)
		return;
	if (linger_ms == 0 || c->state != CONN_OPEN || c->overflowed || (c->ended && all_sent(c))) {
		close_now(c);
		return;
	}
	c->state = CONN_LINGER;
	c->wants_shutdown = true;
	conn_start_timer(c, linger_ms);
	update_reading(c);
	conn_flush_later(c);
}

void conn_handle_closed(struct conn *c)
{
	CHECK(c->handles > 0);
	if (--c->handles > 0)
		return;
	if (c->started && c->cb.on_closed)
		c->cb.on_closed(c, c->arg);
	tls_session_free(c->tls);
	wqueue_release(&c->plain);
	wqueue_release(&c->raw);
	strbuf_release(&c->unread);
	strbuf_release(&c->cipher_in);
	free(c);
}

bool conn_is_open(const struct conn *c)
{
	return c->state == CONN_OPEN && !c->ended;
}

bool conn_is_tls(const struct conn *c)
{
	return c->tls != NULL;
}

const struct conn_peer *conn_peer(struct conn *c)
{
	if (!c->peer_known && c->state >= CONN_OPEN) {
		c->peer_known = true;
		if (c->tls)
			tls_session_peer(c->tls, &c->peer);
	}
	c->peer.address = c->address;
	return &c->peer;
}

struct slice conn_alpn(const struct conn *c)
{
	return c->tls ? tls_session_alpn(c->tls) : SLICE_NULL;
}

struct loop *conn_loop(const struct conn *c)
{
	return c->loop;
}

/* ---- one that nobody wants ---- */

static void nothing_read(struct conn *c, const char *data, size_t len, void *arg)
{
}

static void nothing_ended(struct conn *c, const struct err *err, void *arg)
{
}

void conn_drop(struct conn *c)
{
	static const struct conn_callbacks unwanted = {.on_read = nothing_read, .on_end = nothing_ended};
	conn_start(c, &unwanted, NULL);
	conn_close(c, 0);
}
