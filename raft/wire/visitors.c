/* See visitors.h.
 *
 *     accepted (a stranger) --greeting--> a peer: its messages are delivered
 *           |                        \--> handed on: a state, a question
 *           +--too late, too many, or told why not--> closed
 *
 * A stranger must have greeted within VISITORS_GREET_MS_MAX, TLS included. One address has so many strangers at a time;
 * when there are too many of them altogether the oldest goes, for who means it greets at once. Peers are counted apart:
 * however many strangers wait, one who greets gets in. Of one peer the oldest connection goes when it has too many.
 *
 * With TLS the certificate may say who a server is, by the name k3x-peer-ID: then it greets as that server or not at
 * all. */
#include "raft/wire/visitors.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem/arena.h"
#include "base/limits.h"
#include "raft/wire/conn_frame.h"
#include "raft/wire/greeting.h"

#include <inttypes.h>
#include <stdlib.h>

#define PEER_NAME "k3x-peer-"
enum { LINGER_MS = 200 };

struct visitor {
	struct list_link link;
	struct visitors *all;
	struct conn *conn;
	struct wire_frame_reader reader;
	struct called greeting;
	char host[64];
	uint64_t from; /* 0: a stranger */
	uint64_t came_ms;
	bool wants_messages; /* it said so, and can be told that it is turned away */
	struct peer_stats *stats;
	bool gone; /* handed on */
};

static struct visitor *visitor_of(struct list_link *l)
{
	return CONTAINER_OF(l, struct visitor, link);
}

static void visitor_close(struct visitor *v)
{
	if (v->conn)
		conn_close(v->conn, 0);
	v->conn = NULL;
}

static void turn_away(struct visitor *v, const char *why)
{
	uint64_t times;
	if (v->conn && refusals_note(v->all->refusals, v->host, why, loop_now_ms(v->all->o.loop), &times))
		log_warn("raft", "peer turned away", "address=%s times=%" PRIu64 " error=\"%s\"", v->host, times, why);
	if (v->conn && v->wants_messages && !v->from) {
		struct strbuf b = STRBUF_INIT;
		wire_refusal_encode(&b, why);
		conn_write_frame(v->conn, strbuf_slice(&b));
		strbuf_release(&b);
		conn_close(v->conn, LINGER_MS);
		v->conn = NULL;
	}
	visitor_close(v);
}

/* ---- greeting ---- */

/* A connection that is not for messages leaves this file: with its callbacks the visitor goes. */
static bool hand_on(struct visitor *v, const struct wire_hello *hello)
{
	struct conn *c = v->conn;
	CHECK(c && !v->gone && !v->from && hello->purpose != WIRE_MESSAGES);
	v->conn = NULL;
	v->gone = true;
	if (v->all->o.on_visitor(v->all->o.arg, c, hello))
		return true;
	v->conn = c;
	v->gone = false;
	return false;
}

/* What its certificate says. */
static int check_certificate(struct visitor *v, uint64_t from, struct err *err)
{
	const struct conn_peer *peer = conn_peer(v->conn);
	char name[sizeof PEER_NAME + 16];
	snprintf(name, sizeof name, PEER_NAME "%016" PRIx64, from);
	if (!peer->verified || !slice_starts(peer->common_name, PEER_NAME) || slice_is(peer->common_name, name))
		return 0;
	return err_set(err, ERR_PROTOCOL, "it says it is server %016" PRIx64 " and its certificate says another", from);
}

