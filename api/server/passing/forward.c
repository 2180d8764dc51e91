/* See forward.h. */
#include "api/server/passing/forward.h"

#include "api/server/answer.h"
#include "api/server/passing/headers.h"
#include "api/server/passing/sessions.h"
#include "base/check.h"
#include "base/wire/conn.h"

enum { REFUSAL_BYTES_MAX = 300, STATUS_ERRORS = 400 };

/* The client may be gone by now, and the call with it. */
static void release(struct forward *f)
{
	struct call *c = f->call;
	c->on_gone = NULL;
	c->on_writable = NULL;
	strbuf_release(&f->refusal);
	links_free(f->links);
	f->links = NULL;
	f->upstream = NULL;
	http_client_close(f->client, NULL, NULL);
	call_unref(c);
}

static void gone(struct call *c)
{
	struct forward *f = c->handler_data;
	http_call_cancel(f->upstream);
	release(f);
}

static void fail(struct forward *f, const struct err *why)
{
	struct err err = ERR_INIT;
	if (f->tell)
		f->tell(f, why, &err);
	else
		err_set(&err, ERR_UNAVAILABLE, "error trying to reach service: %s", why->msg);
	call_respond_err(f->call, &err);
}

/* ---- what is refused there, in this API's form ---- */

static int code_of(int status)
{
	switch (status) {
	case 400:
		return ERR_INVAL;
	case 403:
		return ERR_FORBIDDEN;
	case 404:
		return ERR_NOT_FOUND;
	case 501:
		return ERR_UNIMPLEMENTED;
	}
	return ERR_INTERNAL;
}

static void refuse(struct forward *f, int status, struct slice text)
{
	struct err err = ERR_INIT;
	const char *before = f->upgrade ? "unable to upgrade connection: " : "";
	text = slice_trim(text);
	if (text.len > REFUSAL_BYTES_MAX)
		text.len = REFUSAL_BYTES_MAX;
	if (text.len)
		err_set(&err, code_of(status), "%s%.*s", before, SLICE_FMT(text));
	else
		err_set(&err, code_of(status), "%sthe other side answered %d", before, status);
	call_respond_err(f->call, &err);
}

/* ---- the answer ---- */

static struct slice keep(struct arena *a, struct slice s)
{
	return (struct slice){arena_memdup(a, s.ptr, s.len), s.len};
}

static void pass_header(struct forward *f, const struct http_header *h)
{
	struct http_exchange *x = f->call->exchange;
	struct slice value = h->value;
	if (f->place && slice_is(h->name, "location"))
		value = slice_of(links_here(http_arena(x), f->place, value));
	http_set_header(x, keep(http_arena(x), h->name).ptr, value);
}

static void begin(struct forward *f, const struct http_answer *answer)
{
	struct call *c = f->call;
	struct slice type = http_answer_header(answer, "content-type");
	for (size_t i = 0; c->exchange && i < answer->headers_count; i++)
		if (headers_passes_back(answer->headers[i].name))
			pass_header(f, &answer->headers[i]);
	if (f->place && links_are_in(type, http_answer_header(answer, "content-encoding")))
		f->links = links_new(f->place);
	f->is_begun = true;
	call_stream_begin(c, answer->status,
	        type.len ? arena_printf(&c->arena, "%.*s", SLICE_FMT(type)) : "application/octet-stream");
}

static bool pass(struct forward *f, struct slice bytes, bool is_end)
{
	struct strbuf out = STRBUF_INIT;
	if (!f->links)
		return !bytes.len || call_stream_copy(f->call, bytes);
	links_rewrite(f->links, bytes, is_end, &out);
	bool has_room = !out.len || call_stream_copy(f->call, strbuf_slice(&out));
	strbuf_release(&out);
	return has_room;
}

static void head(struct http_call *call, const struct http_answer *answer, void *arg)
{
	struct forward *f = arg;
	if (!f->translates || answer->status < STATUS_ERRORS)
		begin(f, answer);
}

static void data(struct http_call *call, struct slice bytes, void *arg)
{
	struct forward *f = arg;
	if (f->is_begun && !pass(f, bytes, false))
		http_call_pause(call);
	if (!f->is_begun && f->refusal.len < REFUSAL_BYTES_MAX)
		strbuf_add_slice(&f->refusal, bytes);
}

