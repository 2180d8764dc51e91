/* HTTP/2 for clients: many calls on one connection. See h2.c for the way bytes are fed and fetched, which is the same.
 *
 * Windows are large, for throughput; a paused call does not give its window back, so only its own stream stalls. While
 * calls are open and nothing comes, a PING asks whether the server lives; one that does not answer breaks the
 * connection. GOAWAY stops new calls; those the server did not take are refused by it and end with ERR_UNAVAILABLE. */
#include "base/wire/http_client_int.h"

#include "base/check.h"

#include <nghttp2/nghttp2.h>

#include <stdlib.h>

enum {
	STREAM_WINDOW = 4 * 1024 * 1024,
	CONN_WINDOW = 32 * 1024 * 1024,
	PING_MS = 20000,
	PING_LOST_MS = 10000,
	NV_MAX = HTTP_HEADERS_MAX + 8
};

struct h2c {
	struct client_conn *k;
	nghttp2_session *session;
	uint64_t ping_sent_ms; /* 0: none is out */
	bool failed;
};

static struct http_call *call_of(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
        const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
	struct http_call *call = call_of(session, frame->hd.stream_id);
	uint64_t status;
	(void)flags, (void)user;
	if (!call || frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	call->got_bytes = true;
	if (name_len == 7 && memcmp(name, ":status", 7) == 0) {
		if (slice_to_u64((struct slice){(const char *)value, value_len}, &status))
			call->answer.status = (int)status;
		call->headers.count = 0; /* an interim answer came before */
		return 0;
	}
	struct header_vec *v = call->head_done ? &call->trailers : &call->headers;
	return header_vec_add(v, &call->arena, name, name_len, value, value_len)
	               ? 0
	               : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct h2c *h = user;
	struct http_call *call = call_of(session, frame->hd.stream_id);
	if (frame->hd.type == NGHTTP2_PING)
		h->ping_sent_ms = 0;
	if (frame->hd.type == NGHTTP2_GOAWAY)
		h->k->going = true;
	if (call && frame->hd.type == NGHTTP2_HEADERS && !call->head_done && call->answer.status >= 200)
		call_head(call);
	return 0;
}

static int on_data_chunk(
        nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data, size_t len, void *user)
{
	struct http_call *call = call_of(session, stream_id);
	(void)flags, (void)user;
	if (!call) {
		nghttp2_session_consume(session, stream_id, len);
		return 0;
	}
	call->unconsumed += len;
	if (call_data(call, (const char *)data, len) && call_of(session, stream_id) == call) {
		nghttp2_session_consume(session, stream_id, call->unconsumed);
		call->unconsumed = 0;
	}
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t code, void *user)
{
	struct h2c *h = user;
	struct http_call *call = call_of(session, stream_id);
	struct err err = ERR_INIT;
	if (!call)
		return 0;
	nghttp2_session_set_stream_user_data(session, stream_id, NULL);
	if (call->unconsumed)
		nghttp2_session_consume_connection(session, call->unconsumed);
	h->k->used = true;
	call->answer.reset_code = code;
	if (code == NGHTTP2_NO_ERROR && call->head_done) {
		call_done(call, NULL);
		return 0;
	}
	err_set(&err, code == NGHTTP2_REFUSED_STREAM ? ERR_UNAVAILABLE : ERR_CLOSED, "%s %s: stream was reset: %s",
	        call->o.method, call->o.target, nghttp2_http2_strerror(code));
	call_done(call, &err);
	return 0;
}

static ssize_t read_data(nghttp2_session *session, int32_t stream_id, uint8_t *buf, size_t length, uint32_t *flags,
        nghttp2_data_source *source, void *user)
{
	struct http_call *call = call_of(session, stream_id);
	(void)source, (void)user;
	if (!call)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	size_t left = call_out_left(call), n = left < length ? left : length;
	if (n == 0 && !call->out_ended) {
		call->out_deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	if (n)
		memcpy(buf, call->out.data + call->out_at, n);
	if (n == left && call->out_ended)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	call_out_taken(call, n);
	return (ssize_t)n;
}

static struct h2c *state_of(struct client_conn *k)
{
	if (k->state)
		return k->state;
	struct h2c *h = xcalloc(1, sizeof *h);
	nghttp2_session_callbacks *cb;
	nghttp2_option *option;
	h->k = k;
	CHECK(nghttp2_session_callbacks_new(&cb) == 0 && nghttp2_option_new(&option) == 0);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data_chunk);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_option_set_no_closed_streams(option, 1);
	CHECK(nghttp2_session_client_new2(&h->session, cb, h, option) == 0);
	nghttp2_session_callbacks_del(cb);
	nghttp2_option_del(option);
	nghttp2_settings_entry settings[] = {
	        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
	        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
	        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP_HEADER_BYTES_MAX},
	};
	nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings, COUNT_OF(settings));
	nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0, CONN_WINDOW);
	k->state = h;
	return h;
}

static nghttp2_nv nv(const char *name, struct slice value)
{
	return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value.ptr, strlen(name), value.len, NGHTTP2_NV_FLAG_NONE};
}

