/* See server_events.h. Whoever tells something puts it on a list and rings the main loop, where a recorder sends it.
 * The list is bounded: what nobody can send yet is not worth more memory than that. */
#include "tools/k3x/server_events.h"

#include "api/client/recorder.h"
#include "api/server/inproc.h"
#include "base/check.h"

#include <stdlib.h>

enum { WAITING_MAX = 32 };

struct told {
	struct told *next;
	const char *type; /* static */
	char *reason, *message;
};

struct server_events {
	struct loop *loop;
	char *node_name;
	struct client *client; /* NULL: the API is not there, or no more */
	struct recorder *recorder;
	pthread_mutex_t lock;
	struct told *first, **end; /* under the lock, as the rest */
	size_t n;
	bool is_rung, is_closed;
	struct loop_task task;
	void (*closed)(void *arg);
	void *arg;
};

static struct told *take(struct server_events *e)
{
	pthread_mutex_lock(&e->lock);
	struct told *t = e->first;
	if (t) {
		e->first = t->next;
		e->n--;
	} else {
		e->is_rung = false;
	}
	if (!e->first)
		e->end = &e->first;
	pthread_mutex_unlock(&e->lock);
	return t;
}

static void forget(struct told *t)
{
	free(t->reason);
	free(t->message);
	free(t);
}

static void send_all(struct server_events *e)
{
	struct recorder_subject node = {
	        .api_version = "v1", .kind = "Node", .name = slice_of(e->node_name), .uid = slice_of(e->node_name)};
	for (struct told *t; e->recorder && (t = take(e));) {
		recorder_event(e->recorder, &node, t->type, t->reason, "%s", t->message);
		forget(t);
	}
}

static void rung(struct loop_task *t)
{
	struct server_events *e = CONTAINER_OF(t, struct server_events, task);
	LOOP_CHECK_OWNER(e->loop);
	if (e->recorder)
		send_all(e);
}

void server_events_tell(struct server_events *e, const char *type, const char *reason, const char *message)
{
	bool ring = false;
	pthread_mutex_lock(&e->lock);
	if (!e->is_closed && e->n < WAITING_MAX) {
		struct told *t = xcalloc(1, sizeof *t);
		*t = (struct told){NULL, type, xstrdup(reason), xstrdup(message)};
		*e->end = t;
		e->end = &t->next;
		e->n++;
		ring = !e->is_rung;
		e->is_rung = true;
	}
	if (ring)
		loop_post(e->loop, &e->task);
	pthread_mutex_unlock(&e->lock);
}

void server_events_begin(struct server_events *e, struct api_server *api)
{
	e->client = api_server_client(api, e->loop, "system:k3x", "system:masters");
	e->recorder = recorder_new(e->client, "k3x", e->node_name);
	send_all(e);
}

static void client_closed(void *arg)
{
	struct server_events *e = arg;
	e->closed(e->arg);
}

static void recorder_closed(void *arg)
{
	struct server_events *e = arg;
	client_close(TAKE(e->client), client_closed, e);
}

void server_events_close(struct server_events *e, void (*closed)(void *arg), void *arg)
{
	e->closed = closed;
	e->arg = arg;
	pthread_mutex_lock(&e->lock);
	e->is_closed = true;
	pthread_mutex_unlock(&e->lock);
	if (e->recorder)
		recorder_close(TAKE(e->recorder), recorder_closed, e);
	else
		closed(arg);
}

struct server_events *server_events_new(struct loop *loop, const char *node_name)
{
	struct server_events *e = xcalloc(1, sizeof *e);
	e->loop = loop;
	e->node_name = xstrdup(node_name);
	e->end = &e->first;
	e->task.run = rung;
	pthread_mutex_init(&e->lock, NULL);
	return e;
}

void server_events_free(struct server_events *e)
{
	if (!e)
		return;
	for (struct told *t; (t = take(e));)
		forget(t);
	pthread_mutex_destroy(&e->lock);
	free(e->node_name);
	free(e);
}
