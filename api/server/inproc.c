/* The in-process transport of api/client: requests go from any loop to the server's as messages, answers come back as
 * references to the same bytes that sockets would be fed from.
 *
 * An operation (one request or watch) lives on the heap between two loops. Who may touch what:
 *   client's loop   `request`/`watch` (NULL once completed or given up), the list of the client's operations
 *   server's loop   `call`
 *   messages        task_to_server (start, cancel, resume), task_to_client (an answer); events travel as messages of
 * their own, counted in `in_flight`, so that a slow consumer stops the pump and not the other way round The operation
 * is freed on the client's loop once the server's side has said its last word. */
#include "api/server/inproc.h"

#include "api/client/status.h"
#include "api/server/dispatch.h"
#include "api/server/state.h"
#include "base/check.h"
#include "base/limits.h"

#include <stdlib.h>

enum { EVENTS_IN_FLIGHT_MAX = 1024, EVENTS_RESUME_AT = 256 };

struct inproc_client {
	struct client base;
	struct api_server *server;
	struct user *user;
	uint64_t led_term;
	struct list_link operations;
	void (*closed)(void *arg);
	void *closed_arg;
	bool closing;
	bool close_posted; /* close_task is on its way: only it may end the client */
	struct loop_task close_task;
};

struct inproc_op {
	struct inproc_client *client;
	struct list_link link;
	struct client_request *request;
	struct client_watch *watch;
	/* request, copied or borrowed until the answer */
	const char *method, *path, *content_type, *accept;
	struct slice body;
	bool is_watch;
	/* server's side */
	struct call *call;
	bool want_resume; /* the pump was stopped */
	struct loop_task to_server;
	struct loop_task cancel_task;
	struct loop_task resume_task;
	atomic_bool resume_sent;
	/* answer */
	int status;
	struct strbuf streamed; /* pieces of an answer that is passed on from elsewhere, on the server's loop */
	bool is_too_large;
	struct rcbuf *response;
	struct loop_task to_client;
	atomic_int in_flight;
	bool canceled;    /* client's loop: a cancel was sent */
	atomic_int holds; /* messages under way to the server's loop; the last one home frees */
};

struct inproc_event {
	struct loop_task task;
	struct inproc_op *op;
	const char *type;
	struct rcbuf *object;
};

/* ---- client's loop ---- */

static void maybe_closed(struct inproc_client *ic)
{
	if (!ic->closing || ic->close_posted || !list_empty(&ic->operations))
		return;
	void (*closed)(void *) = ic->closed;
	void *arg = ic->closed_arg;
	user_unref(ic->user);
	free(ic);
	if (closed)
		closed(arg);
}

static void op_unhold(struct inproc_op *op)
{
	if (atomic_fetch_sub(&op->holds, 1) == 1) {
		strbuf_release(&op->streamed);
		free(op);
	}
}

static void complete_request(struct inproc_op *op)
{
	struct client_request *req = op->request;
	op->request = NULL;
	if (!req) {
		rcbuf_unref(op->response);
		return;
	}
	if (op->canceled) {
		rcbuf_unref(op->response);
		err_set(&req->err, ERR_CANCELED, "%s %s: canceled", req->method, req->path);
	} else {
		req->http_status = op->status;
		req->response = op->response;
		client_status_to_err(op->status, (struct slice){op->response->data, op->response->len}, &req->err);
	}
	req->done(req);
}

static void complete_watch(struct inproc_op *op)
{
	struct client_watch *w = op->watch;
	struct err err = ERR_INIT;
	op->watch = NULL;
	if (op->canceled)
		err_set(&err, ERR_CANCELED, "%s: canceled", w->path);
	else if (op->response)
		client_status_to_err(op->status, (struct slice){op->response->data, op->response->len}, &err);
	rcbuf_unref(op->response);
	w->on_end(w, &err);
}

/* The server's last word on this operation has arrived. */
static void on_answer(struct loop_task *t)
{
	struct inproc_op *op = CONTAINER_OF(t, struct inproc_op, to_client);
	struct inproc_client *ic = op->client;
	LOOP_CHECK_OWNER(ic->base.loop);
	list_del(&op->link);
	if (op->watch)
		complete_watch(op);
	else
		complete_request(op);
	op_unhold(op);
	maybe_closed(ic);
}

static void resume_on_server(struct loop_task *t)
{
	struct inproc_op *op = CONTAINER_OF(t, struct inproc_op, resume_task);
	atomic_store(&op->resume_sent, false);
	if (op->call && op->want_resume) {
		op->want_resume = false;
		if (op->call->on_writable)
			op->call->on_writable(op->call);
	}
	op_unhold(op);
}

