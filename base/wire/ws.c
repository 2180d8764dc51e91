/* WebSocket sessions: handshakes of both sides (RFC 6455 section 4), messages, pings, closing (section 7).
 *
 *   OPENING (client) --> OPEN --ws_close or close frame--> CLOSING --> conn closed --> on_closed
 *
 * A close frame is answered with one; whoever has sent and seen one ends the connection, the server at once, the client
 * after the server or some seconds. What can go wrong: broken frames (closed with the codec's code), a handshake that
 * is refused (on_open with the status), a connection that breaks (on_closed with 1006). */
#include "base/wire/ws.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/mem/arena.h"
#include "base/pki/pki.h"
#include "base/wire/conn.h"

#include <stdlib.h>

enum { LINGER_MS = 3000, MESSAGE_MAX_DEFAULT = 16 * 1024 * 1024, CODE_NONE = 1005, CODE_BROKEN = 1006 };

struct ws {
	struct ws_codec codec;
	struct conn *conn; /* NULL while the client's handshake is under way */
	struct http_call *call;
	struct ws_callbacks cb;
	void *arg;
	bool close_wanted; /* during the client's handshake */
	bool close_sent;
	bool closing;  /* conn_close() was called */
	unsigned code; /* what on_closed tells */
	char reason[124];
	size_t reason_len;
	char protocol[128];
	char accept[29];
	struct strbuf out;
};

static struct ws *ws_new(bool is_server, size_t message_bytes_max, const struct ws_callbacks *cb, void *arg)
{
	struct ws *w = xcalloc(1, sizeof *w);
	ws_codec_init(&w->codec, is_server, message_bytes_max ? message_bytes_max : MESSAGE_MAX_DEFAULT);
	w->cb = *cb;
	w->arg = arg;
	w->code = CODE_BROKEN;
	return w;
}

static void ws_free(struct ws *w)
{
	ws_codec_release(&w->codec);
	strbuf_release(&w->out);
	free(w);
}

/* ---- sending ---- */

static bool send_frame(struct ws *w, enum ws_kind kind, struct slice a, struct slice b)
{
	unsigned char mask[4];
	struct strbuf joined = STRBUF_INIT;
	if (!w->conn || w->close_sent || w->closing)
		return true;
	if (a.len) {
		strbuf_add_slice(&joined, a);
		strbuf_add_slice(&joined, b);
		b = strbuf_slice(&joined);
	}
	if (!w->codec.is_server)
		pki_random(mask, sizeof mask);
	strbuf_reset(&w->out);
	ws_frame_write(&w->out, kind, true, b, w->codec.is_server ? NULL : mask);
	bool room = conn_write(w->conn, w->out.data, w->out.len);
	if (w->out.cap > 4096)
		strbuf_release(&w->out);
	strbuf_release(&joined);
	return room;
}

bool ws_send(struct ws *w, bool is_text, struct slice data)
{
	return send_frame(w, is_text ? WS_TEXT : WS_BINARY, SLICE_NULL, data);
}

bool ws_send_prefixed(struct ws *w, bool is_text, struct slice prefix, struct slice data)
{
	return send_frame(w, is_text ? WS_TEXT : WS_BINARY, prefix, data);
}

void ws_ping(struct ws *w)
{
	send_frame(w, WS_PING, SLICE_NULL, SLICE_NULL);
}

static void end_conn(struct ws *w, unsigned linger_ms)
{
	if (w->closing)
		return;
	w->closing = true;
	conn_close(w->conn, linger_ms);
}

static void send_close(struct ws *w, unsigned code, struct slice reason)
{
	char payload[125];
	size_t n = reason.len < sizeof payload - 2 ? reason.len : sizeof payload - 2;
	payload[0] = (char)(code >> 8);
	payload[1] = (char)code;
	if (n)
		memcpy(payload + 2, reason.ptr, n);
	send_frame(w, WS_CLOSE, SLICE_NULL, (struct slice){payload, code == CODE_NONE ? 0 : n + 2});
	w->close_sent = true;
}

static void note_end(struct ws *w, unsigned code, struct slice reason)
{
	if (w->code != CODE_BROKEN)
		return;
	w->code = code;
	w->reason_len = reason.len < sizeof w->reason ? reason.len : sizeof w->reason;
	if (w->reason_len)
		memcpy(w->reason, reason.ptr, w->reason_len);
}

