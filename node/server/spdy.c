/* See spdy.h. Header blocks are a zlib stream per direction. Ours is made of stored blocks, each followed by an empty
 * one, which every inflater takes and which needs no compressor; the server's are passed over unread, as a reply says
 * all we need by its type. Flow control windows are not kept: the servers in question do not either.
 *
 * What can go wrong: an upgrade that is refused, a reset stream (it ends), a connection that breaks (on_closed tells).
 */
#include "node/server/spdy.h"

#include "base/mem/arena.h"
#include "base/wire/conn.h"
#include "base/wire/http_client.h"

#include <stdio.h>
#include <stdlib.h>

enum { SPDY_SYN_STREAM = 1, SPDY_SYN_REPLY = 2, SPDY_RST_STREAM = 3, SPDY_PING = 6, FLAG_FIN = 1 };
enum { FRAME_HEAD = 8, UPGRADE_MS = 30000, LINGER_MS = 2000 };

/* ---- dialing ---- */

struct spdy_dial {
	struct http_client *client;
	struct http_call *call;
	void (*done)(void *arg, struct conn *conn, const struct err *err);
	void *arg;
};

static void dial_end(struct spdy_dial *d, struct conn *conn, const struct err *err)
{
	void (*done)(void *, struct conn *, const struct err *) = d->done;
	void *arg = d->arg;
	http_client_close(d->client, NULL, NULL);
	free(d);
	done(arg, conn, err);
}

static void dial_upgraded(struct http_call *call, const struct http_answer *answer, struct conn *conn, void *arg)
{
	dial_end(arg, conn, NULL);
}

static void dial_refused(struct http_call *call, const struct http_answer *answer, const struct err *err, void *arg)
{
	struct err e = ERR_INIT;
	if (err)
		e = *err;
	else
		err_set(&e, ERR_UNAVAILABLE, "the runtime's streaming server answered %d: %.*s", answer->status,
		        SLICE_FMT(answer->body));
	dial_end(arg, NULL, &e);
}

struct spdy_dial *spdy_dial(struct loop *loop, const char *url, const char *protocol,
        void (*done)(void *arg, struct conn *conn, const struct err *err), void *arg)
{
	char host[128] = "";
	int port = 0, path_at = 0;
	sscanf(url, "http://%127[^:/]:%d%n", host, &port, &path_at);
	struct spdy_dial *d = xcalloc(1, sizeof *d);
	struct http_client_options o = {.loop = loop, .host = host, .port = port, .protocol = HTTP_CLIENT_H1};
	struct http_header headers[] = {{SLICE("x-stream-protocol-version"), slice_of(protocol)}};
	struct http_call_options call = {.method = "POST",
	        .target = path_at && url[path_at] == '/' ? url + path_at : "/",
	        .headers = headers,
	        .headers_count = 1,
	        .upgrade = "SPDY/3.1",
	        .timeout_ms = UPGRADE_MS,
	        .on_done = dial_refused,
	        .on_upgraded = dial_upgraded,
	        .arg = d};
	d->done = done;
	d->arg = arg;
	d->client = http_client_new(&o);
	d->call = http_client_call(d->client, &call);
	return d;
}

void spdy_dial_forget(struct spdy_dial *d)
{
	http_call_cancel(d->call);
	http_client_close(d->client, NULL, NULL);
	free(d);
}

/* ---- frames ---- */

static void put32(struct strbuf *b, uint32_t v)
{
	char c[4] = {(char)(v >> 24), (char)(v >> 16), (char)(v >> 8), (char)v};
	strbuf_add(b, c, 4);
}

