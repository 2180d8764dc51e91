/* See sessions.h. */
#include "api/server/passing/sessions.h"

#include "api/server/state.h"
#include "base/check.h"
#include "base/wire/conn_join.h"

#include <stdlib.h>

struct session {
	struct api_server *server;
	struct list_link link;
	struct conn_join *join;
	struct http_client *client;
	struct call *call; /* a reference: what is audited of it ends with the session */
};

static void is_over(void *arg)
{
	struct session *z = arg;
	struct api_server *s = z->server;
	list_del(&z->link);
	http_client_close(z->client, NULL, NULL);
	call_unref(z->call);
	free(z);
	if (s->closing && list_empty(&s->sessions) && s->sessions_closed)
		s->sessions_closed(s->sessions_arg);
}

void session_begin(struct call *c, struct http_client *client, struct conn *near, struct conn *far)
{
	struct session *z = xcalloc(1, sizeof *z);
	struct api_server *s = c->server;
	LOOP_CHECK_OWNER(s->loop);
	z->server = s;
	z->call = call_ref(c);
	z->client = client;
	list_push_back(&s->sessions, &z->link);
	z->join = conn_join(near, far, CONN_JOIN_WHOLE, is_over, z);
}

void sessions_close(struct api_server *s, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(s->loop);
	s->sessions_closed = closed;
	s->sessions_arg = arg;
	if (list_empty(&s->sessions))
		closed(arg);
	LIST_FOREACH (it, &s->sessions)
		conn_join_cut(CONTAINER_OF(it, struct session, link)->join);
}
