/* HTTP/2 for servers (RFC 9113), frames and HPACK by nghttp2.
 *
 * Bytes that come are fed to the session at once; bytes that go are fetched from it once at the end of the turn
 * (h2_flush), and only while the connection has room, never from inside a callback of the session. Handlers may run
 * inside its callbacks: what they ask for only submits frames.
 *
 * A response's body is pulled: the data source says how much the exchange has queued, or DEFERRED, and is resumed when
 * more is queued. Bytes go from the exchange's pieces to the connection without being copied into frames (NO_COPY).
 *
 * Windows are given back when a handler has taken the bytes, so that one that pauses stops its sender; what is held per
 * connection is bounded by the connection's window.
 *
 * What can go wrong: frames against the protocol end the connection with GOAWAY; too large a head is answered with 431;
 * floods (resets, PING, SETTINGS) end the connection inside nghttp2. */
#include "base/wire/http_int.h"

#include "base/check.h"

#include <nghttp2/nghttp2.h>

#include <stdlib.h>

enum { LINGER_MS = 2000, NV_STACK = 48, DISCARD_MAX = 16 * 1024 * 1024 };

struct h2 {
	struct http_connection *connection;
	nghttp2_session *session;
	struct {
		uint64_t heard_ms;  /* when the peer last said anything */
		uint64_t asked_ms;  /* when it was asked whether it is there; 0: it was not, or has spoken since */
		uint64_t pinged_ms; /* when it last asked us */
		unsigned too_often; /* it has, since we last sent it something */
	} alive;
	bool goaway_due; /* draining: the notice is out, the real GOAWAY follows */
	bool failed;
};

/* ---- is the peer there? ---- */

enum { PINGS_TOO_OFTEN_MAX = 2, PING_IDLE_MS = 2 * 3600 * 1000 };

/* It asks whether we are: nghttp2 answers. */
static void pinged(struct h2 *h)
{
	struct http_connection *c = h->connection;
	uint64_t now = loop_now_ms(c->server->loop);
	uint64_t min_ms = c->exchanges_count ? c->server->o.ping_min_ms : PING_IDLE_MS;
	bool is_too_often = h->alive.pinged_ms && now - h->alive.pinged_ms < min_ms;
	h->alive.pinged_ms = now;
	if (h->failed || !c->server->o.ping_min_ms || !is_too_often || ++h->alive.too_often <= PINGS_TOO_OFTEN_MAX)
		return;
	static const char why[] = "too_many_pings";
	nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h->session),
	        NGHTTP2_ENHANCE_YOUR_CALM, (const uint8_t *)why, sizeof why - 1);
	h->failed = true; /* closed when that is out */
}

static void h2_tick(struct http_connection *c)
{
	struct h2 *h = c->state;
	const struct http_server_options *o = &c->server->o;
	uint64_t now = loop_now_ms(c->server->loop);
	if (!h || !o->ping_ms)
		return;
	if (h->alive.asked_ms && o->ping_wait_ms && now - h->alive.asked_ms >= o->ping_wait_ms) {
		http_connection_close(c, 0);
	} else if (!h->alive.asked_ms && now - h->alive.heard_ms >= o->ping_ms) {
		h->alive.asked_ms = now;
		nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, NULL);
		http_connection_wake(c);
	}
}

/* ---- requests ---- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct h2 *h = user;
	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	struct http_exchange *x = exchange_new(h->connection);
	x->stream_id = frame->hd.stream_id;
	x->request.http_major = 2;
	nghttp2_session_set_stream_user_data(session, x->stream_id, x);
	http_connection_deadline(h->connection, 0);
	return 0;
}

static struct slice copy_to_head(struct http_exchange *x, const uint8_t *p, size_t len)
{
	return (struct slice){arena_memdup(&x->head_arena, p, len), len};
}

static void pseudo_header(struct http_exchange *x, struct slice name, struct slice value)
{
	if (slice_is(name, ":method"))
		x->request.method = value;
	else if (slice_is(name, ":path"))
		x->request.target = value;
	else if (slice_is(name, ":authority"))
		x->request.authority = value;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
        const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
	struct h2 *h = user;
	const struct http_server_options *o = &h->connection->server->o;
	struct http_exchange *x = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	(void)flags;
	if (!x || frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;                          /* trailers are not used */
	x->body_limit += name_len + value_len + 4; /* counts the head until the body has its limit */
	if (x->body_limit > o->header_bytes_max || x->headers.count >= o->headers_max)
		return 0;
	if (!exchange_hold(x, name_len + value_len + 2 * sizeof(struct slice)))
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* the stream is reset */
	struct slice n = copy_to_head(x, name, name_len), v = copy_to_head(x, value, value_len);
	if (name_len && name[0] == ':') {
		pseudo_header(x, n, v);
		return 0;
	}
	header_list_add(&x->headers, n, v);
	if (slice_is(n, "host") && !x->request.authority.len)
		x->request.authority = v;
	return 0;
}

