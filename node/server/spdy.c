/* See spdy.h. Frames are spdy_frame.c's. Flow control windows are not kept: the servers in question do not either.
 *
 * What can go wrong: an upgrade that is refused, a reset stream (it ends), a frame that cannot be (the session ends), a
 * connection that breaks (on_closed tells). */
#include "node/server/spdy.h"

#include "base/check.h"
#include "base/mem/arena.h"
#include "base/rt/sm.h"
#include "base/wire/conn.h"
#include "base/wire/http_client.h"
#include "node/server/spdy_frame_int.h"

#include <stdio.h>
#include <stdlib.h>

enum { UPGRADE_MS = 30000, LINGER_MS = 2000 };

/* ---- dialing ---- */

struct spdy_dial {
	struct http_client *client;
	struct http_call *call;
	void (*done)(void *arg, struct conn *conn, const struct err *err);
	void *arg;
};

static void dial_end(struct spdy_dial *d, struct conn *conn, const struct err *err)
{
	CHECK(!conn != !err);
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

/* ---- sessions ---- */

enum spdy_state { SPDY_DIALING, SPDY_OPENING, SPDY_OPEN, SPDY_CLOSING };

static const struct sm_state states[] = {
        [SPDY_DIALING] = {"dialing", SM_TO(SPDY_OPENING) | SM_TO(SPDY_CLOSING)},
        [SPDY_OPENING] = {"opening", SM_TO(SPDY_OPEN) | SM_TO(SPDY_CLOSING)},
        [SPDY_OPEN] = {"open", SM_TO(SPDY_CLOSING)},
        [SPDY_CLOSING] = {"closing", 0},
};
static bool holds(const struct sm *m, int before);
static const struct sm_kind machine = SM_KIND("spdy", states, holds);

struct spdy {
	struct loop *loop;
	struct spdy_dial *dial;
	struct conn *conn;
	const struct spdy_callbacks *callbacks;
	void *arg;
	char *types[SPDY_STREAMS_MAX];
	unsigned count, replied;
	struct strbuf in;
	struct sm sm; /* enum spdy_state */
	struct err err;
	struct loop_task task;
};

static bool holds(const struct sm *m, int before)
{
	const struct spdy *s = CONTAINER_OF(m, struct spdy, sm);
	bool has_conn = sm_state(m) == SPDY_OPENING || sm_state(m) == SPDY_OPEN;
	return (!has_conn || (s->conn && !s->dial)) && (sm_state(m) != SPDY_OPEN || s->replied == s->count);
}

static bool is_closing(const struct spdy *s)
{
	return sm_state(&s->sm) == SPDY_CLOSING;
}

static void spdy_free(struct spdy *s)
{
	CHECK(is_closing(s));
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

static void take_frame(struct spdy *s, const struct spdy_frame *f)
{
	CHECK(!is_closing(s));
	unsigned stream;
	if (f->type == SPDY_DATA && stream_of(s, f->id, &stream)) {
		s->callbacks->on_data(s, stream, f->body, f->is_end, s->arg);
	} else if (f->type == SPDY_SYN_REPLY && sm_state(&s->sm) == SPDY_OPENING && ++s->replied == s->count) {
		sm_move(&s->sm, SPDY_OPEN);
		s->callbacks->on_open(s, s->arg);
	} else if (f->type == SPDY_RST_STREAM && stream_of(s, f->id, &stream)) {
		s->callbacks->on_data(s, stream, SLICE_NULL, true, s->arg);
	} else if (f->type == SPDY_PING) {
		struct strbuf b = STRBUF_INIT;
		spdy_write_ping(&b, f->id);
		conn_write(s->conn, b.data, b.len);
		strbuf_release(&b);
	}
}

static void on_read(struct conn *c, const char *data, size_t len, void *arg)
{
	struct spdy *s = arg;
	struct spdy_frame f;
	struct err err = ERR_INIT;
	strbuf_add(&s->in, data, len);
	struct slice rest = strbuf_slice(&s->in);
	while (!is_closing(s) && spdy_frame_next(&rest, &f, &err) > 0)
		take_frame(s, &f);
	size_t taken = s->in.len - rest.len;
	memmove(s->in.data, s->in.data + taken, rest.len);
	s->in.len = rest.len;
	if (err.code && !is_closing(s)) {
		s->err = err;
		sm_move(&s->sm, SPDY_CLOSING);
		conn_close(c, 0);
	}
}

static void on_end(struct conn *c, const struct err *err, void *arg)
{
	struct spdy *s = arg;
	if (err && !s->err.code)
		s->err = *err;
	if (!is_closing(s))
		sm_move(&s->sm, SPDY_CLOSING);
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
		sm_move(&s->sm, SPDY_CLOSING);
		spdy_free(s);
		return;
	}
	s->conn = conn;
	sm_move(&s->sm, SPDY_OPENING);
	conn_start(conn, &callbacks, s);
	for (unsigned i = 0; i < s->count; i++)
		spdy_write_syn(&b, i * 2 + 1, s->types[i], &first);
	conn_write(conn, b.data, b.len);
	strbuf_release(&b);
}

struct spdy *spdy_connect(struct loop *loop, const char *url, const char *const *stream_types, unsigned streams_count,
        const struct spdy_callbacks *callbacks, void *arg)
{
	LOOP_CHECK_OWNER(loop);
	CHECK(callbacks->on_open && callbacks->on_data && callbacks->on_closed);
	struct spdy *s = xcalloc(1, sizeof *s);
	s->loop = loop;
	s->callbacks = callbacks;
	s->arg = arg;
	CHECK(streams_count > 0 && streams_count <= SPDY_STREAMS_MAX);
	s->count = streams_count;
	sm_init(&s->sm, &machine, SPDY_DIALING, "");
	for (unsigned i = 0; i < s->count; i++)
		s->types[i] = xstrdup(stream_types[i]);
	s->dial = spdy_dial(loop, url, "v4.channel.k8s.io", dialed, s);
	return s;
}

bool spdy_send(struct spdy *s, unsigned stream, struct slice data, bool is_end)
{
	struct strbuf b = STRBUF_INIT;
	LOOP_CHECK_OWNER(s->loop);
	if (!s->conn || is_closing(s))
		return true;
	spdy_write_data(&b, stream * 2 + 1, data, is_end);
	bool room = conn_write(s->conn, b.data, b.len);
	strbuf_release(&b);
	return room;
}

void spdy_read_pause(struct spdy *s)
{
	if (s->conn && !is_closing(s))
		conn_read_pause(s->conn);
}

void spdy_read_resume(struct spdy *s)
{
	if (s->conn && !is_closing(s))
		conn_read_resume(s->conn);
}

static void free_later(struct loop_task *t)
{
	spdy_free(CONTAINER_OF(t, struct spdy, task));
}

void spdy_close(struct spdy *s)
{
	LOOP_CHECK_OWNER(s->loop);
	if (is_closing(s))
		return;
	sm_move(&s->sm, SPDY_CLOSING);
	if (s->dial) {
		spdy_dial_forget(s->dial);
		s->dial = NULL;
		s->task.run = free_later;
		loop_post(s->loop, &s->task);
	} else {
		conn_close(s->conn, LINGER_MS);
	}
}
