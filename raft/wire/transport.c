/* The peer transport. See transport.h.
 *
 *     peer (we send):   IDLE -> CONNECTING -> GREETING -> OPEN -> IDLE ...   IDLE waits, longer after each failure,
 *                                                                            with jitter
 *     those who come to us: visitors.c
 *
 * A peer is kept while it is a member, and a while after it was last of use (one that joins, or was removed, may still
 * have to be told something). Then it goes, with its connection and its numbers.
 *
 * A connection that is lost is made again soon, since an election may depend on it. One that is turned away is told so,
 * and waits up to REFUSED_MS_MAX: what it lacks comes by a hand's work, or by the other side, which then connects and
 * is answered in kind at once. Until a connection after a refusal has lasted SETTLE_MS nothing is said of it.
 *
 * A connection on which nothing gets through is given up after STALL_MS: after a partition a new one is there long
 * before TCP tries the old one again.
 *
 * What can go wrong: a peer that takes nothing (beyond QUEUE_BYTES_MAX waiting, frames for it are dropped), one that
 * moved (a new address closes the old connection), one that does not know the cluster's secret. What repeats is logged
 * once a minute (refusals.h). */
#include "raft/wire/transport.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem/arena.h"
#include "base/rt/sm.h"
#include "base/wire/url.h"
#include "raft/wire/conn_frame.h"
#include "raft/wire/refusals.h"
#include "raft/wire/visitors.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
	QUEUE_BYTES_MAX = 3 * 1024 * 1024,
	BACKOFF_MS_MIN = 50,
	BACKOFF_MS_MAX = 1000,
	REFUSED_MS_MAX = 5000,
	SETTLE_MS = 1000,
	CONNECT_MS = 2000,
	STALL_MS = 2000,
	GREET_MS = 3000,
	PEERS_MAX = 64,
	UNUSED_MS_MAX = 10000,
};

_Static_assert(QUEUE_BYTES_MAX < CONN_WRITE_QUEUE_BYTES_MAX, "what waits for a peer fits the connection's queue");
_Static_assert(BACKOFF_MS_MIN < BACKOFF_MS_MAX && BACKOFF_MS_MAX < REFUSED_MS_MAX, "refusals wait longest");

enum peer_state { PEER_IDLE, PEER_CONNECTING, PEER_GREETING, PEER_OPEN };

struct peer {
	struct transport *transport;
	uint64_t id;
	char *address;
	struct sm sm; /* enum peer_state; its subject is the address */
	struct conn *conn;
	uint64_t retry_at_ms;
	unsigned backoff_ms, refused_ms; /* refused_ms: the wait after the last refusal; 0: there was none lately */
	uint64_t opened_ms;
	bool settled; /* it was said that it is connected */
	struct wire_frame_reader reader;
	struct caller greeting;
	bool complained; /* of not reaching it: once until it was reached */
	bool is_member;  /* of the configuration, as far as it is known here */
	uint64_t used_ms;
	unsigned conns;  /* not closed yet */
	bool is_dropped; /* out of the table: goes with its last connection */
	struct peer_stats *stats;
};