static int check_hello(struct visitor *v, const struct wire_hello *h, struct err *err)
{
	const struct visitors_options *o = &v->all->o;
	if (h->purpose != WIRE_QUESTION && h->cluster_id != o->cluster_id)
		return err_set(err, ERR_PROTOCOL, "it belongs to cluster %016" PRIx64 ", this is %016" PRIx64,
		        h->cluster_id, o->cluster_id);
	if (h->to && h->to != o->id)
		return err_set(
		        err, ERR_PROTOCOL, "it looks for server %016" PRIx64 ", this is %016" PRIx64, h->to, o->id);
	if (h->purpose != WIRE_QUESTION && (!h->from || h->from == o->id))
		return err_set(err, ERR_PROTOCOL, "it says it is server %016" PRIx64, h->from);
	return h->purpose == WIRE_QUESTION ? 0 : check_certificate(v, h->from, err);
}

static void leave_strangers(struct visitor *v)
{
	CHECK(v->all->n_strangers > 0);
	list_del(&v->link);
	v->all->n_strangers--;
}

/* The oldest connection of this peer goes when it has too many; of all of them, when there are. */
static void make_room(struct visitors *all, uint64_t from)
{
	LOOP_CHECK_OWNER(all->o.loop);
	struct visitor *oldest = NULL;
	unsigned n = 0;
	LIST_FOREACH (l, &all->peers) {
		struct visitor *v = visitor_of(l);
		if (v->from != from || !v->conn)
			continue;
		oldest = oldest ? oldest : v;
		n++;
	}
	if (n >= VISITORS_PER_PEER_MAX)
		visitor_close(oldest);
	else if (all->n_peers >= VISITORS_PEERS_MAX)
		visitor_close(visitor_of(all->peers.next));
}

static int become_peer(struct visitor *v, const struct wire_hello *h)
{
	LOOP_CHECK_OWNER(v->all->o.loop);
	struct visitors *all = v->all;
	CHECK(v->conn && !v->from && h->from && h->from != all->o.id); /* check_hello() saw to it */
	make_room(all, h->from);
	leave_strangers(v);
	v->from = h->from;
	v->stats = peer_stats_of(all->o.stats, h->from);
	v->reader.bytes_max = RAFT_MESSAGE_BYTES_MAX;
	list_push_back(&all->peers, &v->link);
	all->n_peers++;
	all->o.on_greeted(all->o.greeted_arg, h->from, h->address);
	return 0;
}

static int greeted(struct visitor *v, struct slice payload, struct err *err)
{
	LOOP_CHECK_OWNER(v->all->o.loop);
	struct wire_hello h;
	struct strbuf out = STRBUF_INIT;
	int rc = called_take(&v->greeting, payload, &h, &out, err);
	v->wants_messages = rc != 0 || h.purpose == WIRE_MESSAGES;
	if (rc == 0)
		rc = check_hello(v, &h, err);
	if (rc == 0 && out.len)
		conn_write_frame(v->conn, strbuf_slice(&out));
	strbuf_release(&out);
	if (rc != 0)
		return rc;
	if (h.purpose == WIRE_MESSAGES)
		return become_peer(v, &h);
	return hand_on(v, &h) ? 0 : err_set(err, ERR_BUSY, "too many at a time");
}

static bool visitor_frame(void *arg, struct slice payload)
{
	struct visitor *v = arg;
	const struct visitors_options *o = &v->all->o;
	struct err err = ERR_INIT;
	CHECK(!v->gone && (!v->from || v->stats));
	if (v->from)
		v->stats->received_bytes += WIRE_FRAME_HEAD_BYTES + payload.len;
	int rc = v->from ? o->on_message(o->arg, v->from, payload, &err) : greeted(v, payload, &err);
	if (rc == 0)
		return v->conn != NULL;
	turn_away(v, err.msg);
	return false;
}

/* ---- connections ---- */

static void visitor_free(struct visitor *v)
{
	struct visitors *all = v->all;
	if (v->from) {
		CHECK(all->n_peers > 0);
		list_del(&v->link);
		all->n_peers--;
	} else {
		leave_strangers(v);
	}
	CHECK(all->open_conns > 0);
	all->open_conns--;
	wire_frame_reader_release(&v->reader);
	free(v);
	all->o.on_gone(all->o.greeted_arg);
}

