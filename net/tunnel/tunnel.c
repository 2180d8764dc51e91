/* See tunnel.h.
 *
 *     waiting --> asking --> up --> waiting
 *                   '----------------^
 *
 * asking: GET /v1-k3x/connect is out. up: the session is there; each stream that the server opens is joined to a
 * connection to the kubelet. waiting: until it is tried again, half a second after the first failure and up to three
 * after more, jittered: all agents of a server that comes back ask at the same moment otherwise.
 *
 * What can go wrong: the server can't be reached or refuses (told once, until it worked again), the kubelet's port does
 * not answer (the stream is refused with why, and the API server tells its client). */
#include "net/tunnel/tunnel.h"

#include "api/client/jitter.h"
#include "base/check.h"
#include "base/log.h"
#include "base/mem/arena.h"
#include "base/rt/closing.h"
#include "base/rt/sm.h"
#include "base/wire/conn_join.h"
#include "base/wire/http_client.h"
#include "base/wire/mux.h"

#include <stdlib.h>

#define PATH "/v1-k3x/connect"
#define PROTOCOL "k3x-tunnel"
#define KUBELET_ADDRESS "127.0.0.1"

enum { ANSWER_MS = 10000, CONNECT_MS = 5000, KUBELET_MS = 5000, RETRY_MS_MIN = 500, RETRY_MS_MAX = 3000 };
enum state { WAITING, ASKING, UP };

static const struct sm_state states[] = {
        [WAITING] = {"waiting", SM_TO(ASKING)},
        [ASKING] = {"asking", SM_TO(UP) | SM_TO(WAITING)},
        [UP] = {"up", SM_TO(WAITING)},
};
static bool holds(const struct sm *m, int before);
static const struct sm_kind machine = SM_KIND("tunnel", states, holds);