struct transport {
	struct transport_options o;
	struct conn_listener *listener;
	struct peer *peers[PEERS_MAX];
	size_t n_peers;
	struct visitors visitors;
	unsigned open_conns; /* to peers */
	struct refusals refusals;
	bool closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- its states ---- */

static const struct sm_state peer_states[] = {
        [PEER_IDLE] = {"idle", SM_TO(PEER_CONNECTING)},
        [PEER_CONNECTING] = {"connecting", SM_TO(PEER_GREETING) | SM_TO(PEER_IDLE)},
        [PEER_GREETING] = {"greeting", SM_TO(PEER_OPEN) | SM_TO(PEER_IDLE)},
        [PEER_OPEN] = {"open", SM_TO(PEER_IDLE)},
};

/* A connection is there but when it is idle, and messages go over none that has not proven itself. */
static bool peer_holds(const struct sm *m, int before)
{
	const struct peer *p = CONTAINER_OF(m, struct peer, sm);
	bool has_conn = p->conn && p->conns > 0 && p->transport->open_conns > 0;
	return m->state == PEER_IDLE ? !p->conn : has_conn && (m->state != PEER_OPEN || caller_is_done(&p->greeting));
}

static const struct sm_kind peer_machine = SM_KIND("peer", peer_states, peer_holds);

static struct strbuf hello_of(const struct transport *t, uint64_t to, enum wire_purpose purpose, struct caller *c)
{
	struct strbuf b = STRBUF_INIT;
	struct wire_hello h = {t->o.cluster_id, t->o.id, to, purpose, slice_of(t->o.address)};
	caller_begin(c, t->o.secret, &h, &b);
	return b;
}

void transport_greet(struct transport *t, struct conn *c, uint64_t to, enum wire_purpose purpose, struct caller *ret)
{
	struct strbuf b = hello_of(t, to, purpose, ret);
	if (b.len)
		conn_write_frame(c, strbuf_slice(&b));
	strbuf_release(&b);
}

int transport_greeting(struct caller *g, struct conn *c, struct slice payload, struct err *err)
{
	struct strbuf b = STRBUF_INIT;
	int rc = caller_take(g, payload, &b, err);
	if (rc == 0 && b.len)
		conn_write_frame(c, strbuf_slice(&b));
	strbuf_release(&b);
	return rc;
}

static void peer_free(struct peer *p)
{
	CHECK(p->conns == 0 && !p->conn);
	wire_frame_reader_release(&p->reader);
	caller_release(&p->greeting);
	free(p->address);
	free(p);
}

static void finish_close(struct transport *t)
{
	if (!t->closing || t->open_conns || t->visitors.open_conns || t->listener)
		return;
	void (*closed)(void *) = t->closed;
	void *arg = t->closed_arg;
	for (size_t i = 0; i < t->n_peers; i++)
		peer_free(t->peers[i]);
	free(t->o.secret.len ? (char *)t->o.secret.ptr : NULL);
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
	LOOP_CHECK_OWNER(t->o.loop);
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
	CHECK(p->conn && wait_ms >= BACKOFF_MS_MIN && wait_ms <= REFUSED_MS_MAX);
	p->retry_at_ms = loop_now_ms(p->transport->o.loop) + wait_ms + jitter;
	wire_frame_reader_release(&p->reader);
	caller_release(&p->greeting);
	conn_close(p->conn, 0);
	p->conn = NULL;
	sm_move(&p->sm, PEER_IDLE);
}

static void peer_close(struct peer *p)
{
	LOOP_CHECK_OWNER(p->transport->o.loop);
	if (!p->conn)
		return;
	close_for(p, p->backoff_ms);
	p->backoff_ms = doubled(p->backoff_ms, BACKOFF_MS_MAX);
}

static void peer_refused(struct peer *p, struct slice why)
{
	LOOP_CHECK_OWNER(p->transport->o.loop);
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
	LOOP_CHECK_OWNER(p->transport->o.loop);
	p->settled = true;
	p->refused_ms = 0;
	log_info("raft", "peer connected", "peer=%016" PRIx64 " address=%s", p->id, p->address);
}

static void peer_greeted(struct peer *p)
{
	LOOP_CHECK_OWNER(p->transport->o.loop);
	sm_move(&p->sm, PEER_OPEN);
	p->backoff_ms = BACKOFF_MS_MIN;
	if (!p->refused_ms)
		say_connected(p);
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
	p->complained = false;
	sm_move(&p->sm, PEER_GREETING);
	conn_limit_stall(c, STALL_MS);
	transport_greet(p->transport, c, p->id, WIRE_MESSAGES, &p->greeting);
	if (caller_is_done(&p->greeting))
		peer_greeted(p);
}

static bool peer_frame(void *arg, struct slice payload)
{
	struct peer *p = arg;
	struct slice why;
	struct err err = ERR_INIT;
	if (wire_refusal_decode(payload, &why))
		peer_refused(p, why);
	else if (sm_state(&p->sm) == PEER_GREETING && transport_greeting(&p->greeting, p->conn, payload, &err) != 0)
		peer_refused(p, slice_of(err.msg));
	else if (sm_state(&p->sm) == PEER_GREETING && caller_is_done(&p->greeting))
		peer_greeted(p);
	return p->conn != NULL;
}

/* Nothing but its part of the greeting and a refusal is said in this direction. */
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
	CHECK(p->conns > 0 && t->open_conns > 0);
	t->open_conns--;
	if (--p->conns == 0 && p->is_dropped)
		peer_free(p);
	finish_close(t);
}

