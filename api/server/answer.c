/* See answer.h. */
#include "api/server/answer.h"

#include "api/server/audit/audit.h"
#include "api/server/fairness/fairness.h"
#include "api/server/shape.h"
#include "api/server/state.h"
#include "api/server/status.h"
#include "base/check.h"
#include "base/json/scan.h"
#include "base/limits.h"

struct charge {
	struct api_server *server;
	size_t bytes;
};

static void give_back(void *arg)
{
	struct charge *k = arg;
	CHECK(k->server->built_bytes >= k->bytes);
	k->server->built_bytes -= k->bytes;
}

int call_charge(struct call *c, size_t bytes, struct err *err)
{
	struct api_server *s = c->server;
	LOOP_CHECK_OWNER(s->loop);
	if (s->built_bytes && s->built_bytes + bytes > API_BUILT_ANSWER_BYTES_MAX)
		return err_set(err, ERR_BUSY,
		        "too many large answers are being read at this moment: try again, ask for fewer objects by "
		        "limit, or "
		        "read those you asked for");
	struct charge *k = ARENA_NEW(&c->arena, struct charge);
	*k = (struct charge){s, bytes};
	s->built_bytes += bytes;
	arena_on_release(&c->arena, give_back, k);
	return 0;
}

bool call_shows_managed(const struct call *c)
{
	return c->wants_managed && (c->shape != SHAPE_TABLE || slice_is(c->table_include, "Object"));
}

struct rcbuf *call_object_text(const struct call *c, const struct object *o)
{
	return call_shows_managed(c) ? object_whole(o) : rcbuf_ref(o->json);
}

void call_respond_bufs(struct call *c, int status, const char *content_type, struct http_buf *bufs, size_t count)
{
	CHECK(!c->answered);
	c->answered = true;
	audit_response(c, status, content_type, bufs, count);
	fairness_leave(c);
	if (c->gone) {
		for (size_t i = 0; i < count; i++)
			http_buf_drop(&bufs[i]);
		return;
	}
	c->transport->respond(c, status, content_type, bufs, count);
}

static void respond_one(struct call *c, int status, const char *content_type, struct rcbuf *b)
{
	struct http_buf *buf = ARENA_NEW(&c->arena, struct http_buf);
	*buf = (struct http_buf){.data = {b->data, b->len}, .ref = b};
	call_respond_bufs(c, status, content_type, buf, 1);
}

void call_respond_text(struct call *c, int status, const char *content_type, struct slice body)
{
	respond_one(c, status, content_type, rcbuf_copy(body.ptr, body.len));
}

void call_respond_strbuf(struct call *c, int status, const char *content_type, struct strbuf *body)
{
	call_respond_text(c, status, content_type, strbuf_slice(body));
	strbuf_release(body);
}

/* Sends JSON text of some object in the format that was asked for. */
static void respond_encoded(struct call *c, int status, struct strbuf *text)
{
	struct strbuf out = STRBUF_INIT;
	struct err err = ERR_INIT;
	audit_response_text(c, strbuf_slice(text));
	if (shape_encode(c->format, text, &out, &err) != 0) { /* no protobuf form: JSON is in every client's list too */
		c->format = FORMAT_JSON;
		strbuf_release(&out);
		out = *text;
		strbuf_init(text);
	}
	call_respond_strbuf(c, status, shape_content_type(c->format), &out);
	strbuf_release(text);
}

static void respond_shaped(struct call *c, int status, struct rcbuf *text)
{
	struct slice object = {text->data, text->len};
	struct strbuf out = STRBUF_INIT;
	if (c->shape == SHAPE_TABLE) {
		struct strbuf meta = STRBUF_INIT;
		struct slice version = json_find(object, "metadata", "resourceVersion", NULL);
		strbuf_addf(&meta, "{\"resourceVersion\":\"%.*s\"}", SLICE_FMT(version));
		shape_table_head(&out, c->route.resource, strbuf_slice(&meta), true);
		shape_table_row(&out, c->route.resource, object, c->table_include);
		strbuf_adds(&out, "]}");
		strbuf_release(&meta);
	} else if (c->shape == SHAPE_PARTIAL) {
		shape_partial(&out, object);
	} else {
		strbuf_add_slice(&out, object);
	}
	rcbuf_unref(text);
	respond_encoded(c, status, &out);
}

void call_respond_object(struct call *c, int status, struct rcbuf *text, const struct resource *from)
{
	struct err err = ERR_INIT;
	struct rcbuf *converted = shape_convert(text, from, c->route.resource, &err);
	LOOP_CHECK_OWNER(c->loop);
	rcbuf_unref(text);
	if (!converted) {
		call_respond_err(c, &err);
		return;
	}
	if (c->shape == SHAPE_OBJECT && c->format == FORMAT_JSON)
		respond_one(c, status, "application/json", converted);
	else
		respond_shaped(c, status, converted);
}

void call_respond_tree(struct call *c, int status, const struct json *tree)
{
	struct strbuf text = STRBUF_INIT;
	LOOP_CHECK_OWNER(c->loop);
	json_write(&text, tree);
	audit_response_status(c, tree);
	respond_encoded(c, status, &text);
}

void call_respond_err(struct call *c, const struct err *err)
{
	c->shape = SHAPE_OBJECT;
	if (c->status) {
		int code = (int)json_get_int(c->status, "code", err_http_status(err->code));
		call_respond_tree(c, code, c->status);
		return;
	}
	struct json *status = status_from_err(&c->arena, err, &c->route);
	if (c->words)
		json_set_cstr(&c->arena, status, "message", c->words);
	call_respond_tree(c, err_http_status(err->code), status);
}

void call_respond_invalid(
        struct call *c, const struct resource *r, struct slice name, const struct field_errors *errors)
{
	c->shape = SHAPE_OBJECT;
	call_respond_tree(c, 422, status_invalid(&c->arena, r, name, errors));
}

void call_respond_success(struct call *c, const struct resource *r, struct slice name, struct slice uid)
{
	c->shape = SHAPE_OBJECT;
	call_respond_tree(c, 200, status_success(&c->arena, r, name, uid));
}

void call_stream_begin(struct call *c, int status, const char *content_type)
{
	CHECK(!c->answered);
	c->answered = true;
	audit_started(c, status);
	fairness_leave(c);
	if (!c->gone)
		c->transport->begin(c, status, content_type);
}

bool call_stream_write(struct call *c, struct http_buf piece)
{
	LOOP_CHECK_OWNER(c->loop);
	if (!c->gone)
		return c->transport->write(c, piece);
	http_buf_drop(&piece);
	return false;
}

bool call_stream_copy(struct call *c, struct slice bytes)
{
	struct rcbuf *b = rcbuf_copy(bytes.ptr, bytes.len);
	return call_stream_write(c, (struct http_buf){.data = {b->data, b->len}, .ref = b});
}

void call_stream_end(struct call *c)
{
	LOOP_CHECK_OWNER(c->loop);
	CHECK(c->answered);
	audit_complete(c);
	if (!c->gone)
		c->transport->end(c);
}

void call_upgraded(struct call *c)
{
	LOOP_CHECK_OWNER(c->loop);
	CHECK(!c->answered && c->exchange);
	c->exchange = NULL;
	c->answered = true;
	audit_started(c, 101);
	call_unref(c);
}
