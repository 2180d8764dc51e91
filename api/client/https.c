/* The HTTPS transport of api/client: requests over HTTP/2 (HTTP/1.1 where the server has only that), watches as
 * streamed answers cut into frames at newlines. See client.h.
 *
 * An operation lives from send() or watch_open() until its done() or on_end(); a cancelled one is completed from the
 * loop, never inside the call that cancels it. */
#include "api/client/client.h"

#include "api/client/status.h"
#include "base/check.h"
#include "base/json/scan.h"
#include "base/log.h"
#include "base/mem/list.h"
#include "base/wire/http_client.h"
#include "base/wire/tls.h"
#include "base/wire/url.h"

#include <stdio.h>
#include <stdlib.h>

enum { TOKEN_BYTES_MAX = 16 * 1024 };
enum { REQUEST_MS_MAX = 60000, ANSWER_BYTES_MAX = 512 * 1024 * 1024, FRAME_BYTES_MAX = 8 * 1024 * 1024 };

struct https_client {
	struct client base;
	struct http_client *http;
	struct arena arena;
	const char *bearer; /* "Bearer ...", NULL when there is none */
	const char *token_file;
	struct strbuf bearer_of_file;
	const char *user_agent;
	struct list_link operations;
	struct loop_task close_task;
	bool closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

struct operation {
	struct https_client *client;
	struct list_link link;
	struct http_call *call; /* NULL once it has ended */
	struct client_request *request;
	struct client_watch *watch;
	struct strbuf partial; /* of a frame, or of an error's body */
	int status;
	struct err err; /* why the watch was given up */
	struct loop_task task;
};

static void maybe_closed(struct https_client *c);

static void operation_free(struct operation *op)
{
	struct https_client *c = op->client;
	list_del(&op->link);
	strbuf_release(&op->partial);
	free(op);
	maybe_closed(c);
}

/* ---- requests ---- */

static void request_done(struct http_call *call, const struct http_answer *answer, const struct err *err, void *arg)
{
	struct operation *op = arg;
	struct client_request *req = op->request;
	op->call = NULL;
	if (err) {
		req->err = *err;
		err_wrap(&req->err, "%s %s", req->method, req->path);
	} else {
		req->http_status = answer->status;
		req->response = rcbuf_copy(answer->body.ptr, answer->body.len);
		client_status_to_err(answer->status, answer->body, &req->err);
	}
	operation_free(op);
	req->done(req);
}

/* A projected token is a small file in memory: reading it for every request holds up nothing, and none is ever too old.
 */
static void read_token_file(struct https_client *c)
{
	char text[TOKEN_BYTES_MAX];
	FILE *f = fopen(c->token_file, "re");
	size_t n = f ? fread(text, 1, sizeof text, f) : 0;
	struct slice token = slice_trim((struct slice){text, n});
	if (f)
		fclose(f);
	if (!token.len || n == sizeof text || memchr(token.ptr, '\n', token.len)) {
		log_warn("client", "the token's file can't be read", "path=%s", c->token_file);
		return;
	}
	strbuf_reset(&c->bearer_of_file);
	strbuf_addf(&c->bearer_of_file, "Bearer %.*s", SLICE_FMT(token));
	c->bearer = strbuf_cstr(&c->bearer_of_file);
}

static size_t fill_headers(struct https_client *c, struct http_header *h, const char *accept, const char *content_type)
{
	size_t n = 0;
	if (c->token_file)
		read_token_file(c);
	h[n++] = (struct http_header){SLICE("accept"), slice_of(accept ? accept : CLIENT_ACCEPT)};
	h[n++] = (struct http_header){SLICE("user-agent"), slice_of(c->user_agent)};
	if (content_type)
		h[n++] = (struct http_header){SLICE("content-type"), slice_of(content_type)};
	if (c->bearer)
		h[n++] = (struct http_header){SLICE("authorization"), slice_of(c->bearer)};
	return n;
}

static struct operation *operation_new(struct https_client *c)
{
	struct operation *op = xcalloc(1, sizeof *op);
	op->client = c;
	list_push_back(&c->operations, &op->link);
	return op;
}

static void https_send(struct client *base, struct client_request *req)
{
	struct https_client *c = (struct https_client *)base;
	struct operation *op = operation_new(c);
	struct http_header headers[4];
	bool has_body = req->body.len > 0;
	op->request = req;
	req->transport_data = op;
	struct http_call_options o = {.method = req->method,
	        .target = req->path,
	        .headers = headers,
	        .body = req->body,
	        .timeout_ms = REQUEST_MS_MAX,
	        .body_bytes_max = ANSWER_BYTES_MAX,
	        .on_done = request_done,
	        .arg = op};
	o.headers_count = fill_headers(
	        c, headers, req->accept, has_body ? req->content_type ? req->content_type : "application/json" : NULL);
	op->call = http_client_call(c->http, &o);
}

/* ---- giving up ---- */

static void complete_canceled(struct loop_task *t)
{
	struct operation *op = CONTAINER_OF(t, struct operation, task);
	struct client_request *req = op->request;
	struct client_watch *w = op->watch;
	struct err err = op->err;
	operation_free(op);
	if (req) {
		req->err = err;
		req->done(req);
	} else {
		w->on_end(w, &err);
	}
}

static void give_up(struct operation *op, int code, const char *why)
{
	if (!op->call)
		return; /* on its way already */
	http_call_cancel(op->call);
	op->call = NULL;
	err_set(&op->err, code, "%s: %s", op->request ? op->request->path : op->watch->path, why);
	op->task.run = complete_canceled;
	loop_post(op->client->base.loop, &op->task);
}

static void https_cancel(struct client *base, struct client_request *req)
{
	give_up(req->transport_data, ERR_CANCELED, "canceled");
}

static void https_watch_close(struct client *base, struct client_watch *w)
{
	give_up(w->transport_data, ERR_CANCELED, "canceled");
}

/* ---- watches ---- */

static void watch_head(struct http_call *call, const struct http_answer *answer, void *arg)
{
	struct operation *op = arg;
	op->status = answer->status;
}

/* {"type":"ADDED","object":{...}} */
static bool deliver(struct operation *op, struct slice frame)
{
	char type[16];
	struct slice t = json_find(frame, "type", NULL), object = json_find(frame, "object", NULL);
	if (!t.len || t.len >= sizeof type || !object.len)
		return false;
	memcpy(type, t.ptr, t.len);
	type[t.len] = 0;
	op->watch->on_event(op->watch, type, object, NULL);
	return true;
}

static bool take_frames(struct operation *op)
{
	size_t at = 0;
	while (op->call) {
		const char *end = memchr(op->partial.data + at, '\n', op->partial.len - at);
		if (!end)
			break;
		struct slice frame =
		        slice_trim((struct slice){op->partial.data + at, (size_t)(end - op->partial.data) - at});
		at = (size_t)(end - op->partial.data) + 1;
		if (frame.len && !deliver(op, frame))
			return false;
	}
	memmove(op->partial.data, op->partial.data + at, op->partial.len - at);
	op->partial.len -= at;
	return true;
}

static void watch_data(struct http_call *call, struct slice data, void *arg)
{
	struct operation *op = arg;
	if (op->partial.len + data.len > FRAME_BYTES_MAX) {
		give_up(op, ERR_TOO_BIG, "one event is larger than 8 MiB");
		return;
	}
	strbuf_add(&op->partial, data.ptr, data.len);
	if (op->status == 200 && !take_frames(op))
		give_up(op, ERR_PROTOCOL, "the server sent something that is no watch event");
}

static void watch_done(struct http_call *call, const struct http_answer *answer, const struct err *err, void *arg)
{
	struct operation *op = arg;
	struct client_watch *w = op->watch;
	struct err end = ERR_INIT;
	op->call = NULL;
	if (err) {
		end = *err;
		err_wrap(&end, "%s", w->path);
	} else {
		client_status_to_err(answer->status, strbuf_slice(&op->partial), &end);
	}
	operation_free(op);
	w->on_end(w, &end);
}

static void https_watch_open(struct client *base, struct client_watch *w)
{
	struct https_client *c = (struct https_client *)base;
	struct operation *op = operation_new(c);
	struct http_header headers[4];
	op->watch = w;
	w->transport_data = op;
	struct http_call_options o = {.method = "GET",
	        .target = w->path,
	        .headers = headers,
	        .on_head = watch_head,
	        .on_data = watch_data,
	        .on_done = watch_done,
	        .arg = op};
	o.headers_count = fill_headers(c, headers, NULL, NULL);
	op->call = http_client_call(c->http, &o);
}

/* ---- life ---- */

static void http_closed(void *arg)
{
	struct https_client *c = arg;
	void (*closed)(void *) = c->closed;
	void *closed_arg = c->closed_arg;
	strbuf_release(&c->bearer_of_file);
	arena_release(&c->arena);
	free(c);
	if (closed)
		closed(closed_arg);
}

static void maybe_closed(struct https_client *c)
{
	if (!c->closing || !list_empty(&c->operations) || !c->http)
		return;
	http_client_close(TAKE(c->http), http_closed, c);
}

static void close_now(struct loop_task *t)
{
	maybe_closed(CONTAINER_OF(t, struct https_client, close_task));
}

static void https_close(struct client *base, void (*closed)(void *arg), void *arg)
{
	struct https_client *c = (struct https_client *)base;
	c->closed = closed;
	c->closed_arg = arg;
	LIST_FOREACH (it, &c->operations)
		give_up(CONTAINER_OF(it, struct operation, link), ERR_CANCELED, "the client is closed");
	c->closing = true;
	c->close_task.run = close_now;
	loop_post(base->loop, &c->close_task);
}

static const struct client_vtable https_vtable = {
        https_send, https_cancel, https_watch_open, https_watch_close, https_close};

/* "https://host:port" or "https://[v6]:port"; the port defaults to 443. */
static int server_url(struct arena *a, const char *text, const char **host, int *port, struct err *err)
{
	struct url u;
	if (url_parse(a, text, 443, &u, err) != 0)
		return err_wrap(err, "server");
	if (!u.is_tls)
		return err_set(err, ERR_INVAL, "server URL \"%s\" must begin with https://", text);
	*host = u.host;
	*port = u.port;
	return 0;
}

int client_https_new(
        struct loop *loop, const struct client_https_options *options, struct client **ret, struct err *err)
{
	struct https_client *c = xcalloc(1, sizeof *c);
	struct tls_options tls_options = {
	        .ca_file = options->ca_file, .certificate_file = options->cert_file, .key_file = options->key_file};
	struct http_client_options http = {.loop = loop};
	c->base = (struct client){&https_vtable, loop};
	list_init(&c->operations);
	if (options->tls)
		http.tls = tls_context_ref(options->tls);
	if (server_url(&c->arena, options->server_url, &http.host, &http.port, err) != 0 ||
	        (!http.tls && tls_context_new(&tls_options, &http.tls, err) != 0)) {
		tls_context_unref(http.tls);
		arena_release(&c->arena);
		free(c);
		return err->code;
	}
	c->bearer = options->token ? arena_printf(&c->arena, "Bearer %s", options->token) : NULL;
	c->token_file = options->token_file ? arena_strdup(&c->arena, options->token_file) : NULL;
	c->user_agent = arena_strdup(&c->arena, options->user_agent ? options->user_agent : "k3x/" K3X_VERSION);
	c->http = http_client_new(&http);
	tls_context_unref(http.tls);
	*ret = &c->base;
	return 0;
}