static void take_content_length(struct http_exchange *x, bool has_body)
{
	uint64_t n;
	struct slice v = http_header(x, "content-length");
	x->request.content_length = has_body ? -1 : 0;
	if (has_body && v.len && slice_to_u64(v, &n) && n <= INT64_MAX)
		x->request.content_length = (int64_t)n;
}

static void head_complete(struct h2 *h, struct http_exchange *x, bool has_body)
{
	const struct http_server_options *o = &h->connection->server->o;
	bool too_big = x->body_limit > o->header_bytes_max || x->headers.count >= o->headers_max;
	struct slice t = x->request.target;
	x->body_limit = 0;
	take_content_length(x, has_body);
	if (too_big)
		exchange_refuse(x, 431, "request head is too large");
	else if (slice_is(x->request.method, "CONNECT"))
		exchange_refuse(x, 405, "CONNECT is not served here");
	else if (!t.len || (t.ptr[0] != '/' && !slice_is(t, "*")))
		exchange_refuse(x, 400, "request target must be a path");
	else
		exchange_dispatch(x);
}

static void request_end(struct http_exchange *x)
{
	exchange_body_end(x);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct h2 *h = user;
	struct http_exchange *x = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	bool is_end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	if (frame->hd.type == NGHTTP2_PING && !(frame->hd.flags & NGHTTP2_FLAG_ACK))
		pinged(h);
	if (!x || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		head_complete(h, x, !is_end);
	if (is_end)
		request_end(x);
	return 0;
}

static int on_data_chunk(
        nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data, size_t len, void *user)
{
	struct http_exchange *x = nghttp2_session_get_stream_user_data(session, stream_id);
	(void)flags, (void)user;
	if (!x) {
		nghttp2_session_consume_connection(session, len);
		return 0;
	}
	x->unconsumed += len;
	if (exchange_body(x, (const char *)data, len)) {
		nghttp2_session_consume(session, stream_id, x->unconsumed);
		x->unconsumed = 0;
	}
	return 0;
}

static void h2_body_wanted(struct http_exchange *x)
{
	struct h2 *h = x->connection->state;
	if (x->unconsumed && exchange_takes_body(x)) {
		nghttp2_session_consume(h->session, x->stream_id, x->unconsumed);
		x->unconsumed = 0;
		http_connection_wake(x->connection);
	}
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error_code, void *user)
{
	struct h2 *h = user;
	struct http_exchange *x = nghttp2_session_get_stream_user_data(session, stream_id);
	(void)error_code;
	if (!x)
		return 0;
	nghttp2_session_set_stream_user_data(session, stream_id, NULL);
	if (x->unconsumed)
		nghttp2_session_consume_connection(session, x->unconsumed);
	x->unconsumed = 0;
	struct http_connection *c = h->connection;
	if (x->user_done && x->ended && !exchange_has_more(x))
		exchange_sent(x);
	else
		exchange_broken(x);
	if (c->exchanges_count == 0)
		http_connection_deadline(c, c->server->o.idle_ms);
	return 0;
}

/* ---- responses ---- */

static nghttp2_nv nv_of(struct slice name, struct slice value)
{
	return (nghttp2_nv){(uint8_t *)name.ptr, (uint8_t *)value.ptr, name.len, value.len, NGHTTP2_NV_FLAG_NONE};
}

static void submit_trailers(struct h2 *h, struct http_exchange *x)
{
	nghttp2_nv stack[NV_STACK];
	size_t n = 0;
	for (size_t i = 0; i < x->trailers.count && n < COUNT_OF(stack); i++)
		stack[n++] = nv_of(x->trailers.items[i].name, x->trailers.items[i].value);
	nghttp2_submit_trailer(h->session, x->stream_id, stack, n);
}

static ssize_t read_data(nghttp2_session *session, int32_t stream_id, uint8_t *buf, size_t length, uint32_t *flags,
        nghttp2_data_source *source, void *user)
{
	struct h2 *h = user;
	struct http_exchange *x = nghttp2_session_get_stream_user_data(session, stream_id);
	(void)buf, (void)source;
	if (!x)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	bool more = exchange_has_more(x);
	if (!more && !x->ended) {
		x->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	size_t n = x->queue_bytes < length ? x->queue_bytes : length;
	bool last = x->ended && n == x->queue_bytes && exchange_is_queued(x);
	bool short_body = x->content_length >= 0 && !x->no_body && x->written + (int64_t)n != x->content_length;
	if (last && short_body)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* less than promised: reset, so that the client notices
		                                               */
	if (last)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (last && x->trailers.count) {
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		submit_trailers(h, x);
	}
	if (n)
		*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	return (ssize_t)n;
}

static int send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *framehd, size_t length,
        nghttp2_data_source *source, void *user)
{
	struct h2 *h = user;
	struct http_exchange *x = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	struct conn *conn = h->connection->conn;
	struct slice piece;
	(void)source;
	if (!x)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (!conn_write_has_room(conn))
		return NGHTTP2_ERR_WOULDBLOCK; /* mem_send would else go on until the window is used up */
	h->alive.too_often = 0;
	conn_write(conn, framehd, 9);
	while (length) {
		CHECK(exchange_front(x, &piece));
		size_t n = piece.len < length ? piece.len : length;
		exchange_move(x, conn, n);
		length -= n;
	}
	return 0;
}

static void submit_response(struct h2 *h, struct http_exchange *x)
{
	nghttp2_nv stack[NV_STACK];
	char status[12], length[24];
	size_t n = 0;
	const char *date = http_server_date(h->connection->server);
	bool has_length = x->content_length >= 0 && x->status != 204 && x->status != 304;
	int rc = snprintf(status, sizeof status, "%d", x->status);
	stack[n++] = nv_of(SLICE(":status"), (struct slice){status, (size_t)rc});
	stack[n++] = nv_of(SLICE("date"), slice_of(date));
	if (has_length) {
		rc = snprintf(length, sizeof length, "%" PRId64, x->content_length);
		stack[n++] = nv_of(SLICE("content-length"), (struct slice){length, (size_t)rc});
	}
	for (size_t i = 0; i < x->out_headers.count && n < COUNT_OF(stack); i++)
		stack[n++] = nv_of(x->out_headers.items[i].name, x->out_headers.items[i].value);
	nghttp2_data_provider source = {.read_callback = read_data};
	h->alive.too_often = 0;
	bool no_data = x->no_body || x->content_length == 0;
	nghttp2_submit_response(h->session, x->stream_id, stack, n, no_data ? NULL : &source);
	x->submitted = x->head_sent = true;
}

static void h2_wake(struct http_exchange *x)
{
	struct h2 *h = x->connection->state;
	if (x->reset) {
		nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, x->stream_id, NGHTTP2_INTERNAL_ERROR);
	} else if (x->status && !x->submitted) {
		submit_response(h, x);
	} else if (x->deferred && (x->queue_count || x->ended)) {
		x->deferred = false;
		nghttp2_session_resume_data(h->session, x->stream_id);
	}
	http_connection_wake(x->connection);
}

