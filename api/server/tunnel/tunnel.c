/* Which node has tunnels to this server. See tunnel.h.
 *
 * The newest of a node is used. A node that reaches this server under several addresses (its own, a load balancer's)
 * has several; one that was restarted has an old one that nobody has noticed to be dead yet. More than a few are the
 * node's mistake: the oldest goes.
 *
 * What can go wrong: who asks is no node (403), asks for no upgrade (400); a tunnel breaks: it is forgotten, and with
 * it end the sessions that ran through it. */
#include "api/server/tunnel/tunnel.h"

#include "api/server/answer.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/wire/mux.h"

#include <stdlib.h>

#define NODE_PREFIX "system:node:"

struct tunnel {
	struct tunnels *all;
	struct list_link link;
	struct mux *mux;
	bool closing;
	char node[];
};

struct tunnels {
	struct loop *loop;
	struct list_link open; /* newest first */
	bool closing;
	void (*closed)(void *arg);
	void *arg;
};

/* ---- the end of one ---- */

static void maybe_closed(struct tunnels *t)
{
	if (t->closing && list_empty(&t->open) && t->closed)
		t->closed(t->arg);
}

static void mux_closed(void *arg)
{
	struct tunnel *u = arg;
	struct tunnels *t = u->all;
	list_del(&u->link);
	free(u);
	maybe_closed(t);
}

static void close_one(struct tunnel *u)
{
	if (u->closing)
		return;
	u->closing = true;
	mux_close(u->mux, mux_closed, u);
}

static void mux_ended(struct mux *m, const struct err *err, void *arg)
{
	struct tunnel *u = arg;
	log_info("tunnel", "a node's tunnel has ended", "node=%s why=\"%s\"", u->node,
	        err ? err->msg : "closed by the node");
	close_one(u);
}

/* ---- the beginning of one ---- */

static void forget_oldest(struct tunnels *t, const char *node)
{
	size_t n = 0;
	LIST_FOREACH (it, &t->open) {
		struct tunnel *u = CONTAINER_OF(it, struct tunnel, link);
		if (!u->closing && strcmp(u->node, node) == 0 && ++n > TUNNELS_PER_NODE_MAX)
			close_one(u);
	}
}

static void add(struct tunnels *t, struct conn *conn, struct slice node)
{
	struct tunnel *u = xcalloc(1, sizeof *u + node.len + 1);
	struct mux_options o = {.on_end = mux_ended, .arg = u};
	memcpy(u->node, node.ptr, node.len);
	u->all = t;
	list_push_front(&t->open, &u->link);
	u->mux = mux_new(conn, &o);
	log_info("tunnel", "a node has opened a tunnel", "node=%s from=%s", u->node, mux_address(u->mux));
	forget_oldest(t, u->node);
}

/* The node that the certificate names, and nobody who acts as it. */
static int whose(const struct call *c, struct slice *node, struct err *err)
{
	const struct user *u = c->user;
	if (c->impersonation || !user_is_in(u, "system:nodes") || !slice_starts(u->name, NODE_PREFIX))
		return err_set(err, ERR_FORBIDDEN, "a tunnel is a node's: ask with the certificate of its kubelet");
	*node = (struct slice){u->name.ptr + strlen(NODE_PREFIX), u->name.len - strlen(NODE_PREFIX)};
	return 0;
}

static int upgrade(struct tunnels *t, struct call *c, struct conn **ret, struct err *err)
{
	if (t->closing)
		return err_set(err, ERR_UNAVAILABLE, "the server stops");
	if (!c->exchange || !http_wants_upgrade(c->exchange, TUNNEL_PROTOCOL))
		return err_set(err, ERR_INVAL, TUNNEL_PATH " needs Upgrade: " TUNNEL_PROTOCOL " over HTTP/1.1");
	return http_upgrade(c->exchange, TUNNEL_PROTOCOL, ret, err);
}

void tunnel_accept(struct tunnels *t, struct call *c)
{
	struct slice node = SLICE_NULL;
	struct conn *conn = NULL;
	struct err err = ERR_INIT;
	LOOP_CHECK_OWNER(t->loop);
	if (whose(c, &node, &err) != 0 || upgrade(t, c, &conn, &err) != 0) {
		call_respond_err(c, &err);
		return;
	}
	add(t, conn, node);
	call_upgraded(c);
}

/* ---- using one ---- */

static struct tunnel *find(const struct tunnels *t, struct slice node)
{
	LIST_FOREACH (it, &t->open) {
		struct tunnel *u = CONTAINER_OF(it, struct tunnel, link);
		if (!u->closing && slice_is(node, u->node))
			return u;
	}
	return NULL;
}

bool tunnel_is_open(const struct tunnels *t, struct slice node)
{
	return find(t, node) != NULL;
}

struct conn *tunnel_dial(void *arg, const struct conn_connect_options *options, const struct conn_callbacks *callbacks,
        void *callbacks_arg)
{
	const struct tunnel_way *w = arg;
	struct tunnel *u = find(w->tunnels, w->node);
	return mux_open(u ? u->mux : NULL, w->tunnels->loop, options, callbacks, callbacks_arg);
}

/* ---- life ---- */

struct tunnels *tunnels_new(struct loop *loop)
{
	struct tunnels *t = xcalloc(1, sizeof *t);
	t->loop = loop;
	list_init(&t->open);
	return t;
}

void tunnels_close(struct tunnels *t, void (*closed)(void *arg), void *arg)
{
	t->closing = true;
	t->closed = closed;
	t->arg = arg;
	LIST_FOREACH (it, &t->open)
		close_one(CONTAINER_OF(it, struct tunnel, link));
	maybe_closed(t);
}

void tunnels_free(struct tunnels *t)
{
	CHECK(!t || list_empty(&t->open));
	free(t);
}