static void on_event(struct loop_task *t)
{
	struct inproc_event *e = CONTAINER_OF(t, struct inproc_event, task);
	struct inproc_op *op = e->op;
	if (op->watch && !op->canceled)
		op->watch->on_event(op->watch, e->type, (struct slice){e->object->data, e->object->len}, e->object);
	rcbuf_unref(e->object);
	free(e);
	if (atomic_fetch_sub(&op->in_flight, 1) - 1 == EVENTS_RESUME_AT && !atomic_exchange(&op->resume_sent, true)) {
		atomic_fetch_add(&op->holds, 1);
		loop_post(op->client->server->loop, &op->resume_task);
	}
}

/* ---- server's loop ---- */

static void answer(struct call *c, int status, struct rcbuf *body)
{
	struct inproc_op *op = c->transport_data;
	CHECK(op->call == c);
	op->status = status;
	op->response = body;
	op->call = NULL;
	loop_post(op->client->base.loop, &op->to_client);
	call_unref(c);
}

static void inproc_respond(struct call *c, int status, const char *content_type, struct http_buf *bufs, size_t count)
{
	(void)content_type;
	if (count == 1 && bufs[0].ref && bufs[0].ref->len == bufs[0].data.len) {
		answer(c, status, bufs[0].ref);
		return;
	}
	size_t total = 0, at = 0;
	for (size_t i = 0; i < count; i++)
		total += bufs[i].data.len;
	struct rcbuf *body = rcbuf_new(total);
	for (size_t i = 0; i < count; i++) {
		http_buf_make(&bufs[i]);
		memcpy(body->data + at, bufs[i].data.ptr, bufs[i].data.len);
		at += bufs[i].data.len;
		http_buf_drop(&bufs[i]);
	}
	answer(c, status, body);
}

static void inproc_begin(struct call *c, int status, const char *content_type)
{
	struct inproc_op *op = c->transport_data;
	(void)content_type;
	op->status = status;
}

static bool inproc_event(struct call *c, const char *type, struct rcbuf *object)
{
	struct inproc_op *op = c->transport_data;
	struct inproc_event *e = xmalloc(sizeof *e);
	*e = (struct inproc_event){.task.run = on_event, .op = op, .type = type, .object = object};
	int in_flight = atomic_fetch_add(&op->in_flight, 1) + 1;
	op->want_resume = in_flight > EVENTS_IN_FLIGHT_MAX;
	loop_post(op->client->base.loop, &e->task);
	return !op->want_resume;
}

/* Watches use event(); what is streamed to a request comes from another server, and is whole for who asked. */
static bool inproc_write(struct call *c, struct http_buf piece)
{
	struct inproc_op *op = c->transport_data;
	http_buf_make(&piece);
	op->is_too_large |= op->streamed.len + piece.data.len > API_INPROC_STREAM_BYTES_MAX;
	if (!op->is_too_large && !op->is_watch)
		strbuf_add_slice(&op->streamed, piece.data);
	http_buf_drop(&piece);
	return true;
}

static struct rcbuf *refusal(struct inproc_op *op, const char *why)
{
	struct err err = ERR_INIT;
	struct strbuf b = STRBUF_INIT;
	err_set(&err, ERR_UNAVAILABLE, "%s", why);
	op->status = err_http_status(err.code);
	strbuf_addf(&b,
	        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"message\":\"%s\",\"reason\":\"%"
	        "s\","
	        "\"code\":%d}",
	        err.msg, err_reason(err.code), op->status);
	struct rcbuf *body = rcbuf_copy(b.data, b.len);
	strbuf_release(&b);
	return body;
}

static void inproc_end(struct call *c)
{
	struct inproc_op *op = c->transport_data;
	struct rcbuf *body = NULL; /* of a watch */
	if (c->broke_off)
		body = refusal(op, "the answer broke off");
	else if (op->is_too_large)
		body = refusal(op, "the answer is too large");
	else if (!op->is_watch)
		body = rcbuf_copy(op->streamed.data ? op->streamed.data : "", op->streamed.len);
	answer(c, op->status, body);
}

static const struct call_transport inproc_transport = {
        NULL, inproc_respond, inproc_begin, inproc_write, inproc_end, inproc_event};

