/* See writes.h. */
#include "api/server/duties/writes.h"

#include "api/server/inproc.h"

#include <string.h>

struct write {
	struct write *next;
	const char *method, *path;
	struct slice body;
};

void writes_init(struct writes *w, struct duty_run *run)
{
	*w = (struct writes){.run = run};
	w->end = &w->next;
}

void writes_add(struct writes *w, const char *method, const char *path, const struct json *body)
{
	struct write *x = ARENA_NEW(&w->arena, struct write);
	struct strbuf text = STRBUF_INIT;
	if (body)
		json_write(&text, body);
	*x = (struct write){.method = method,
	        .path = path,
	        .body = {arena_memdup(&w->arena, text.data ? text.data : "", text.len), text.len}};
	strbuf_release(&text);
	*w->end = x;
	w->end = &x->next;
}

static void client_closed(void *arg)
{
	struct writes *w = arg;
	struct duty_run *run = w->run;
	struct err err = w->err;
	arena_release(&w->arena);
	if (w->done)
		w->done(w);
	duty_done(run, &err);
}

static void send_next(struct writes *w);

static void keep_error(struct writes *w, const struct client_request *req)
{
	switch (req->err.code) {
	case 0:
	case ERR_EXISTS:
	case ERR_CONFLICT:
	case ERR_NOT_FOUND:
		return;
	case ERR_UNAVAILABLE:
	case ERR_TIMEOUT:
	case ERR_BUSY:
		w->next = NULL;
		break;
	}
	if (w->err.code)
		return;
	w->err = req->err;
	err_wrap(&w->err, "%s %s", req->method, req->path);
}

static void sent(struct client_request *req)
{
	struct writes *w = CONTAINER_OF(req, struct writes, request);
	w->next = w->next->next;
	keep_error(w, req);
	client_request_release(req);
	send_next(w);
}

static void send_next(struct writes *w)
{
	const struct write *x = w->next;
	if (!x) {
		client_close(w->client, client_closed, w);
		return;
	}
	w->request = (struct client_request){.method = x->method,
	        .path = x->path,
	        .body = x->body,
	        .content_type = strcmp(x->method, "PATCH") == 0 ? "application/merge-patch+json" : NULL,
	        .done = sent};
	client_send(w->client, &w->request);
}

void writes_send(struct writes *w, void (*done)(struct writes *w))
{
	struct api_server *server = w->run->server;
	w->done = done;
	if (w->err.code)
		w->next = NULL;
	w->client = api_server_client(server, server->loop, "system:apiserver", "system:masters");
	send_next(w);
}