static void writable(struct call *c)
{
	struct forward *f = c->handler_data;
	if (f->upstream)
		http_call_resume(f->upstream);
}

static void end_stream(struct forward *f, const struct err *err)
{
	struct call *c = f->call;
	if (err && c->exchange) { /* it broke off: the client must not take it for the whole */
		c->on_gone = NULL;
		http_abort(TAKE(c->exchange));
		call_set_gone(c);
		return;
	}
	c->broke_off = err != NULL;
	pass(f, SLICE_NULL, true);
	call_stream_end(c);
}

static void done(struct http_call *call, const struct http_answer *answer, const struct err *err, void *arg)
{
	struct forward *f = arg;
	f->upstream = NULL;
	if (f->is_begun)
		end_stream(f, err);
	else if (err)
		fail(f, err);
	else
		refuse(f, answer->status, strbuf_slice(&f->refusal));
	release(f);
}

/* ---- upgrades ---- */

static void refused(struct http_call *call, const struct http_answer *answer, const struct err *err, void *arg)
{
	struct forward *f = arg;
	f->upstream = NULL;
	if (err) {
		fail(f, err);
	} else if (f->translates) {
		refuse(f, answer->status, answer->body);
	} else {
		begin(f, answer);
		pass(f, answer->body, true);
		call_stream_end(f->call);
	}
	release(f);
}

static void upgraded(struct http_call *call, const struct http_answer *answer, struct conn *far, void *arg)
{
	struct forward *f = arg;
	struct call *c = f->call;
	struct conn *near = NULL;
	struct err err = ERR_INIT;
	f->upstream = NULL;
	for (size_t i = 0; i < answer->headers_count; i++)
		if (headers_passes_back(answer->headers[i].name))
			pass_header(f, &answer->headers[i]);
	c->on_gone = NULL;
	if (http_upgrade(c->exchange, f->upgrade, &near, &err) != 0) {
		conn_drop(far);
		call_respond_err(c, &err);
		release(f);
		return;
	}
	session_begin(c, TAKE(f->client), near, far);
	call_upgraded(c);
	call_unref(c); /* ours */
}

/* ---- the request ---- */

static void body_piece(struct http_exchange *x, struct slice bytes, bool is_end, void *arg)
{
	struct forward *f = arg;
	if (!f->upstream)
		return;
	if (bytes.len && !http_call_write(f->upstream, bytes))
		http_body_pause(x);
	if (is_end)
		http_call_write_end(f->upstream);
}

static void upstream_writable(struct http_call *call, void *arg)
{
	struct forward *f = arg;
	if (f->call->exchange)
		http_body_resume(f->call->exchange);
}

static bool streams_body(const struct forward *f)
{
	struct http_exchange *x = f->call->exchange;
	return x && !f->has_no_body && !f->upgrade && http_request(x)->content_length != 0;
}

void forward_start(struct forward *f, struct call *c)
{
	LOOP_CHECK_OWNER(c->loop);
	CHECK(f->client && f->target && !c->answered && (!f->upgrade || c->exchange));
	f->call = call_ref(c);
	bool streams = streams_body(f);
	struct http_call_options o = {
	        .method = f->method ? f->method : arena_printf(&c->arena, "%.*s", SLICE_FMT(c->method)),
	        .target = f->target,
	        .headers = f->headers,
	        .headers_count = f->headers_count,
	        .body = f->has_no_body || streams ? SLICE_NULL : c->body,
	        .stream_body = streams,
	        .upgrade = f->upgrade,
	        .on_head = f->upgrade ? NULL : head,
	        .on_data = f->upgrade ? NULL : data,
	        .on_done = f->upgrade ? refused : done,
	        .on_writable = upstream_writable,
	        .on_upgraded = upgraded,
	        .arg = f};
	c->handler_data = f;
	c->on_gone = gone;
	c->on_writable = writable;
	f->upstream = http_client_call(f->client, &o);
	if (streams)
		http_body_stream(c->exchange, body_piece, f);
}
