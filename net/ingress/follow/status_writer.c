/* See status_writer.h. */
#include "net/ingress/follow/status_writer.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem/list.h"
#include "base/rt/closing.h"

#include <stdlib.h>

enum { PAUSE_MS = 2000 };

struct wanted {
	struct list_link link;
	char *path, *body;
};

struct status_writer {
	struct client *client;
	struct list_link waiting;
	struct wanted *sent; /* NULL: nothing is under way */
	struct client_request request;
	bool is_closing;
	uv_timer_t pause;
	struct closing closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void wanted_free(struct wanted *x)
{
	free(x->path);
	free(x->body);
	free(x);
}

static void write_next(struct status_writer *w);

static void pause_over(uv_timer_t *t)
{
	write_next(t->data);
}

static struct wanted *find(struct status_writer *w, const char *path)
{
	LIST_FOREACH (it, &w->waiting)
		if (strcmp(CONTAINER_OF(it, struct wanted, link)->path, path) == 0)
			return CONTAINER_OF(it, struct wanted, link);
	return NULL;
}

static void written(struct client_request *r)
{
	struct status_writer *w = CONTAINER_OF(r, struct status_writer, request);
	struct wanted *x = TAKE(w->sent);
	int code = r->err.code;
	bool is_refused = code == ERR_INVALID_OBJECT || code == ERR_INVAL;
	bool is_over = !code || code == ERR_NOT_FOUND || code == ERR_CONFLICT || is_refused || w->is_closing;
	if (is_refused || !is_over)
		log_warn("ingress", "a status is not written", "path=%s error=\"%s\"", x->path, r->err.msg);
	client_request_release(r);
	if (is_over || find(w, x->path))
		wanted_free(x);
	else
		list_push_back(&w->waiting, &x->link);
	if (w->is_closing)
		closing_part_done(&w->closing);
	else if (is_over)
		write_next(w);
	else
		uv_timer_start(&w->pause, pause_over, PAUSE_MS, 0);
}

static void write_next(struct status_writer *w)
{
	if (w->sent || w->is_closing || uv_is_active((uv_handle_t *)&w->pause) || list_empty(&w->waiting))
		return;
	w->sent = CONTAINER_OF(list_pop_front(&w->waiting), struct wanted, link);
	w->request = (struct client_request){.method = "PATCH",
	        .path = w->sent->path,
	        .body = slice_of(w->sent->body),
	        .content_type = "application/merge-patch+json",
	        .done = written};
	client_send(w->client, &w->request);
}

struct status_writer *status_writer_new(struct client *client)
{
	struct status_writer *w = xcalloc(1, sizeof *w);
	w->client = client;
	list_init(&w->waiting);
	uv_timer_init(loop_uv(client->loop), &w->pause);
	w->pause.data = w;
	return w;
}

void status_writer_put(struct status_writer *w, const char *path, struct slice body)
{
	LOOP_CHECK_OWNER(w->client->loop);
	struct wanted *x = find(w, path);
	if (w->is_closing)
		return;
	if (!x) {
		x = xcalloc(1, sizeof *x);
		x->path = xstrdup(path);
		list_push_back(&w->waiting, &x->link);
	}
	free(x->body);
	x->body = xmemdup(body.ptr, body.len);
	write_next(w);
}

static void all_closed(struct closing *c)
{
	struct status_writer *w = CONTAINER_OF(c, struct status_writer, closing);
	void (*closed)(void *) = w->closed;
	void *arg = w->closed_arg;
	for (struct list_link *l; (l = list_pop_front(&w->waiting)) != NULL;)
		wanted_free(CONTAINER_OF(l, struct wanted, link));
	free(w);
	if (closed)
		closed(arg);
}

static void timer_closed(uv_handle_t *h)
{
	closing_part_done(&((struct status_writer *)h->data)->closing);
}

void status_writer_close(struct status_writer *w, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(w->client->loop);
	w->is_closing = true;
	w->closed = closed;
	w->closed_arg = arg;
	w->closing.all_closed = all_closed;
	closing_hold(&w->closing);
	if (w->sent)
		closing_hold(&w->closing), client_cancel(w->client, &w->request);
	closing_hold(&w->closing), uv_close((uv_handle_t *)&w->pause, timer_closed);
	closing_part_done(&w->closing);
}