static void start_on_server(struct loop_task *t)
{
	struct inproc_op *op = CONTAINER_OF(t, struct inproc_op, to_server);
	struct call *c = call_new(op->client->server, &inproc_transport, op);
	struct slice target = slice_of(op->path);
	LOOP_CHECK_OWNER(op->client->server->loop);
	op->call = c;
	c->method = slice_of(op->method);
	c->path = slice_cut(&target, '?');
	c->path = (struct slice){arena_memdup(&c->arena, c->path.ptr, c->path.len), c->path.len};
	c->query =
	        target.len ? (struct slice){arena_memdup(&c->arena, target.ptr, target.len), target.len} : SLICE_NULL;
	c->accept = slice_of(op->accept ? op->accept : "application/json");
	c->content_type = slice_of(op->content_type ? op->content_type : "application/json");
	c->body = (struct slice){arena_memdup(&c->arena, op->body.ptr, op->body.len),
	        op->body.len}; /* a cancelled request may free it */
	c->user = user_ref(op->client->user);
	c->user_agent = c->user->name; /* made a manager's name by who needs one */
	c->led_term = op->client->led_term;
	api_dispatch(c);
}

static void cancel_on_server(struct loop_task *t)
{
	struct inproc_op *op = CONTAINER_OF(t, struct inproc_op, cancel_task);
	struct call *c = op->call;
	if (c) { /* else its answer is on the way */
		op->call = NULL;
		call_set_gone(c);
		loop_post(op->client->base.loop, &op->to_client);
	}
	op_unhold(op);
}

/* ---- the client ---- */

static struct inproc_op *op_new(struct inproc_client *ic)
{
	struct inproc_op *op = xcalloc(1, sizeof *op);
	op->client = ic;
	op->to_server.run = start_on_server;
	op->to_client.run = on_answer;
	op->cancel_task.run = cancel_on_server;
	op->resume_task.run = resume_on_server;
	atomic_init(&op->holds, 1);
	list_push_back(&ic->operations, &op->link);
	return op;
}

static void inproc_send(struct client *c, struct client_request *req)
{
	struct inproc_op *op = op_new((struct inproc_client *)c);
	op->request = req;
	op->method = req->method;
	op->path = req->path;
	op->content_type = req->content_type;
	op->accept = req->accept;
	op->body = req->body;
	req->transport_data = op;
	loop_post(op->client->server->loop, &op->to_server);
}

static void op_cancel(struct inproc_op *op)
{
	if (op->canceled)
		return;
	op->canceled = true;
	atomic_fetch_add(&op->holds, 1);
	loop_post(op->client->server->loop, &op->cancel_task);
}

static void inproc_cancel(struct client *c, struct client_request *req)
{
	(void)c;
	op_cancel(req->transport_data);
}

static void inproc_watch_open(struct client *c, struct client_watch *w)
{
	struct inproc_op *op = op_new((struct inproc_client *)c);
	op->watch = w;
	op->is_watch = true;
	op->method = "GET";
	op->path = w->path;
	w->transport_data = op;
	loop_post(op->client->server->loop, &op->to_server);
}

static void inproc_watch_close(struct client *c, struct client_watch *w)
{
	(void)c;
	op_cancel(w->transport_data);
}

static void close_task_run(struct loop_task *t)
{
	struct inproc_client *ic = CONTAINER_OF(t, struct inproc_client, close_task);
	ic->close_posted = false;
	maybe_closed(ic);
}

static void inproc_close(struct client *c, void (*closed)(void *arg), void *arg)
{
	struct inproc_client *ic = (struct inproc_client *)c;
	ic->closed = closed;
	ic->closed_arg = arg;
	ic->closing = true;
	LIST_FOREACH (it, &ic->operations)
		op_cancel(CONTAINER_OF(it, struct inproc_op, link));
	if (list_empty(&ic->operations)) {
		ic->close_task.run = close_task_run;
		ic->close_posted = true;
		loop_post(c->loop, &ic->close_task);
	}
}

static const struct client_vtable inproc_vtable = {
        inproc_send, inproc_cancel, inproc_watch_open, inproc_watch_close, inproc_close};

struct client *api_server_client(struct api_server *s, struct loop *loop, const char *user, const char *groups)
{
	struct inproc_client *ic = xcalloc(1, sizeof *ic);
	ic->base = (struct client){&inproc_vtable, loop};
	ic->server = s;
	list_init(&ic->operations);
	ic->user = user_new(slice_of(user), SLICE_NULL);
	struct slice rest = slice_of(groups);
	while (rest.ptr)
		user_add_group(ic->user, slice_cut(&rest, ','));
	user_add_group(ic->user, SLICE("system:authenticated"));
	return &ic->base;
}

struct client *api_server_led_client(
        struct api_server *s, struct loop *loop, const char *user, const char *groups, uint64_t led_term)
{
	struct client *c = api_server_client(s, loop, user, groups);
	((struct inproc_client *)c)->led_term = led_term;
	return c;
}