/* An answer that is complete before its request is: the rest of the body is not wanted (RFC 9113 section 8.1). A short
 * rest is read and thrown away instead, because curl takes the reset for a failure and hides the answer. */
static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	(void)user;
	if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) ||
	        (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
		return 0;
	struct http_exchange *x = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	if (!x || x->body_ended)
		return 0;
	if (x->request.content_length < 0 || x->request.content_length > DISCARD_MAX)
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, x->stream_id, NGHTTP2_NO_ERROR);
	return 0;
}

/* ---- the session ---- */

static struct h2 *session_new(struct http_connection *c)
{
	struct h2 *h = xcalloc(1, sizeof *h);
	h->alive.heard_ms = loop_now_ms(c->server->loop);
	nghttp2_session_callbacks *cb;
	nghttp2_option *option;
	h->connection = c;
	CHECK(nghttp2_session_callbacks_new(&cb) == 0 && nghttp2_option_new(&option) == 0);
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data_chunk);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_send);
	nghttp2_session_callbacks_set_send_data_callback(cb, send_data);
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_option_set_stream_reset_rate_limit(option, HTTP2_RESETS_BURST_MAX, HTTP2_RESETS_PER_S_MAX);
	nghttp2_option_set_max_outbound_ack(option, 1000);
	nghttp2_option_set_max_settings(option, 32);
	nghttp2_option_set_no_closed_streams(option, 1);
	CHECK(nghttp2_session_server_new2(&h->session, cb, h, option) == 0);
	nghttp2_session_callbacks_del(cb);
	nghttp2_option_del(option);
	nghttp2_settings_entry settings[] = {
	        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, c->server->o.streams_max},
	        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, HTTP2_STREAM_WINDOW_BYTES},
	        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)c->server->o.header_bytes_max},
	};
	nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings, COUNT_OF(settings));
	nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0, HTTP2_CONNECTION_WINDOW_BYTES);
	return h;
}

