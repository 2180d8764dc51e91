/* WebSocket (RFC 6455): a codec without I/O, and sessions on a connection for servers and clients.
 *
 * The codec (ws_codec) takes bytes and reports messages; it is what the fuzzer feeds. A session (struct ws) puts it on
 * a conn that was upgraded: messages come by callback, pings are answered, the close handshake is done, writes report
 * back-pressure. Everything belongs to the connection's loop; callbacks come from the loop. */
#ifndef K3X_BASE_WIRE_WS_H
#define K3X_BASE_WIRE_WS_H

#include "base/err.h"
#include "base/mem/str.h"
#include "base/wire/http.h"
#include "base/wire/http_client.h"

enum ws_kind { WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };
enum {
	WS_CLOSE_NORMAL = 1000,
	WS_CLOSE_GOING_AWAY = 1001,
	WS_CLOSE_PROTOCOL = 1002,
	WS_CLOSE_BAD_DATA = 1007,
	WS_CLOSE_POLICY = 1008,
	WS_CLOSE_TOO_BIG = 1009,
	WS_CLOSE_ERROR = 1011
};

/* ---- codec ---- */

struct ws_codec {
	bool is_server; /* the peer must mask, we must not */
	size_t message_bytes_max;
	unsigned char head[14];
	size_t head_len;
	size_t head_need; /* 0: not known yet */
	bool in_payload;
	bool fin;
	unsigned opcode;
	uint64_t left; /* payload bytes of the frame still to come */
	uint64_t payload_at;
	unsigned char mask[4];
	unsigned fragmented; /* kind of the message under way, 0: none */
	struct strbuf message;
	struct strbuf control;
	bool closed; /* a close frame came: nothing may follow */
};

void ws_codec_init(struct ws_codec *c, bool is_server, size_t message_bytes_max);
void ws_codec_release(struct ws_codec *c);

/* Takes bytes up to the end of the next whole message or control frame: *used of them, *kind 0 when there is none yet.
 * *message lives until the next call. ERR_PROTOCOL, ERR_TOO_BIG: the connection is to be closed with *close_code. */
int ws_codec_feed(struct ws_codec *c, const char *data, size_t len, size_t *used, enum ws_kind *kind,
        struct slice *message, unsigned *close_code, struct err *err);

/* Appends one frame. mask: 4 bytes for a client, NULL for a server. */
void ws_frame_write(struct strbuf *out, enum ws_kind kind, bool fin, struct slice data, const unsigned char *mask);

bool ws_utf8_valid(struct slice s);

/* The value of Sec-WebSocket-Accept for a key: 28 characters and a zero byte. */
void ws_accept_key(struct slice key, char ret[29]);

/* ---- sessions ---- */

struct ws;

struct ws_callbacks {
	/* Client only: the handshake is done (protocol as chosen), or err says why not; then nothing else follows. */
	void (*on_open)(struct ws *w, struct slice protocol, const struct err *err, void *arg);
	/* A whole message; the bytes are valid during the call. */
	void (*on_message)(struct ws *w, bool is_text, struct slice data, void *arg);
	void (*on_drained)(struct ws *w, void *arg);
	/* The last callback, once; w is freed on return. code is the peer's or ours, 1006 when the connection broke. */
	void (*on_closed)(struct ws *w, unsigned code, struct slice reason, void *arg);
};

/* Server: answers the exchange's handshake with the first of `protocols` (ours, best first) that the client offers, and
 * gives the session. On error the exchange is still the caller's and to be answered (400): ERR_INVAL when it is no
 * handshake or no protocol fits (NULL, 0: none is needed). *ret_protocol (may be NULL) lives in the session.
 * message_bytes_max 0: 16 MiB. */
int ws_accept(struct http_exchange *x, const char *const *protocols, size_t protocols_count, size_t message_bytes_max,
        const struct ws_callbacks *callbacks, void *arg, struct ws **ret, struct slice *ret_protocol, struct err *err);

/* Client: asks for an upgrade of `target`. Headers as in http_call_options. */
struct ws *ws_connect(struct http_client *client, const char *target, const struct http_header *headers,
        size_t headers_count, const char *const *protocols, size_t protocols_count, size_t message_bytes_max,
        const struct ws_callbacks *callbacks, void *arg);

/* False: wait for on_drained. Taken in either case, dropped when the session is closing. */
bool ws_send(struct ws *w, bool is_text, struct slice data);
/* The same for a message put together from a prefix (a channel byte) and data. */
bool ws_send_prefixed(struct ws *w, bool is_text, struct slice prefix, struct slice data);
void ws_ping(struct ws *w);
void ws_read_pause(struct ws *w);
void ws_read_resume(struct ws *w);
/* Starts the close handshake; on_closed follows, at the latest after some seconds. */
void ws_close(struct ws *w, unsigned code, const char *reason);

#endif