void ws_close(struct ws *w, unsigned code, const char *reason)
{
	w->close_wanted = !w->conn;
	if (w->close_sent || w->closing || !w->conn)
		return;
	note_end(w, code, slice_of(reason));
	send_close(w, code, slice_of(reason));
	/* The linger sends the frame, and throws away what comes until the peer has closed too. */
	end_conn(w, LINGER_MS);
}

void ws_read_pause(struct ws *w)
{
	if (w->conn && !w->closing)
		conn_read_pause(w->conn);
}

void ws_read_resume(struct ws *w)
{
	if (w->conn && !w->closing)
		conn_read_resume(w->conn);
}

/* ---- receiving ---- */

static void on_close_frame(struct ws *w, struct slice data)
{
	const unsigned char *p = (const unsigned char *)data.ptr;
	unsigned code = data.len >= 2 ? (unsigned)p[0] << 8 | p[1] : CODE_NONE;
	note_end(w, code, data.len > 2 ? (struct slice){data.ptr + 2, data.len - 2} : SLICE_NULL);
	if (!w->close_sent)
		send_close(w, code, SLICE_NULL);
	end_conn(w, LINGER_MS);
}

static void on_frame(struct ws *w, enum ws_kind kind, struct slice data)
{
	switch (kind) {
	case WS_TEXT:
	case WS_BINARY:
		w->cb.on_message(w, kind == WS_TEXT, data, w->arg);
		break;
	case WS_PING:
		send_frame(w, WS_PONG, SLICE_NULL, data);
		break;
	case WS_PONG:
		break;
	case WS_CLOSE:
		on_close_frame(w, data);
		break;
	}
}

static void on_read(struct conn *c, const char *data, size_t len, void *arg)
{
	struct ws *w = arg;
	struct err err = ERR_INIT;
	while (len && !w->closing) {
		size_t used;
		enum ws_kind kind;
		struct slice message;
		unsigned code = WS_CLOSE_PROTOCOL;
		if (ws_codec_feed(&w->codec, data, len, &used, &kind, &message, &code, &err) != 0) {
			note_end(w, code, slice_of(err.msg));
			send_close(w, code, slice_of(err.msg));
			end_conn(w, LINGER_MS);
			return;
		}
		data += used;
		len -= used;
		if (kind)
			on_frame(w, kind, message);
	}
	(void)c;
}

static void on_end(struct conn *c, const struct err *err, void *arg)
{
	(void)c, (void)err;
	end_conn(arg, 0);
}

static void on_drained(struct conn *c, void *arg)
{
	struct ws *w = arg;
	(void)c;
	if (w->cb.on_drained && !w->closing)
		w->cb.on_drained(w, w->arg);
}

static void on_closed(struct conn *c, void *arg)
{
	struct ws *w = arg;
	(void)c;
	if (w->cb.on_closed)
		w->cb.on_closed(w, w->code, (struct slice){w->reason, w->reason_len}, w->arg);
	ws_free(w);
}

static const struct conn_callbacks conn_cb = {NULL, on_read, on_end, on_drained, on_closed};

/* ---- server's handshake ---- */

static bool offers(struct slice list, const char *protocol)
{
	while (list.len)
		if (slice_is(slice_trim(slice_cut(&list, ',')), protocol))
			return true;
	return false;
}

/* The header may come several times. */
static bool client_offers(const struct http_request *r, const char *protocol)
{
	for (size_t i = 0; i < r->headers_count; i++)
		if (slice_is(r->headers[i].name, "sec-websocket-protocol") && offers(r->headers[i].value, protocol))
			return true;
	return false;
}

static int choose(
        const struct http_request *r, const char *const *protocols, size_t count, const char **ret, struct err *err)
{
	*ret = NULL;
	for (size_t i = 0; i < count && !*ret; i++)
		if (client_offers(r, protocols[i]))
			*ret = protocols[i];
	if (count && !*ret)
		return err_set(
		        err, ERR_INVAL, "none of the offered WebSocket subprotocols is supported; %s is", protocols[0]);
	return 0;
}