static uint32_t get32(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;
	return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static void put_text(struct strbuf *b, const char *text)
{
	put32(b, (uint32_t)strlen(text));
	strbuf_adds(b, text);
}

/* RFC 1951 section 3.2.4: a stored block is its length, the complement, the bytes. */
static void put_stored(struct strbuf *out, struct slice data)
{
	unsigned n = (unsigned)data.len;
	char head[5] = {0, (char)n, (char)(n >> 8), (char)~n, (char)(~n >> 8)};
	strbuf_add(out, head, sizeof head);
	strbuf_add_slice(out, data);
}

void spdy_write_syn(struct strbuf *out, unsigned stream_id, const char *stream_type, bool *first)
{
	struct strbuf pairs = STRBUF_INIT, block = STRBUF_INIT;
	put32(&pairs, 1);
	put_text(&pairs, "streamtype");
	put_text(&pairs, stream_type);
	if (*first)
		strbuf_add(&block, "\x78\x01", 2); /* RFC 1950: the head of the zlib stream, once */
	*first = false;
	put_stored(&block, strbuf_slice(&pairs));
	put_stored(&block, SLICE_NULL);
	put32(out, 0x80030000u | SPDY_SYN_STREAM);
	put32(out, (uint32_t)block.len + 10);
	put32(out, stream_id);
	put32(out, 0);
	strbuf_add(out, "\0\0", 2);
	strbuf_add_slice(out, strbuf_slice(&block));
	strbuf_release(&pairs);
	strbuf_release(&block);
}

void spdy_write_data(struct strbuf *out, unsigned stream_id, struct slice data, bool is_end)
{
	put32(out, stream_id);
	put32(out, (is_end ? (uint32_t)FLAG_FIN << 24 : 0) | (uint32_t)data.len);
	strbuf_add_slice(out, data);
}

/* ---- sessions ---- */

struct spdy {
	struct loop *loop;
	struct spdy_dial *dial;
	struct conn *conn;
	const struct spdy_callbacks *callbacks;
	void *arg;
	char *types[SPDY_STREAMS_MAX];
	unsigned count, replied;
	struct strbuf in;
	bool open, closing;
	struct err err;
	struct loop_task task;
};

static void spdy_free(struct spdy *s)
{
	s->callbacks->on_closed(s, s->err.code ? &s->err : NULL, s->arg);
	for (unsigned i = 0; i < s->count; i++)
		free(s->types[i]);
	strbuf_release(&s->in);
	free(s);
}

/* Odd ids from 1, in order. */
static bool stream_of(const struct spdy *s, uint32_t id, unsigned *ret)
{
	*ret = (id - 1) / 2;
	return (id & 1) && *ret < s->count;
}

static void control(struct spdy *s, unsigned type, const char *body, size_t len)
{
	unsigned stream;
	if (type == SPDY_SYN_REPLY && ++s->replied == s->count) {
		s->open = true;
		s->callbacks->on_open(s, s->arg);
	} else if (type == SPDY_RST_STREAM && len >= 4 && stream_of(s, get32(body) & 0x7fffffff, &stream)) {
		s->callbacks->on_data(s, stream, SLICE_NULL, true, s->arg);
	} else if (type == SPDY_PING && len >= 4) {
		struct strbuf b = STRBUF_INIT;
		put32(&b, 0x80030000u | SPDY_PING);
		put32(&b, 4);
		strbuf_add(&b, body, 4);
		conn_write(s->conn, b.data, b.len);
		strbuf_release(&b);
	}
}

/* True when a whole frame was taken from the front of `in`. */
static bool take_frame(struct spdy *s, size_t *at)
{
	unsigned stream;
	const char *p = s->in.data + *at;
	size_t left = s->in.len - *at;
	if (left < FRAME_HEAD)
		return false;
	uint32_t head = get32(p), rest = get32(p + 4), len = rest & 0xffffff;
	if (left < FRAME_HEAD + len)
		return false;
	*at += FRAME_HEAD + len;
	if (head & 0x80000000u)
		control(s, head & 0xffff, p + FRAME_HEAD, len);
	else if (stream_of(s, head, &stream))
		s->callbacks->on_data(s, stream, (struct slice){p + FRAME_HEAD, len}, rest >> 24 & FLAG_FIN, s->arg);
	return true;
}

static void on_read(struct conn *c, const char *data, size_t len, void *arg)
{
	struct spdy *s = arg;
	size_t at = 0;
	strbuf_add(&s->in, data, len);
	while (!s->closing && take_frame(s, &at))
		;
	memmove(s->in.data, s->in.data + at, s->in.len - at);
	s->in.len -= at;
}

static void on_end(struct conn *c, const struct err *err, void *arg)
{
	struct spdy *s = arg;
	if (err && !s->err.code)
		s->err = *err;
	s->closing = true;
	conn_close(c, LINGER_MS);
}

static void on_drained(struct conn *c, void *arg)
{
	struct spdy *s = arg;
	if (s->callbacks->on_drained)
		s->callbacks->on_drained(s, s->arg);
}

static void on_closed(struct conn *c, void *arg)
{
	spdy_free(arg);
}

static void dialed(void *arg, struct conn *conn, const struct err *err)
{
	static const struct conn_callbacks callbacks = {
	        .on_read = on_read, .on_end = on_end, .on_drained = on_drained, .on_closed = on_closed};
	struct spdy *s = arg;
	struct strbuf b = STRBUF_INIT;
	bool first = true;
	s->dial = NULL;
	if (err) {
		s->err = *err;
		spdy_free(s);
		return;
	}
	s->conn = conn;
	conn_start(conn, &callbacks, s);
	for (unsigned i = 0; i < s->count; i++)
		spdy_write_syn(&b, i * 2 + 1, s->types[i], &first);
	conn_write(conn, b.data, b.len);
	strbuf_release(&b);
}

struct spdy *spdy_connect(struct loop *loop, const char *url, const char *const *stream_types, unsigned streams_count,
        const struct spdy_callbacks *callbacks, void *arg)
{
	struct spdy *s = xcalloc(1, sizeof *s);
	s->loop = loop;
	s->callbacks = callbacks;
	s->arg = arg;
	s->count = streams_count > SPDY_STREAMS_MAX ? SPDY_STREAMS_MAX : streams_count;
	for (unsigned i = 0; i < s->count; i++)
		s->types[i] = xstrdup(stream_types[i]);
	s->dial = spdy_dial(loop, url, "v4.channel.k8s.io", dialed, s);
	return s;
}

bool spdy_send(struct spdy *s, unsigned stream, struct slice data, bool is_end)
{
	struct strbuf b = STRBUF_INIT;
	if (!s->conn || s->closing)
		return true;
	spdy_write_data(&b, stream * 2 + 1, data, is_end);
	bool room = conn_write(s->conn, b.data, b.len);
	strbuf_release(&b);
	return room;
}

void spdy_read_pause(struct spdy *s)
{
	if (s->conn && !s->closing)
		conn_read_pause(s->conn);
}

void spdy_read_resume(struct spdy *s)
{
	if (s->conn && !s->closing)
		conn_read_resume(s->conn);
}

static void free_later(struct loop_task *t)
{
	spdy_free(CONTAINER_OF(t, struct spdy, task));
}

void spdy_close(struct spdy *s)
{
	if (s->closing)
		return;
	s->closing = true;
	if (s->dial) {
		spdy_dial_forget(s->dial);
		s->dial = NULL;
		s->task.run = free_later;
		loop_post(s->loop, &s->task);
	} else {
		conn_close(s->conn, LINGER_MS);
	}
}
