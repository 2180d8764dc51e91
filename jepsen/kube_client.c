/* See kube_client.h. */
#include "jepsen/kube_client.h"

#include "base/check.h"
#include "base/rt/loop.h"
#include "base/wire/http_client.h"

#include <stdlib.h>

enum { BODY_BYTES_MAX = 16 << 20 };

struct kube_client {
	struct loop loop;
	struct http_client *http;
	uv_timer_t timer;
	bool timer_fired;
	unsigned timeout_ms;
	json_t *body; /* of the last answer */
};

struct pending {
	struct kube_client *client;
	struct kube_answer answer;
	bool is_read, is_done;
};

struct kube_watch {
	struct kube_client *client;
	struct http_call *call; /* NULL once done */
	struct strbuf bytes;    /* what came and was not taken */
	size_t taken;
	int status;
	struct err err;
};

/* The loop stood still since the last call: its time is of then. */
static void wake(struct kube_client *c)
{
	loop_own(&c->loop);
	uv_update_time(loop_uv(&c->loop));
}

struct kube_client *kube_client_new(struct tls_context *tls, const char *host, int port, unsigned timeout_ms)
{
	struct kube_client *c = xcalloc(1, sizeof *c);
	c->timeout_ms = timeout_ms;
	loop_init(&c->loop, "kube-client");
	loop_own(&c->loop);
	uv_timer_init(loop_uv(&c->loop), &c->timer);
	struct http_client_options o = {
	        .loop = &c->loop, .host = host, .port = port, .tls = tls, .connect_ms = timeout_ms};
	c->http = http_client_new(&o);
	return c;
}

static void closed(void *arg)
{
	struct kube_client *c = arg;
	uv_close((uv_handle_t *)&c->timer, NULL);
	loop_stop(&c->loop);
}

void kube_client_free(struct kube_client *c)
{
	if (!c)
		return;
	loop_own(&c->loop);
	http_client_close(c->http, closed, c);
	loop_run(&c->loop);
	loop_release(&c->loop);
	json_decref(c->body);
	free(c);
}

/* ---- calls ---- */

enum client_outcome kube_outcome_of(int status, const char *message)
{
	if (status >= 200 && status < 300)
		return CLIENT_OK;
	/* A request may have waited for its turn in vain, but not have begun. */
	if (status >= 400 && status < 500 && status != 408)
		return CLIENT_FAIL;
	/* Nobody was there to hear it. */
	if (status == 0 && strstr(message, "connect to "))
		return CLIENT_FAIL;
	return CLIENT_INFO;
}

static void explain(struct kube_answer *a)
{
	struct slice why = json_lib_get_str(a->body, "message");
	if (why.ptr)
		err_set(&a->base.err, ERR_UNAVAILABLE, "%d: %.*s", a->status, (int)(why.len < 300 ? why.len : 300),
		        why.ptr);
	else
		err_set(&a->base.err, ERR_UNAVAILABLE, "answered with %d", a->status);
}

static void on_done(struct http_call *call, const struct http_answer *got, const struct err *err, void *arg)
{
	struct pending *p = arg;
	struct kube_answer *a = &p->answer;
	struct err ignored = ERR_INIT;
	p->is_done = true;
	if (err) { /* a head without all of its body tells nothing */
		a->base.err = *err;
		a->base.outcome = kube_outcome_of(0, err->msg);
		return;
	}
	a->status = got->status;
	a->body = p->client->body = json_lib_parse(got->body, &ignored);
	a->is_old = http_answer_header(got, "warning").ptr && p->is_read;
	a->base.outcome = kube_outcome_of(a->status, "");
	if (a->base.outcome != CLIENT_OK)
		explain(a);
}

struct kube_answer kube_client_call(struct kube_client *c, const char *method, const char *target, const json_t *body)
{
	static const struct http_header headers[] = {{SLICE("accept"), SLICE("application/json")},
	        {SLICE("user-agent"), SLICE("jepsen")}, {SLICE("content-type"), SLICE("application/json")}};
	CLEANUP(cleanup_strbuf) struct strbuf text = STRBUF_INIT;
	struct pending p = {.client = c, .is_read = strcmp(method, "GET") == 0};
	if (body)
		json_lib_write(&text, body);
	json_decref(c->body);
	c->body = NULL;
	wake(c);
	struct http_call_options o = {.method = method,
	        .target = target,
	        .headers = headers,
	        .headers_count = body ? 3 : 2,
	        .body = strbuf_slice(&text),
	        .timeout_ms = c->timeout_ms,
	        .body_bytes_max = BODY_BYTES_MAX,
	        .on_done = on_done,
	        .arg = &p};
	http_client_call(c->http, &o);
	while (!p.is_done)
		loop_turn(&c->loop);
	if (p.answer.is_old)
		err_set(&p.answer.base.err, ERR_UNAVAILABLE, "may be old, says the server");
	if (p.is_read && (p.answer.is_old || p.answer.base.outcome != CLIENT_OK))
		p.answer.base.outcome = CLIENT_FAIL;
	return p.answer;
}

