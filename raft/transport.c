/* The peer transport. See transport.h.
 *
 *     peer (we send):   IDLE -> CONNECTING -> OPEN -> IDLE ...   IDLE waits, longer after each failure, with jitter
 *     visitor (we read): GREETING -> its messages are delivered, or it is handed on
 *
 * A connection that is lost is made again soon, since an election may depend on it. One that is turned away is told so,
 * and waits up to REFUSED_MS_MAX: what it lacks comes by a hand's work, or by the other side, which then connects and
 * is answered in kind at once. Until a connection after a refusal has lasted SETTLE_MS nothing is said of it.
 *
 * A connection on which nothing gets through is given up after STALL_MS: after a partition a new one is there long
 * before TCP tries the old one again.
 *
 * What can go wrong: a peer that takes nothing (beyond QUEUE_BYTES_MAX waiting, frames for it are dropped), one that
 * moved (a new address closes the old connection), a stranger (another cluster's or meant for another server: told and
 * closed), garbage (the frame's checksum: closed). What repeats is logged once a minute (refusals.h). */
#include "raft/transport.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem/arena.h"
#include "base/wire/url.h"
#include "raft/refusals.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
	MESSAGE_BYTES_MAX = RAFT_MESSAGE_BYTES_MAX,
	HELLO_BYTES_MAX = 1024,
	QUEUE_BYTES_MAX = 3 * 1024 * 1024,
	BACKOFF_MS_MIN = 50,
	BACKOFF_MS_MAX = 1000,
	REFUSED_MS_MAX = 5000,
	SETTLE_MS = 1000,
	LINGER_MS = 200,
	CONNECT_MS = 2000,
	STALL_MS = 2000,
	PEERS_MAX = 64,
	VISITORS_MAX = 256,
};

enum peer_state { PEER_IDLE, PEER_CONNECTING, PEER_OPEN };

struct peer {
	struct transport *transport;
	uint64_t id;
	char *address;
	enum peer_state state;
	struct conn *conn;
	uint64_t retry_at_ms;
	unsigned backoff_ms, refused_ms; /* refused_ms: the wait after the last refusal; 0: there was none lately */
	uint64_t opened_ms;
	bool settled; /* it was said that it is connected */
	struct wire_frame_reader reader;
	bool complained; /* of not reaching it: once until it was reached */
	struct peer_stats *stats;
};

struct visitor {
	struct list_link link;
	struct transport *transport;
	struct conn *conn;
	struct wire_frame_reader reader;
	uint64_t from;       /* 0: not greeted yet */
	bool wants_messages; /* it said so, and can be told that it is turned away */
	struct peer_stats *stats;
	bool gone; /* handed on */
};

