/* Requests to the API server: a path by format, a copied body, one callback that may be forgotten. */
#include "node/ground/api_call.h"

#include "base/check.h"
#include "node/ground/node_record.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct api_call {
	struct client_request request;
	struct node *node;
	struct list_link link;
	api_done_fn *done;
	void *arg;
	char *path, *body;
	bool canceled;
};

static void finished(struct client_request *r)
{
	struct api_call *c = CONTAINER_OF(r, struct api_call, request);
	struct node *n = c->node;
	LOOP_CHECK_OWNER(n->loop);
	struct slice body = r->response ? (struct slice){r->response->data, r->response->len} : SLICE_NULL;
	list_del(&c->link);
	if (c->done)
		c->done(c->arg, r->http_status, body, r->err.code ? &r->err : NULL);
	client_request_release(r);
	free(c->path);
	free(c->body);
	free(c);
	closing_part_done(&n->parts);
}

static struct api_call *send_body(struct node *n, const char *method, const char *content_type, char *body, size_t len,
        api_done_fn *done, void *arg, const char *path_fmt, va_list ap)
{
	LOOP_CHECK_OWNER(n->loop);
	CHECK(method && path_fmt);
	struct api_call *c = xcalloc(1, sizeof *c);
	if (vasprintf(&c->path, path_fmt, ap) < 0)
		c->path = xstrdup("/");
	c->body = body;
	c->node = n;
	c->done = done;
	c->arg = arg;
	c->request = (struct client_request){.method = method,
	        .path = c->path,
	        .body = {c->body, len},
	        .content_type = content_type,
	        .done = finished};
	list_push_back(&n->api_calls, &c->link);
	closing_hold(&n->parts);
	client_send(n->client, &c->request);
	return c;
}

struct api_call *api_send(struct node *n, const char *method, const char *content_type, struct slice body,
        api_done_fn *done, void *arg, const char *path_fmt, ...)
{
	va_list ap;
	va_start(ap, path_fmt);
	struct api_call *c = send_body(n, method, content_type, body.len ? xmemdup(body.ptr, body.len) : NULL, body.len,
	        done, arg, path_fmt, ap);
	va_end(ap);
	return c;
}

struct api_call *api_send_json(struct node *n, const char *method, const char *content_type, const struct json *body,
        api_done_fn *done, void *arg, const char *path_fmt, ...)
{
	va_list ap;
	struct strbuf text = STRBUF_INIT;
	json_write(&text, body);
	size_t len = text.len;
	va_start(ap, path_fmt);
	struct api_call *c = send_body(n, method, content_type, strbuf_detach(&text), len, done, arg, path_fmt, ap);
	va_end(ap);
	return c;
}

void api_forget(struct api_call *c)
{
	c->done = NULL;
}

void api_cancel_all(struct node *n)
{
	LOOP_CHECK_OWNER(n->loop);
	LIST_FOREACH (it, &n->api_calls) {
		struct api_call *c = CONTAINER_OF(it, struct api_call, link);
		if (!c->canceled) {
			c->canceled = true;
			client_cancel(n->client, &c->request);
		}
	}
}