struct tunnel {
	struct tunnel_options o;
	struct sm sm;
	uv_timer_t timer;
	struct http_client *client;
	struct http_call *call; /* ASKING */
	struct mux *mux;        /* UP */
	struct list_link streams;
	unsigned failures; /* in a row */
	bool closing;
	struct closing parts;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* From the server to the kubelet. */
struct stream {
	struct tunnel *tunnel;
	struct list_link link;
	struct conn *from, *to;
	struct conn_join *join; /* NULL: the kubelet has not answered yet */
	unsigned open;          /* of from and to, before they are joined */
	bool closing;
};

static bool holds(const struct sm *m, int before)
{
	const struct tunnel *t = CONTAINER_OF(m, struct tunnel, sm);
	return (sm_state(m) == ASKING) == (t->call != NULL) && (sm_state(m) == UP) == (t->mux != NULL);
}

/* ---- streams ---- */

static void stream_free(struct stream *s)
{
	struct tunnel *t = s->tunnel;
	list_del(&s->link);
	free(s);
	closing_part_done(&t->parts);
}

static void joined_done(void *arg)
{
	stream_free(arg);
}

static void stream_end(struct stream *s)
{
	if (s->closing)
		return;
	s->closing = true;
	if (s->join) {
		conn_join_cut(s->join);
		return;
	}
	conn_close(s->from, 0);
	conn_close(s->to, 0);
}

static void nothing_read(struct conn *c, const char *data, size_t len, void *arg)
{
}

static void side_ended(struct conn *c, const struct err *err, void *arg)
{
	stream_end(arg);
}

static void side_closed(struct conn *c, void *arg)
{
	struct stream *s = arg;
	if (--s->open == 0)
		stream_free(s);
}

static void kubelet_open(struct conn *c, const struct err *err, void *arg)
{
	struct stream *s = arg;
	if (!err) {
		s->join = conn_join(s->from, s->to, CONN_JOIN_HALVES, joined_done, s);
		return;
	}
	mux_refuse(s->from, err->msg);
	stream_end(s);
}

static void on_stream(struct mux *m, struct conn *from, void *arg)
{
	static const struct conn_callbacks waiting = {NULL, nothing_read, side_ended, NULL, side_closed};
	static const struct conn_callbacks dialing = {kubelet_open, nothing_read, side_ended, NULL, side_closed};
	struct tunnel *t = arg;
	struct stream *s = xcalloc(1, sizeof *s);
	struct conn_connect_options o = {.timeout_ms = KUBELET_MS};
	s->tunnel = t;
	s->from = from;
	s->open = 2;
	closing_hold(&t->parts);
	list_push_back(&t->streams, &s->link);
	conn_start(from, &waiting, s);
	conn_read_pause(from); /* until there is somebody to read it */
	s->to = conn_connect_tcp(t->o.loop, KUBELET_ADDRESS, t->o.kubelet_port, &o, &dialing, s);
}

/* ---- up and down ---- */

static void ask(uv_timer_t *timer);

static void part_closed(void *arg)
{
	closing_part_done(arg);
}

static void drop_client(struct tunnel *t)
{
	if (!t->client)
		return;
	closing_hold(&t->parts);
	http_client_close(TAKE(t->client), part_closed, &t->parts);
}

static void wait_and_ask(struct tunnel *t)
{
	unsigned ms = RETRY_MS_MIN << (t->failures < 5 ? t->failures : 5);
	ms = ms < RETRY_MS_MAX ? ms : RETRY_MS_MAX;
	drop_client(t);
	if (t->closing)
		return;
	sm_move(&t->sm, WAITING);
	uv_timer_start(&t->timer, ask, ms - ms / 4 + jitter_below(ms / 2), 0);
}

static void mux_ended(struct mux *m, const struct err *err, void *arg)
{
	struct tunnel *t = arg;
	log_info("tunnel", "a tunnel has ended", "server=%s:%d why=\"%s\"", t->o.host, t->o.port,
	        err ? err->msg : "closed by the server");
	closing_hold(&t->parts);
	mux_close(TAKE(t->mux), part_closed, &t->parts);
	wait_and_ask(t);
}

static void upgraded(struct http_call *call, const struct http_answer *answer, struct conn *conn, void *arg)
{
	struct tunnel *t = arg;
	struct mux_options o = {.on_stream = on_stream, .on_end = mux_ended, .arg = t};
	t->call = NULL;
	t->failures = 0;
	t->mux = mux_new(conn, &o);
	sm_move(&t->sm, UP);
	drop_client(t);
	log_info("tunnel", "a tunnel is up", "server=%s:%d", t->o.host, t->o.port);
}

static void refused(struct http_call *call, const struct http_answer *answer, const struct err *err, void *arg)
{
	struct tunnel *t = arg;
	t->call = NULL;
	if (t->failures++ == 0) {
		if (err)
			log_warn("tunnel",
			        "no tunnel to a server: its logs, exec and port-forward of this node may fail",
			        "server=%s:%d error=\"%s\"", t->o.host, t->o.port, err->msg);
		else
			log_warn("tunnel", "a server does not want a tunnel", "server=%s:%d status=%d answer=\"%.*s\"",
			        t->o.host, t->o.port, answer->status, SLICE_FMT(answer->body));
	}
	wait_and_ask(t);
}

static void ask(uv_timer_t *timer)
{
	struct tunnel *t = timer->data;
	struct http_client_options o = {.loop = t->o.loop,
	        .host = t->o.host,
	        .port = t->o.port,
	        .tls = t->o.tls,
	        .protocol = HTTP_CLIENT_H1,
	        .connect_ms = CONNECT_MS};
	struct http_call_options call = {.method = "GET",
	        .target = PATH,
	        .upgrade = PROTOCOL,
	        .timeout_ms = ANSWER_MS,
	        .on_done = refused,
	        .on_upgraded = upgraded,
	        .arg = t};
	t->client = http_client_new(&o);
	t->call = http_client_call(t->client, &call);
	sm_move(&t->sm, ASKING);
}

/* ---- life ---- */

static void all_closed(struct closing *parts)
{
	struct tunnel *t = CONTAINER_OF(parts, struct tunnel, parts);
	void (*closed)(void *) = t->closed;
	void *arg = t->closed_arg;
	free((char *)t->o.host);
	free(t);
	if (closed)
		closed(arg);
}

struct tunnel *tunnel_new(const struct tunnel_options *options)
{
	LOOP_CHECK_OWNER(options->loop);
	struct tunnel *t = xcalloc(1, sizeof *t);
	t->o = *options;
	t->o.host = xstrdup(options->host);
	list_init(&t->streams);
	sm_init(&t->sm, &machine, WAITING, t->o.host);
	t->parts.all_closed = all_closed;
	closing_hold(&t->parts); /* the timer's, as long as it lives */
	uv_timer_init(loop_uv(t->o.loop), &t->timer);
	t->timer.data = t;
	uv_timer_start(&t->timer, ask, 0, 0);
	return t;
}

bool tunnel_is_up(const struct tunnel *t)
{
	return sm_state(&t->sm) == UP;
}

static void timer_closed(uv_handle_t *h)
{
	closing_part_done(&((struct tunnel *)h->data)->parts);
}

void tunnel_close(struct tunnel *t, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(t->o.loop);
	CHECK(!t->closing);
	t->closing = true;
	t->closed = closed;
	t->closed_arg = arg;
	uv_close((uv_handle_t *)&t->timer, timer_closed);
	LIST_FOREACH (it, &t->streams)
		stream_end(CONTAINER_OF(it, struct stream, link));
	if (t->call)
		http_call_cancel(TAKE(t->call));
	drop_client(t);
	if (t->mux) {
		closing_hold(&t->parts);
		mux_close(TAKE(t->mux), part_closed, &t->parts);
	}
}