static void peer_connect(struct peer *p)
{
	LOOP_CHECK_OWNER(p->transport->o.loop);
	static const struct conn_callbacks callbacks = {
	        .on_open = peer_opened, .on_read = peer_read, .on_end = peer_ended, .on_closed = peer_closed};
	struct transport *t = p->transport;
	struct err err = ERR_INIT;
	p->conn = transport_connect(t, p->address, p->id, WIRE_MESSAGES, &callbacks, p, &err);
	if (p->conn) {
		p->conns++;
		t->open_conns++;
		sm_move(&p->sm, PEER_CONNECTING);
		return;
	}
	p->retry_at_ms = loop_now_ms(t->o.loop) + BACKOFF_MS_MAX;
	if (!p->complained)
		log_warn("raft", "peer's address is none", "peer=%016" PRIx64 " error=\"%s\"", p->id, err.msg);
	p->complained = true;
}

static void peer_drop(struct transport *t, size_t i)
{
	CHECK(i < t->n_peers && !t->peers[i]->is_dropped);
	struct peer *p = t->peers[i];
	t->peers[i] = t->peers[--t->n_peers];
	peer_close(p);
	p->is_dropped = true;
	log_info("raft", "peer forgotten", "peer=%016" PRIx64 " address=%s", p->id, p->address);
	if (p->conns == 0)
		peer_free(p);
}

/* The one that is no member and was not of use for the longest time; n_peers: all are members. */
static size_t least_useful(const struct transport *t)
{
	size_t found = t->n_peers;
	for (size_t i = 0; i < t->n_peers; i++)
		if (!t->peers[i]->is_member && (found == t->n_peers || t->peers[i]->used_ms < t->peers[found]->used_ms))
			found = i;
	return found;
}

static struct peer *peer_new(struct transport *t, uint64_t id, const char *address)
{
	LOOP_CHECK_OWNER(t->o.loop);
	if (t->n_peers == PEERS_MAX && least_useful(t) < t->n_peers)
		peer_drop(t, least_useful(t));
	if (t->n_peers == PEERS_MAX)
		return NULL;
	CHECK(t->n_peers < PEERS_MAX && t->o.stats && !t->closing);
	struct peer *p = xcalloc(1, sizeof *p);
	*p = (struct peer){.transport = t,
	        .id = id,
	        .address = xstrdup(address),
	        .backoff_ms = BACKOFF_MS_MIN,
	        .reader.bytes_max = WIRE_REFUSAL_BYTES_MAX,
	        .stats = peer_stats_of(t->o.stats, id)};
	sm_init(&p->sm, &peer_machine, PEER_IDLE, p->address);
	t->peers[t->n_peers++] = p;
	return p;
}

static struct peer *find_peer(const struct transport *t, uint64_t id)
{
	for (size_t i = 0; i < t->n_peers; i++)
		if (t->peers[i]->id == id)
			return t->peers[i];
	return NULL;
}

static struct peer *peer_of(struct transport *t, uint64_t id, const char *address)
{
	LOOP_CHECK_OWNER(t->o.loop);
	struct peer *p = find_peer(t, id);
	if (!p)
		p = peer_new(t, id, address);
	if (!p)
		return NULL;
	p->used_ms = loop_now_ms(t->o.loop);
	if (strcmp(p->address, address) != 0) {
		peer_close(p);
		free(p->address);
		p->address = xstrdup(address);
		p->sm.subject = p->address;
		p->retry_at_ms = 0;
		p->refused_ms = 0;
	}
	return p;
}

/* It has greeted us: it is there, and one of ours. */
static void peer_is_there(void *arg, uint64_t id, struct slice address)
{
	struct transport *t = arg;
	struct peer *p = find_peer(t, id);
	if (p)
		p->retry_at_ms = 0;
	if (t->o.on_greeted)
		t->o.on_greeted(t->o.arg, id, address);
}

static struct peer *connected_peer(struct transport *t, uint64_t id, const char *address)
{
	LOOP_CHECK_OWNER(t->o.loop);
	struct peer *p = t->closing ? NULL : peer_of(t, id, address);
	uint64_t now = loop_now_ms(t->o.loop);
	if (p && sm_state(&p->sm) == PEER_IDLE && now >= p->retry_at_ms)
		peer_connect(p);
	else if (p && sm_state(&p->sm) == PEER_GREETING && now - p->opened_ms >= GREET_MS)
		peer_refused(p, SLICE("it does not answer the greeting: has it no --peer-secret-file?"));
	else if (p && sm_state(&p->sm) == PEER_OPEN && !p->settled && now - p->opened_ms >= SETTLE_MS)
		say_connected(p);
	return p;
}