static struct h2 *state_of(struct http_connection *c)
{
	if (!c->state) {
		c->state = session_new(c);
		http_connection_deadline(
		        c, c->server->o.read_stall_ms); /* for the first request; idle comes after one */
	}
	return c->state;
}

static void h2_received(struct http_connection *c, const char *data, size_t len)
{
	struct h2 *h = state_of(c);
	if (h->failed)
		return;
	h->alive.heard_ms = loop_now_ms(c->server->loop);
	h->alive.asked_ms = 0;
	ssize_t rc = nghttp2_session_mem_recv(h->session, (const uint8_t *)data, len);
	if (rc < 0)
		h->failed = true; /* the flush sends what the session has to say about it, then closes */
	http_connection_wake(c);
}

static void h2_flush(struct http_connection *c)
{
	struct h2 *h = state_of(c);
	const uint8_t *data;
	ssize_t n = 0;
	while (conn_write_has_room(c->conn) && (n = nghttp2_session_mem_send(h->session, &data)) > 0)
		conn_write(c->conn, data, (size_t)n);
	if (!conn_write_has_room(c->conn))
		conn_write(c->conn, "", 0); /* asks for on_drained */
	bool over = !nghttp2_session_want_read(h->session) && !nghttp2_session_want_write(h->session);
	if (n < 0 || h->failed || over)
		http_connection_close(c, LINGER_MS);
}

static void h2_ended(struct http_connection *c)
{
	http_connection_close(c, 0);
}

/* Two steps, so that requests on their way are not lost (RFC 9113 section 6.8). */
static void h2_drain(struct http_connection *c)
{
	struct h2 *h = state_of(c);
	nghttp2_submit_shutdown_notice(h->session);
	h->goaway_due = true;
	http_connection_deadline(c, 100);
	http_connection_wake(c);
}

static void h2_expired(struct http_connection *c)
{
	struct h2 *h = state_of(c);
	uint32_t code = NGHTTP2_NO_ERROR;
	http_connection_deadline(c, 0);
	nghttp2_submit_goaway(
	        h->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h->session), code, NULL, 0);
	http_connection_wake(c);
	if (!h->goaway_due && c->exchanges_count == 0)
		http_connection_close(c, LINGER_MS);
	h->goaway_due = false;
}

/* In the middle of a head nothing can be said about the stream by itself (RFC 9113 section 4.3). */
static void h2_stalled(struct http_exchange *x)
{
	struct http_connection *c = x->connection;
	struct h2 *h = c->state;
	if (!x->dispatched) {
		nghttp2_session_terminate_session(h->session, NGHTTP2_ENHANCE_YOUR_CALM);
		h2_flush(c);
		http_connection_close(c, LINGER_MS);
		return;
	}
	nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, x->stream_id, NGHTTP2_CANCEL);
	http_connection_wake(c);
}

static void h2_closed(struct http_connection *c)
{
	struct h2 *h = c->state;
	if (!h)
		return;
	nghttp2_session_del(h->session);
	free(h);
	c->state = NULL;
}

const struct http_protocol h2_protocol = {
        .wake = h2_wake,
        .body_wanted = h2_body_wanted,
        .received = h2_received,
        .flush = h2_flush,
        .ended = h2_ended,
        .drain = h2_drain,
        .expired = h2_expired,
        .tick = h2_tick,
        .stalled = h2_stalled,
        .closed = h2_closed,
};