struct transport {
	struct transport_options o;
	struct conn_listener *listener;
	struct peer *peers[PEERS_MAX];
	size_t n_peers;
	struct list_link visitors;
	unsigned n_visitors, open_conns;
	struct refusals refusals;
	bool closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

bool transport_write_frame(struct conn *c, struct slice payload)
{
	char head[WIRE_FRAME_HEAD_BYTES];
	wire_frame_head(head, payload);
	conn_write(c, head, sizeof head);
	return conn_write(c, payload.ptr, payload.len);
}

void transport_greet(struct transport *t, struct conn *c, uint64_t to, enum wire_purpose purpose)
{
	struct strbuf b = STRBUF_INIT;
	struct wire_hello h = {t->o.cluster_id, t->o.id, to, purpose, slice_of(t->o.address)};
	wire_hello_encode(&b, &h);
	transport_write_frame(c, strbuf_slice(&b));
	strbuf_release(&b);
}

static void finish_close(struct transport *t)
{
	if (!t->closing || t->open_conns || t->listener)
		return;
	void (*closed)(void *) = t->closed;
	void *arg = t->closed_arg;
	for (size_t i = 0; i < t->n_peers; i++) {
		free(t->peers[i]->address);
		free(t->peers[i]);
	}
	tls_context_unref(t->o.server_tls);
	tls_context_unref(t->o.client_tls);
	free((char *)t->o.address);
	free(t);
	if (closed)
		closed(arg);
}

/* ---- connections we make ---- */

struct conn *transport_connect(struct transport *t, const char *address, uint64_t to, enum wire_purpose purpose,
        const struct conn_callbacks *callbacks, void *arg, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct url u;
	struct conn *c = NULL;
	if (url_parse(&a, address, 0, &u, err) == 0) {
		struct conn_connect_options o = {.tls = u.is_tls ? t->o.client_tls : NULL, .timeout_ms = CONNECT_MS};
		if (u.is_tls && !t->o.client_tls)
			err_set(err, ERR_INVAL, "peer %s wants TLS and no peer certificate is set", address);
		else
			c = conn_connect_tcp(t->o.loop, u.host, u.port, &o, callbacks, arg);
	}
	arena_release(&a);
	return c;
}

static unsigned doubled(unsigned ms, unsigned max)
{
	return ms * 2 < max ? ms * 2 : max;
}

static void close_for(struct peer *p, unsigned wait_ms)
{
	uint64_t jitter = (uint64_t)rand() % BACKOFF_MS_MIN;
	p->state = PEER_IDLE;
	p->retry_at_ms = loop_now_ms(p->transport->o.loop) + wait_ms + jitter;
	wire_frame_reader_release(&p->reader);
	conn_close(p->conn, 0);
	p->conn = NULL;
}

static void peer_close(struct peer *p)
{
	if (!p->conn)
		return;
	close_for(p, p->backoff_ms);
	p->backoff_ms = doubled(p->backoff_ms, BACKOFF_MS_MAX);
}

static void peer_refused(struct peer *p, struct slice why)
{
	struct transport *t = p->transport;
	char text[REFUSAL_BYTES_MAX];
	uint64_t times;
	snprintf(text, sizeof text, "%.*s", SLICE_FMT(why));
	if (refusals_note(&t->refusals, p->address, text, loop_now_ms(t->o.loop), &times))
		log_warn("raft", "peer turns us away", "peer=%016" PRIx64 " address=%s times=%" PRIu64 " error=\"%s\"",
		        p->id, p->address, times, text);
	p->refused_ms = p->refused_ms ? doubled(p->refused_ms, REFUSED_MS_MAX) : BACKOFF_MS_MIN;
	close_for(p, p->refused_ms);
}

static void say_connected(struct peer *p)
{
	p->settled = true;
	p->refused_ms = 0;
	log_info("raft", "peer connected", "peer=%016" PRIx64 " address=%s", p->id, p->address);
}

static void peer_opened(struct conn *c, const struct err *err, void *arg)
{
	struct peer *p = arg;
	if (p->conn != c)
		return;
	if (err) {
		bool is_news = !p->complained;
		if (is_news)
			log_warn("raft", "peer not reached", "peer=%016" PRIx64 " address=%s error=\"%s\"", p->id,
			        p->address, err->msg);
		p->complained = true;
		peer_close(p);
		if (is_news && p->transport->o.on_unreachable)
			p->transport->o.on_unreachable(p->transport->o.arg, p->id);
		return;
	}
	p->settled = false;
	p->opened_ms = loop_now_ms(p->transport->o.loop);
	if (!p->refused_ms)
		say_connected(p);
	p->complained = false;
	p->state = PEER_OPEN;
	p->backoff_ms = BACKOFF_MS_MIN;
	conn_limit_stall(c, STALL_MS);
	transport_greet(p->transport, c, p->id, WIRE_MESSAGES);
}

static bool peer_frame(void *arg, struct slice payload)
{
	struct peer *p = arg;
	struct slice why;
	if (wire_refusal_decode(payload, &why))
		peer_refused(p, why);
	return p->conn != NULL;
}

/* Nothing but a refusal is said in this direction. */
static void peer_read(struct conn *c, const char *data, size_t len, void *arg)
{
	struct peer *p = arg;
	struct err err = ERR_INIT;
	size_t used;
	if (p->conn == c && wire_frame_feed(&p->reader, data, len, peer_frame, p, &used, &err) != 0)
		peer_close(p);
}

static void peer_ended(struct conn *c, const struct err *err, void *arg)
{
	struct peer *p = arg;
	if (p->conn != c)
		return;
	if (p->settled)
		log_info("raft", "peer disconnected", "peer=%016" PRIx64 " address=%s error=\"%s\"", p->id, p->address,
		        err ? err->msg : "");
	peer_close(p);
}

static void peer_closed(struct conn *c, void *arg)
{
	struct peer *p = arg;
	struct transport *t = p->transport;
	t->open_conns--;
	finish_close(t);
}

static void peer_connect(struct peer *p)
{
	static const struct conn_callbacks callbacks = {
	        .on_open = peer_opened, .on_read = peer_read, .on_end = peer_ended, .on_closed = peer_closed};
	struct transport *t = p->transport;
	struct err err = ERR_INIT;
	p->conn = transport_connect(t, p->address, p->id, WIRE_MESSAGES, &callbacks, p, &err);
	if (p->conn) {
		p->state = PEER_CONNECTING;
		t->open_conns++;
		return;
	}
	p->retry_at_ms = loop_now_ms(t->o.loop) + BACKOFF_MS_MAX;
	if (!p->complained)
		log_warn("raft", "peer's address is none", "peer=%016" PRIx64 " error=\"%s\"", p->id, err.msg);
	p->complained = true;
}

static struct peer *peer_of(struct transport *t, uint64_t id, const char *address)
{
	size_t i = 0;
	while (i < t->n_peers && t->peers[i]->id != id)
		i++;
	if (i == PEERS_MAX)
		return NULL;
	if (i == t->n_peers) {
		struct peer *p = xcalloc(1, sizeof *p);
		*p = (struct peer){.transport = t,
		        .id = id,
		        .address = xstrdup(address),
		        .backoff_ms = BACKOFF_MS_MIN,
		        .reader.bytes_max = WIRE_REFUSAL_BYTES_MAX,
		        .stats = peer_stats_of(t->o.stats, id)};
		t->peers[t->n_peers++] = p;
	}
	struct peer *p = t->peers[i];
	if (strcmp(p->address, address) != 0) {
		peer_close(p);
		free(p->address);
		p->address = xstrdup(address);
		p->retry_at_ms = 0;
		p->refused_ms = 0;
	}
	return p;
}

/* It has greeted us: it is there, and one of ours. */
static void peer_is_there(struct transport *t, uint64_t id)
{
	for (size_t i = 0; i < t->n_peers; i++)
		if (t->peers[i]->id == id)
			t->peers[i]->retry_at_ms = 0;
}

static struct peer *connected_peer(struct transport *t, uint64_t id, const char *address)
{
	struct peer *p = t->closing ? NULL : peer_of(t, id, address);
	uint64_t now = loop_now_ms(t->o.loop);
	if (p && p->state == PEER_IDLE && now >= p->retry_at_ms)
		peer_connect(p);
	else if (p && p->state == PEER_OPEN && !p->settled && now - p->opened_ms >= SETTLE_MS)
		say_connected(p);
	return p;
}

const char *transport_address(const struct transport *t, uint64_t id)
{
	for (size_t i = 0; i < t->n_peers; i++)
		if (t->peers[i]->id == id)
			return t->peers[i]->address;
	return NULL;
}

void transport_keep(struct transport *t, uint64_t id, const char *address)
{
	connected_peer(t, id, address);
}

bool transport_send(struct transport *t, uint64_t to, const char *address, struct slice message)
{
	struct peer *p = connected_peer(t, to, address);
	if (!p)
		return false;
	if (p->state != PEER_OPEN || conn_write_pending(p->conn) > QUEUE_BYTES_MAX) {
		p->stats->send_failures++;
		return false;
	}
	transport_write_frame(p->conn, message);
	p->stats->sent_bytes += WIRE_FRAME_HEAD_BYTES + message.len;
	return true;
}

/* ---- connections made to us ---- */

static void visitor_close(struct visitor *v)
{
	if (v->conn)
		conn_close(v->conn, 0);
	v->conn = NULL;
}

static void turn_away(struct visitor *v, const char *why)
{
	struct transport *t = v->transport;
	const char *address = conn_peer(v->conn)->address, *port = strrchr(address, ':');
	char host[64];
	uint64_t times;
	snprintf(host, sizeof host, "%.*s", port ? (int)(port - address) : (int)strlen(address), address);
	if (refusals_note(&t->refusals, host, why, loop_now_ms(t->o.loop), &times))
		log_warn("raft", "peer turned away", "address=%s times=%" PRIu64 " error=\"%s\"", address, times, why);
	if (v->wants_messages && !v->from) {
		struct strbuf b = STRBUF_INIT;
		wire_refusal_encode(&b, why);
		transport_write_frame(v->conn, strbuf_slice(&b));
		strbuf_release(&b);
		conn_close(v->conn, LINGER_MS);
		v->conn = NULL;
	}
	visitor_close(v);
}

/* A connection that is not for messages leaves this file: with its callbacks the visitor goes. */
static bool hand_on(struct visitor *v, const struct wire_hello *hello)
{
	struct transport *t = v->transport;
	struct conn *c = v->conn;
	v->conn = NULL;
	v->gone = true;
	if (t->o.on_visitor(t->o.arg, c, hello))
		return true;
	v->conn = c;
	v->gone = false;
	return false;
}

static int greeted(struct visitor *v, struct slice payload, struct err *err)
{
	struct transport *t = v->transport;
	struct wire_hello h;
	if (wire_hello_decode(payload, &h, err) != 0)
		return err->code;
	v->wants_messages = h.purpose == WIRE_MESSAGES;
	if (h.purpose != WIRE_QUESTION && h.cluster_id != t->o.cluster_id)
		return err_set(err, ERR_PROTOCOL, "it belongs to cluster %016" PRIx64 ", this is %016" PRIx64,
		        h.cluster_id, t->o.cluster_id);
	if (h.to && h.to != t->o.id)
		return err_set(
		        err, ERR_PROTOCOL, "it looks for server %016" PRIx64 ", this is %016" PRIx64, h.to, t->o.id);
	if (h.purpose != WIRE_QUESTION && (!h.from || h.from == t->o.id))
		return err_set(err, ERR_PROTOCOL, "it says it is server %016" PRIx64, h.from);
	if (h.purpose == WIRE_MESSAGES) {
		v->from = h.from;
		peer_is_there(t, h.from);
		v->stats = peer_stats_of(t->o.stats, h.from);
		v->reader.bytes_max = MESSAGE_BYTES_MAX;
		return 0;
	}
	return hand_on(v, &h) ? 0 : err_set(err, ERR_BUSY, "too many at a time");
}

static bool visitor_frame(void *arg, struct slice payload)
{
	struct visitor *v = arg;
	struct transport *t = v->transport;
	struct err err = ERR_INIT;
	if (v->from)
		v->stats->received_bytes += WIRE_FRAME_HEAD_BYTES + payload.len;
	int rc = v->from ? t->o.on_message(t->o.arg, v->from, payload, &err) : greeted(v, payload, &err);
	if (rc == 0)
		return v->conn != NULL;
	turn_away(v, err.msg);
	return false;
}

static void visitor_free(struct visitor *v)
{
	struct transport *t = v->transport;
	list_del(&v->link);
	t->n_visitors--;
	t->open_conns--;
	wire_frame_reader_release(&v->reader);
	free(v);
	finish_close(t);
}

static void visitor_read(struct conn *c, const char *data, size_t len, void *arg)
{
	struct visitor *v = arg;
	struct err err = ERR_INIT;
	size_t used;
	if (wire_frame_feed(&v->reader, data, len, visitor_frame, v, &used, &err) != 0)
		turn_away(v, err.msg);
	if (v->gone) {
		conn_unread(c, data + used, len - used);
		visitor_free(v);
	}
}

static void visitor_ended(struct conn *c, const struct err *err, void *arg)
{
	visitor_close(arg);
}

static void visitor_opened(struct conn *c, const struct err *err, void *arg)
{
	if (err)
		visitor_close(arg);
}

static void visitor_closed(struct conn *c, void *arg)
{
	visitor_free(arg);
}

static void on_accept(struct conn_listener *l, struct conn *c, void *arg)
{
	static const struct conn_callbacks callbacks = {.on_open = visitor_opened,
	        .on_read = visitor_read,
	        .on_end = visitor_ended,
	        .on_closed = visitor_closed};
	struct transport *t = arg;
	struct visitor *v = xcalloc(1, sizeof *v);
	v->transport = t;
	v->conn = c;
	v->reader.bytes_max = HELLO_BYTES_MAX;
	list_push_back(&t->visitors, &v->link);
	t->n_visitors++;
	t->open_conns++;
	conn_start(c, &callbacks, v);
	if (t->n_visitors > VISITORS_MAX || t->closing)
		visitor_close(v);
}

/* ---- life ---- */

int transport_new(const struct transport_options *o, struct transport **ret, struct err *err)
{
	struct transport *t = xcalloc(1, sizeof *t);
	t->o = *o;
	list_init(&t->visitors);
	struct conn_listen_options l = {.tls = o->server_tls, .on_accept = on_accept, .arg = t};
	if (o->listen_host && conn_listen_tcp(o->loop, o->listen_host, o->listen_port, &l, &t->listener, err) != 0) {
		free(t);
		return err->code;
	}
	t->o.address = xstrdup(o->address);
	if (o->server_tls)
		tls_context_ref(o->server_tls);
	if (o->client_tls)
		tls_context_ref(o->client_tls);
	*ret = t;
	return 0;
}

int transport_port(const struct transport *t)
{
	return t->listener ? conn_listener_port(t->listener) : 0;
}

static void listener_closed(void *arg)
{
	struct transport *t = arg;
	t->listener = NULL;
	finish_close(t);
}

void transport_close(struct transport *t, void (*closed)(void *arg), void *arg)
{
	t->closing = true;
	t->closed = closed;
	t->closed_arg = arg;
	for (size_t i = 0; i < t->n_peers; i++)
		peer_close(t->peers[i]);
	LIST_FOREACH (l, &t->visitors)
		visitor_close(CONTAINER_OF(l, struct visitor, link));
	if (t->listener)
		conn_listener_close(t->listener, listener_closed, t);
	else
		finish_close(t);
}