int ws_accept(struct http_exchange *x, const char *const *protocols, size_t protocols_count, size_t message_bytes_max,
        const struct ws_callbacks *callbacks, void *arg, struct ws **ret, struct slice *ret_protocol, struct err *err)
{
	struct slice key = http_header(x, "sec-websocket-key");
	const char *protocol;
	struct conn *conn;
	if (!http_wants_upgrade(x, "websocket") || !slice_is(http_request(x)->method, "GET"))
		return err_set(err, ERR_INVAL, "not a WebSocket handshake");
	if (!slice_is(http_header(x, "sec-websocket-version"), "13") || key.len != 24)
		return err_set(err, ERR_INVAL, "WebSocket handshake needs version 13 and a key of 16 bytes");
	int rc = choose(http_request(x), protocols, protocols_count, &protocol, err);
	if (rc != 0)
		return rc;
	struct ws *w = ws_new(true, message_bytes_max, callbacks, arg);
	ws_accept_key(key, w->accept);
	http_set_header(x, "sec-websocket-accept", slice_of(w->accept));
	if (protocol) {
		http_set_header(x, "sec-websocket-protocol", slice_of(protocol));
		snprintf(w->protocol, sizeof w->protocol, "%s", protocol);
	}
	rc = http_upgrade(x, "websocket", &conn, err);
	if (rc != 0) {
		ws_free(w);
		return rc;
	}
	w->conn = conn;
	conn_start(conn, &conn_cb, w);
	if (ret_protocol)
		*ret_protocol = slice_of(w->protocol);
	*ret = w;
	return 0;
}

/* ---- client's handshake ---- */

static void on_refused(struct http_call *call, const struct http_answer *a, const struct err *err, void *arg)
{
	struct ws *w = arg;
	struct err local = ERR_INIT;
	(void)call;
	if (!err)
		err_set(&local, ERR_PROTOCOL, "WebSocket handshake was answered with status %d", a->status);
	if (w->cb.on_open)
		w->cb.on_open(w, SLICE_NULL, err ? err : &local, w->arg);
	ws_free(w);
}

static void on_upgraded(struct http_call *call, const struct http_answer *a, struct conn *conn, void *arg)
{
	struct ws *w = arg;
	struct err err = ERR_INIT;
	struct slice protocol = http_answer_header(a, "sec-websocket-protocol");
	(void)call;
	w->call = NULL;
	if (!slice_is(http_answer_header(a, "sec-websocket-accept"), w->accept)) {
		err_set(&err, ERR_PROTOCOL, "WebSocket handshake has the wrong Sec-WebSocket-Accept");
		static const struct conn_callbacks none = {NULL, on_read, on_end, NULL, NULL};
		conn_start(conn, &none, w);
		conn_close(conn, 0);
		if (w->cb.on_open)
			w->cb.on_open(w, SLICE_NULL, &err, w->arg);
		ws_free(w);
		return;
	}
	snprintf(w->protocol, sizeof w->protocol, "%.*s", SLICE_FMT(protocol));
	w->conn = conn;
	conn_start(conn, &conn_cb, w);
	if (w->cb.on_open)
		w->cb.on_open(w, slice_of(w->protocol), NULL, w->arg);
	if (w->close_wanted)
		ws_close(w, WS_CLOSE_GOING_AWAY, "");
}

struct ws *ws_connect(struct http_client *client, const char *target, const struct http_header *headers,
        size_t headers_count, const char *const *protocols, size_t protocols_count, size_t message_bytes_max,
        const struct ws_callbacks *callbacks, void *arg)
{
	struct ws *w = ws_new(false, message_bytes_max, callbacks, arg);
	struct arena a = ARENA_INIT;
	struct strbuf list = STRBUF_INIT;
	char nonce[16];
	struct http_header *h = ARENA_ARRAY(&a, struct http_header, headers_count + 3);
	pki_random(nonce, sizeof nonce);
	struct slice key = base64_encode(&a, (struct slice){nonce, sizeof nonce});
	ws_accept_key(key, w->accept);
	if (headers_count)
		memcpy(h, headers, headers_count * sizeof *h);
	h[headers_count++] = (struct http_header){SLICE("sec-websocket-version"), SLICE("13")};
	h[headers_count++] = (struct http_header){SLICE("sec-websocket-key"), key};
	for (size_t i = 0; i < protocols_count; i++)
		strbuf_addf(&list, "%s%s", i ? ", " : "", protocols[i]);
	if (protocols_count)
		h[headers_count++] = (struct http_header){SLICE("sec-websocket-protocol"), strbuf_slice(&list)};
	struct http_call_options o = {.method = "GET",
	        .target = target,
	        .headers = h,
	        .headers_count = headers_count,
	        .upgrade = "websocket",
	        .on_done = on_refused,
	        .on_upgraded = on_upgraded,
	        .timeout_ms = 30000,
	        .arg = w};
	w->call = http_client_call(client, &o);
	strbuf_release(&list);
	arena_release(&a);
	return w;
}