/* ---- watches ---- */

static void on_watch_head(struct http_call *call, const struct http_answer *answer, void *arg)
{
	struct kube_watch *w = arg;
	w->status = answer->status;
}

static void on_watch_data(struct http_call *call, struct slice data, void *arg)
{
	struct kube_watch *w = arg;
	strbuf_add(&w->bytes, data.ptr, data.len);
}

static void on_watch_done(struct http_call *call, const struct http_answer *answer, const struct err *err, void *arg)
{
	struct kube_watch *w = arg;
	w->call = NULL;
	if (err)
		w->err = *err;
	else
		err_set(&w->err, ERR_UNAVAILABLE, "ended with status %d", answer->status);
}

struct kube_watch *kube_watch_open(struct kube_client *c, const char *target)
{
	static const struct http_header headers[] = {{SLICE("accept"), SLICE("application/json")}};
	struct kube_watch *w = xcalloc(1, sizeof *w);
	w->client = c;
	wake(c);
	struct http_call_options o = {.method = "GET",
	        .target = target,
	        .headers = headers,
	        .headers_count = COUNT_OF(headers),
	        .timeout_ms = c->timeout_ms,
	        .on_head = on_watch_head,
	        .on_data = on_watch_data,
	        .on_done = on_watch_done,
	        .arg = w};
	w->call = http_client_call(c->http, &o);
	return w;
}

static void on_timer(uv_timer_t *t)
{
	struct kube_client *c = CONTAINER_OF(t, struct kube_client, timer);
	c->timer_fired = true;
}

/* A line that is whole; SLICE_NULL when there is none yet. */
static struct slice take_line(struct kube_watch *w)
{
	struct slice all = strbuf_slice(&w->bytes), rest = {all.ptr + w->taken, all.len - w->taken};
	const char *end = rest.len ? memchr(rest.ptr, '\n', rest.len) : NULL;
	if (end) {
		rest.len = (size_t)(end - rest.ptr);
		w->taken += rest.len + 1;
		return rest;
	}
	if (w->taken) {
		struct strbuf left = STRBUF_INIT;
		strbuf_add(&left, rest.ptr, rest.len);
		strbuf_release(&w->bytes);
		w->bytes = left;
		w->taken = 0;
	}
	return SLICE_NULL;
}

json_t *kube_watch_next(struct kube_watch *w, unsigned timeout_ms, bool *ended)
{
	struct kube_client *c = w->client;
	struct slice line = take_line(w);
	wake(c);
	c->timer_fired = false;
	uv_timer_start(&c->timer, on_timer, timeout_ms, 0);
	while (!line.ptr && w->call && !c->timer_fired) {
		loop_turn(&c->loop);
		line = take_line(w);
	}
	uv_timer_stop(&c->timer);
	*ended = !line.ptr && !w->call;
	json_t *event = line.ptr ? json_lib_parse(line, &w->err) : NULL;
	if (line.ptr && !event)
		*ended = true; /* an event that does not read: the error says why */
	return event;
}

int kube_watch_status(const struct kube_watch *w)
{
	return w->status;
}

const struct err *kube_watch_error(const struct kube_watch *w)
{
	return &w->err;
}

void kube_watch_close(struct kube_watch *w)
{
	if (!w)
		return;
	loop_own(&w->client->loop);
	if (w->call)
		http_call_cancel(w->call);
	strbuf_release(&w->bytes);
	free(w);
}

/* ---- objects ---- */

struct slice kube_meta(const json_t *object, const char *name)
{
	return json_lib_get_str(json_object_get(object, "metadata"), name);
}

int64_t kube_revision(const json_t *object)
{
	int64_t v;
	struct slice text = kube_meta(object, "resourceVersion");
	return text.ptr && slice_to_i64(text, &v) ? v : -1;
}