bool transport_is_open(const struct transport *t, uint64_t id)
{
	const struct peer *p = find_peer(t, id);
	return p && sm_state(&p->sm) == PEER_OPEN;
}

const char *transport_address(const struct transport *t, uint64_t id)
{
	const struct peer *p = find_peer(t, id);
	return p ? p->address : NULL;
}

void transport_members(struct transport *t, const uint64_t *ids, size_t n)
{
	uint64_t now = loop_now_ms(t->o.loop);
	LOOP_CHECK_OWNER(t->o.loop);
	for (size_t i = t->n_peers; i-- > 0;) {
		struct peer *p = t->peers[i];
		p->is_member = false;
		for (size_t m = 0; m < n; m++)
			p->is_member |= ids[m] == p->id;
		if (!p->is_member && now - p->used_ms > UNUSED_MS_MAX)
			peer_drop(t, i);
	}
	peer_stats_members(t->o.stats, ids, n);
	visitors_tick(&t->visitors);
}

void transport_keep(struct transport *t, uint64_t id, const char *address)
{
	LOOP_CHECK_OWNER(t->o.loop);
	connected_peer(t, id, address);
}

bool transport_send(struct transport *t, uint64_t to, const char *address, struct slice message)
{
	LOOP_CHECK_OWNER(t->o.loop);
	struct peer *p = connected_peer(t, to, address);
	if (!p)
		return false;
	if (sm_state(&p->sm) != PEER_OPEN || conn_write_pending(p->conn) > QUEUE_BYTES_MAX) {
		p->stats->send_failures++;
		return false;
	}
	conn_write_frame(p->conn, message);
	p->stats->sent_bytes += WIRE_FRAME_HEAD_BYTES + message.len;
	return true;
}

/* ---- connections made to us ---- */

static void visitor_gone(void *arg)
{
	finish_close(arg);
}

static void on_accept(struct conn_listener *l, struct conn *c, void *arg)
{
	struct transport *t = arg;
	visitors_accept(&t->visitors, c);
}

/* ---- life ---- */

int transport_new(const struct transport_options *o, struct transport **ret, struct err *err)
{
	struct transport *t = xcalloc(1, sizeof *t);
	CHECK(!o->listen_host || (o->stats && o->on_message && o->on_visitor));
	t->o = *o;
	struct visitors_options v = {.loop = o->loop,
	        .cluster_id = o->cluster_id,
	        .id = o->id,
	        .stats = o->stats,
	        .on_message = o->on_message,
	        .on_visitor = o->on_visitor,
	        .arg = o->arg,
	        .on_greeted = peer_is_there,
	        .on_gone = visitor_gone,
	        .greeted_arg = t};
	if (o->secret.len)
		t->o.secret.ptr = xmemdup(o->secret.ptr, o->secret.len);
	v.secret = t->o.secret;
	visitors_init(&t->visitors, &v, &t->refusals);
	struct conn_listen_options l = {.tls = o->server_tls, .on_accept = on_accept, .arg = t};
	if (o->listen_host && conn_listen_tcp(o->loop, o->listen_host, o->listen_port, &l, &t->listener, err) != 0) {
		free(o->secret.len ? (char *)t->o.secret.ptr : NULL);
		free(t);
		return err->code;
	}
	t->o.address = xstrdup(o->address);
	if (o->server_tls)
		tls_context_ref(o->server_tls);
	if (o->client_tls)
		tls_context_ref(o->client_tls);
	*ret = t;
	CHECK(!t->n_peers && !t->open_conns);
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
	LOOP_CHECK_OWNER(t->o.loop);
	CHECK(!t->closing);
	t->closing = true;
	t->closed = closed;
	t->closed_arg = arg;
	for (size_t i = 0; i < t->n_peers; i++)
		peer_close(t->peers[i]);
	visitors_close(&t->visitors);
	if (t->listener)
		conn_listener_close(t->listener, listener_closed, t);
	else
		finish_close(t);
}
