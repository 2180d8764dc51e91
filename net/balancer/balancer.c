/* See balancer.h. The life of a connection:
 *
 *     accepted --> a server is chosen and dialed --> joined --> ended by either side, or cut
 *                     ^          |
 *                     '- refused or silent: the next
 *
 * Bytes are carried by base/wire/conn_join: one buffer per direction, filled only when the other side takes less than
 * comes. They are not spliced in the kernel: that costs a pipe of 64 KiB per direction and connection, and what goes
 * through here is a kubelet's requests and watches, not bulk.
 *
 * What can go wrong: no server can be reached (the connection is closed, and the client tries again), more connections
 * than BALANCER_CONNECTIONS_MAX (closed at once), a file that can't be read or written (told; the list is then that of
 * --server until the cluster says more). */
#include "net/balancer/balancer.h"

#include "api/client/jitter.h"
#include "base/check.h"
#include "base/log.h"
#include "base/mem/arena.h"
#include "base/pki/pki.h"
#include "base/rt/closing.h"
#include "base/wire/conn_join.h"
#include "net/balancer/readiness.h"
#include "net/balancer/upstreams.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { DIAL_MS = 2000 };

struct balancer {
	struct balancer_options o;
	struct arena arena;
	struct conn_listener *listener;
	struct upstreams upstreams;
	struct list_link connections;
	size_t n_connections;
	bool is_lost; /* the last that came found no server */
	bool closing;
	struct closing parts;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* What is known of an upstream beyond its place in the list: who asks how it is. */
struct watched {
	struct balancer *balancer;
	struct upstream *upstream;
	struct readiness *readiness;
};

struct connection {
	struct balancer *balancer;
	struct list_link link;
	struct upstream *to; /* NULL: none is chosen */
	struct conn *near, *far;
	struct conn_join *join; /* NULL: not yet */
	uint64_t tried;         /* places in the list */
	unsigned open;          /* of near and far, before they are joined */
	bool closing;
};

static void dial(struct connection *k);

/* ---- the end of a connection ---- */

static void leave(struct connection *k)
{
	struct upstream *u = TAKE(k->to);
	if (!u)
		return;
	CHECK(u->connections > 0);
	u->connections--;
	upstream_unref(u);
}

static void connection_free(struct connection *k)
{
	struct balancer *b = k->balancer;
	leave(k);
	list_del(&k->link);
	b->n_connections--;
	free(k);
	closing_part_done(&b->parts);
}

static void joined_done(void *arg)
{
	connection_free(arg);
}

static void give_up(struct connection *k)
{
	if (k->closing)
		return;
	k->closing = true;
	if (k->join) {
		conn_join_cut(k->join);
		return;
	}
	conn_close(k->near, 0);
	if (k->far)
		conn_close(k->far, 0);
}

static void side_closed(struct connection *k)
{
	if (--k->open == 0 && k->closing)
		connection_free(k);
}

/* ---- to a server ---- */

static void nothing_read(struct conn *c, const char *data, size_t len, void *arg)
{
}

static void near_ended(struct conn *c, const struct err *err, void *arg)
{
	give_up(arg);
}

static void near_closed(struct conn *c, void *arg)
{
	side_closed(arg);
}

/* Each time it changes, and not for each connection: clients try again and again. */
static void tell_lost(struct balancer *b, bool is_lost)
{
	if (is_lost && !b->is_lost)
		log_warn("balancer", "no server can be reached: what runs goes on, and it is tried again", "known=%zu",
		        b->upstreams.n);
	else if (!is_lost && b->is_lost)
		log_info("balancer", "a server is reached again", "%s", "");
	b->is_lost = is_lost;
}

static void far_open(struct conn *c, const struct err *err, void *arg)
{
	struct connection *k = arg;
	if (!err) {
		tell_lost(k->balancer, false);
		k->join = conn_join(k->near, k->far, CONN_JOIN_HALVES, joined_done, k);
		return;
	}
	struct watched *w = k->to->user;
	if (w && w->readiness) /* it is asked what is the matter; other connections are told then */
		readiness_ask(w->readiness);
	log_debug("balancer", "a server was not reached", "server=%s why=\"%s\"", k->to->address, err->msg);
	conn_close(c, 0);
}

static void far_closed(struct conn *c, void *arg)
{
	struct connection *k = arg;
	k->far = NULL;
	leave(k);
	if (k->closing) {
		side_closed(k); /* which may be the last of it */
		return;
	}
	k->open--;
	CHECK(k->open == 1); /* the near side: where that ends, all is closing */
	dial(k);
}

static void dial(struct connection *k)
{
	static const struct conn_callbacks callbacks = {far_open, nothing_read, near_ended, NULL, far_closed};
	struct balancer *b = k->balancer;
	struct conn_connect_options o = {.timeout_ms = DIAL_MS};
	int i = upstreams_choose(&b->upstreams, k->tried, (uint32_t)jitter_below(INT32_MAX));
	if (i < 0) {
		tell_lost(b, true);
		give_up(k);
		return;
	}
	k->tried |= UINT64_C(1) << i;
	k->to = b->upstreams.items[i];
	k->to->refs++;
	k->to->connections++;
	k->open++;
	k->far = conn_connect_tcp(b->o.loop, k->to->host, k->to->port, &o, &callbacks, k);
}

static void on_accept(struct conn_listener *l, struct conn *c, void *arg)
{
	static const struct conn_callbacks callbacks = {NULL, nothing_read, near_ended, NULL, near_closed};
	struct balancer *b = arg;
	struct connection *k = xcalloc(1, sizeof *k);
	k->balancer = b;
	k->near = c;
	k->open = 1;
	closing_hold(&b->parts);
	list_push_back(&b->connections, &k->link);
	b->n_connections++;
	conn_start(c, &callbacks, k);
	conn_read_pause(c); /* until there is somebody to read it */
	if (b->closing || b->n_connections > BALANCER_CONNECTIONS_MAX)
		give_up(k);
	else
		dial(k);
}

/* ---- which servers, and how they are ---- */

/* Clients that stay with a server that can't serve would not notice; but where none can, they are as well off there. */
static void leave_bad_ones(struct balancer *b)
{
	if (!upstreams_have_live(&b->upstreams))
		return;
	LIST_FOREACH (it, &b->connections) {
		struct connection *k = CONTAINER_OF(it, struct connection, link);
		if (k->join && upstream_is_bad(k->to))
			give_up(k);
	}
}

static unsigned answered(void *arg, enum upstream_answer answer)
{
	struct watched *w = arg;
	struct upstream *u = w->upstream;
	enum upstream_health before = u->health;
	unsigned ms = upstream_answered(u, answer);
	if (u->health != before)
		log_info("balancer", "a server does otherwise than before", "address=%s now=\"%s\" before=\"%s\"",
		        u->address, upstream_health_name(u->health), upstream_health_name(before));
	leave_bad_ones(w->balancer);
	return ms;
}

static void watch(struct balancer *b, struct upstream *u)
{
	struct watched *w = xcalloc(1, sizeof *w);
	struct readiness_options o = {
	        .loop = b->o.loop, .tls = b->o.tls, .host = u->host, .port = u->port, .answered = answered, .arg = w};
	w->balancer = b;
	w->upstream = u;
	u->refs++;
	u->user = w;
	closing_hold(&b->parts);
	w->readiness = readiness_new(&o);
}

static void watched_closed(void *arg)
{
	struct watched *w = arg;
	struct balancer *b = w->balancer;
	upstream_unref(w->upstream);
	free(w);
	closing_part_done(&b->parts);
}

static void unwatch(struct upstream *u)
{
	struct watched *w = u->user;
	u->user = NULL;
	readiness_close(TAKE(w->readiness), watched_closed, w);
}

static void cut_those_to(struct balancer *b, const struct upstream *u)
{
	LIST_FOREACH (it, &b->connections) {
		struct connection *k = CONTAINER_OF(it, struct connection, link);
		if (k->to == u)
			give_up(k);
	}
}

/* ---- the file: whole or not at all; it need not survive a power cut, for there is --server ---- */

static int write_whole(const char *path, struct slice text, struct err *err)
{
	char *next = xprintf("%s.next", path);
	int fd = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	bool ok = fd >= 0 && write(fd, text.ptr, text.len) == (ssize_t)text.len;
	if (fd >= 0)
		ok = close(fd) == 0 && ok;
	if (!ok || rename(next, path) != 0)
		err_errno(err, errno, "write %s", path);
	free(next);
	return err->code;
}

static void keep(struct balancer *b)
{
	struct strbuf text = STRBUF_INIT;
	struct err err = ERR_INIT;
	upstreams_write(&b->upstreams, &text);
	if (write_whole(b->o.file, strbuf_slice(&text), &err) != 0)
		log_warn("balancer", "the list of servers is not kept for the next start", "error=\"%s\"", err.msg);
	strbuf_release(&text);
}

static void set_servers(struct balancer *b, const char *const *addresses, size_t n)
{
	struct upstream *gone[BALANCER_SERVERS_MAX + 1];
	size_t n_gone;
	if (!upstreams_set(&b->upstreams, addresses, n, gone, &n_gone))
		return;
	for (size_t i = 0; i < n_gone; i++) {
		cut_those_to(b, gone[i]);
		unwatch(gone[i]);
		upstream_unref(gone[i]);
	}
	LIST_FOREACH (it, &b->connections) /* places in the list are others now */
		CONTAINER_OF(it, struct connection, link)->tried = 0;
	for (size_t i = 0; i < b->upstreams.n; i++)
		if (!b->upstreams.items[i]->user)
			watch(b, b->upstreams.items[i]);
	keep(b);
	if (b->o.changed)
		b->o.changed(b->o.arg);
}

static void read_file(struct balancer *b)
{
	char *text, *addresses[BALANCER_SERVERS_MAX];
	size_t len, n = 0;
	struct err err = ERR_INIT;
	if (access(b->o.file, F_OK) != 0)
		return;
	if (pki_file_read(b->o.file, &text, &len, &err) == 0) {
		upstreams_read((struct slice){text, len}, addresses, BALANCER_SERVERS_MAX, &n, &err);
		free(text);
	}
	if (err.code)
		log_warn("balancer", "the list of servers can't be read: beginning with --server",
		        "file=%s error=\"%s\"", b->o.file, err.msg);
	set_servers(b, (const char *const *)addresses, n);
	while (n)
		free(addresses[--n]);
}

/* ---- life ---- */

void balancer_set_servers(struct balancer *b, const char *const *addresses, size_t n)
{
	LOOP_CHECK_OWNER(b->o.loop);
	if (!b->closing)
		set_servers(b, addresses, n);
}

size_t balancer_servers(const struct balancer *b, const char **ret, size_t max)
{
	size_t n = 0;
	for (; n < b->upstreams.n && n < max; n++)
		ret[n] = b->upstreams.items[n]->address;
	return n;
}

size_t balancer_connections(const struct balancer *b)
{
	return b->n_connections;
}

int balancer_port(const struct balancer *b)
{
	return conn_listener_port(b->listener);
}

static void all_closed(struct closing *parts)
{
	struct balancer *b = CONTAINER_OF(parts, struct balancer, parts);
	void (*closed)(void *) = b->closed;
	void *arg = b->closed_arg;
	upstreams_release(&b->upstreams);
	arena_release(&b->arena);
	free(b);
	if (closed)
		closed(arg);
}

int balancer_new(const struct balancer_options *options, struct balancer **ret, struct err *err)
{
	LOOP_CHECK_OWNER(options->loop);
	if (upstream_check(options->fallback, err) != 0)
		return err->code;
	struct balancer *b = xcalloc(1, sizeof *b);
	struct conn_listen_options lo = {.on_accept = on_accept, .arg = b};
	b->o = *options;
	b->o.file = arena_strdup(&b->arena, options->file);
	list_init(&b->connections);
	b->parts.all_closed = all_closed;
	closing_hold(&b->parts); /* balancer_close() gives it up */
	if (conn_listen_tcp(options->loop, options->address, options->port, &lo, &b->listener, err) != 0) {
		arena_release(&b->arena);
		free(b);
		return err_wrap(err, "--lb-server-port");
	}
	upstreams_init(&b->upstreams, options->fallback);
	watch(b, b->upstreams.items[0]);
	b->o.changed = NULL; /* nobody is told before this returns */
	read_file(b);
	b->o.changed = options->changed;
	*ret = b;
	return 0;
}

void balancer_close(struct balancer *b, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(b->o.loop);
	CHECK(!b->closing);
	b->closing = true;
	b->closed = closed;
	b->closed_arg = arg;
	closing_hold(&b->parts);
	conn_listener_close(b->listener, closing_part_done, &b->parts);
	for (size_t i = 0; i < b->upstreams.n; i++)
		unwatch(b->upstreams.items[i]);
	LIST_FOREACH (it, &b->connections)
		give_up(CONTAINER_OF(it, struct connection, link));
	closing_part_done(&b->parts);
}