static void h2_start(struct client_conn *k, struct http_call *call)
{
	struct h2c *h = state_of(k);
	const struct http_client_options *o = &k->client->o;
	char authority[300], length[24];
	nghttp2_nv list[NV_MAX];
	size_t n = 0;
	struct err err = ERR_INIT;
	bool is_v6 = strchr(o->host, ':') != NULL;
	snprintf(authority, sizeof authority, !o->port ? "%s" : is_v6 ? "[%s]:%d" : "%s:%d", o->host, o->port);
	list[n++] = nv(":method", slice_of(call->o.method));
	list[n++] = nv(":scheme", conn_is_tls(k->conn) ? SLICE("https") : SLICE("http"));
	list[n++] = nv(":path", slice_of(call->o.target));
	list[n++] = nv(":authority", slice_of(call->o.host ? call->o.host : authority));
	size_t body = call_out_left(call);
	bool is_known = !call->out_ended && call->o.body_length > 0;
	if ((body && call->out_ended) || is_known) {
		snprintf(length, sizeof length, "%lld", is_known ? (long long)call->o.body_length : (long long)body);
		list[n++] = nv("content-length", slice_of(length));
	}
	for (size_t i = 0; i < call->o.headers_count && n < NV_MAX; i++) {
		const struct http_header *x = &call->o.headers[i];
		list[n++] = (nghttp2_nv){(uint8_t *)x->name.ptr, (uint8_t *)x->value.ptr, x->name.len, x->value.len, 0};
	}
	nghttp2_data_provider source = {.read_callback = read_data};
	bool has_body = body || !call->out_ended;
	call->stream_id = nghttp2_submit_request(h->session, NULL, list, n, has_body ? &source : NULL, call);
	if (call->stream_id >= 0)
		return;
	k->going = true; /* stream ids are used up */
	err_set(&err, ERR_UNAVAILABLE, "cannot open a stream: %s", nghttp2_strerror(call->stream_id));
	call_done(call, &err);
}

static void h2_flush(struct client_conn *k)
{
	struct h2c *h = state_of(k);
	const uint8_t *data;
	ssize_t n = 0;
	struct err err = ERR_INIT;
	while (conn_write_has_room(k->conn) && (n = nghttp2_session_mem_send(h->session, &data)) > 0)
		conn_write(k->conn, data, (size_t)n);
	if (!conn_write_has_room(k->conn))
		conn_write(k->conn, "", 0);
	bool over = !nghttp2_session_want_read(h->session) && !nghttp2_session_want_write(h->session);
	if (n >= 0 && !h->failed && !over)
		return;
	err_set(&err, h->failed ? ERR_PROTOCOL : ERR_CLOSED,
	        h->failed ? "server broke the HTTP/2 protocol" : "server is going away");
	client_conn_fail(k, &err);
}

static void h2_received(struct client_conn *k, const char *data, size_t len)
{
	struct h2c *h = state_of(k);
	if (nghttp2_session_mem_recv(h->session, (const uint8_t *)data, len) < 0)
		h->failed = true;
	client_conn_wake(k);
}

static void h2_ended(struct client_conn *k)
{
	(void)k;
}

static void h2_wake(struct http_call *call)
{
	struct h2c *h = state_of(call->on);
	if (call->out_deferred && (call_out_left(call) || call->out_ended)) {
		call->out_deferred = false;
		nghttp2_session_resume_data(h->session, call->stream_id);
	}
	if (call->unconsumed && !call->paused) {
		nghttp2_session_consume(h->session, call->stream_id, call->unconsumed);
		call->unconsumed = 0;
	}
	client_conn_wake(call->on);
}

static void h2_drop(struct client_conn *k, struct http_call *call)
{
	struct h2c *h = state_of(k);
	if (call->stream_id <= 0)
		return;
	nghttp2_session_set_stream_user_data(h->session, call->stream_id, NULL);
	if (call->unconsumed)
		nghttp2_session_consume_connection(h->session, call->unconsumed);
	call->unconsumed = 0;
	nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, call->stream_id, NGHTTP2_CANCEL);
	client_conn_wake(k);
}

static bool h2_has_room(struct client_conn *k)
{
	struct h2c *h = state_of(k);
	uint32_t max = nghttp2_session_get_remote_settings(h->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
	return k->calls_count < max && k->calls_count < HTTP2_STREAMS_MAX;
}

static void h2_tick(struct client_conn *k, uint64_t now)
{
	struct h2c *h = state_of(k);
	struct err err = ERR_INIT;
	if (h->ping_sent_ms && now - h->ping_sent_ms > PING_LOST_MS) {
		err_set(&err, ERR_TIMEOUT, "server does not answer any more");
		client_conn_fail(k, &err);
	} else if (!h->ping_sent_ms && k->calls_count && now - k->last_read_ms > PING_MS) {
		h->ping_sent_ms = now;
		nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, NULL);
		client_conn_wake(k);
	}
}

static void h2_closed(struct client_conn *k)
{
	struct h2c *h = k->state;
	if (!h)
		return;
	nghttp2_session_del(h->session);
	free(h);
	k->state = NULL;
}

const struct client_protocol h2_client = {
        .start = h2_start,
        .received = h2_received,
        .ended = h2_ended,
        .flush = h2_flush,
        .wake = h2_wake,
        .drop = h2_drop,
        .has_room = h2_has_room,
        .tick = h2_tick,
        .closed = h2_closed,
};