static void visitor_read(struct conn *c, const char *data, size_t len, void *arg)
{
	struct visitor *v = arg;
	struct err err = ERR_INIT;
	size_t used;
	LOOP_CHECK_OWNER(v->all->o.loop);
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

static void begin_greeting(struct visitor *v)
{
	LOOP_CHECK_OWNER(v->all->o.loop);
	struct strbuf out = STRBUF_INIT;
	called_begin(&v->greeting, v->all->o.secret, &out);
	if (out.len && v->conn)
		conn_write_frame(v->conn, strbuf_slice(&out));
	strbuf_release(&out);
}

static void visitor_opened(struct conn *c, const struct err *err, void *arg)
{
	if (err)
		visitor_close(arg);
	else
		begin_greeting(arg);
}

static void visitor_closed(struct conn *c, void *arg)
{
	visitor_free(arg);
}

/* Of "10.0.0.7:41234" what is before the port. */
static void copy_host(const char *address, char *ret, size_t size)
{
	const char *port = strrchr(address, ':');
	size_t n = port ? (size_t)(port - address) : strlen(address);
	n = n < size - 1 ? n : size - 1;
	memcpy(ret, address, n);
	ret[n] = 0;
}

static unsigned strangers_of(struct visitors *all, const char *host)
{
	unsigned n = 0;
	LIST_FOREACH (l, &all->strangers)
		n += visitor_of(l)->conn && strcmp(visitor_of(l)->host, host) == 0;
	return n;
}

void visitors_accept(struct visitors *all, struct conn *c)
{
	static const struct conn_callbacks callbacks = {.on_open = visitor_opened,
	        .on_read = visitor_read,
	        .on_end = visitor_ended,
	        .on_closed = visitor_closed};
	struct visitor *v = xcalloc(1, sizeof *v);
	LOOP_CHECK_OWNER(all->o.loop);
	*v = (struct visitor){
	        .all = all, .conn = c, .reader.bytes_max = GREETING_BYTES_MAX, .came_ms = loop_now_ms(all->o.loop)};
	copy_host(conn_peer(c)->address, v->host, sizeof v->host);
	bool too_many = strangers_of(all, v->host) >= VISITORS_STRANGERS_PER_ADDRESS_MAX;
	bool is_full = all->n_strangers >= VISITORS_STRANGERS_MAX;
	if (is_full && !too_many)
		turn_away(visitor_of(all->strangers.next), "too many connections that do not greet");
	list_push_back(&all->strangers, &v->link);
	all->n_strangers++;
	all->open_conns++;
	if (conn_is_open(c)) /* else it says when it is */
		begin_greeting(v);
	conn_start(c, &callbacks, v);
	if (too_many)
		turn_away(v, "too many connections from one address that do not greet");
	else if (all->closing)
		visitor_close(v);
}

void visitors_tick(struct visitors *all)
{
	LOOP_CHECK_OWNER(all->o.loop);
	uint64_t now = loop_now_ms(all->o.loop);
	LIST_FOREACH (l, &all->strangers) {
		if (now - visitor_of(l)->came_ms < VISITORS_GREET_MS_MAX)
			break;
		turn_away(visitor_of(l), "it did not greet in time");
	}
}

void visitors_init(struct visitors *all, const struct visitors_options *o, struct refusals *refusals)
{
	CHECK(o->loop && o->on_greeted && o->on_gone && refusals);
	*all = (struct visitors){.o = *o, .refusals = refusals};
	list_init(&all->strangers);
	list_init(&all->peers);
}

void visitors_close(struct visitors *all)
{
	LOOP_CHECK_OWNER(all->o.loop);
	CHECK(!all->closing);
	all->closing = true;
	LIST_FOREACH (l, &all->strangers)
		visitor_close(visitor_of(l));
	LIST_FOREACH (l, &all->peers)
		visitor_close(visitor_of(l));
}
