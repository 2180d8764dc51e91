/* See call_int.h. */
#include "api/server/call_int.h"

#include "api/machinery/codec/transcode.h"
#include "base/check.h"
#include "base/json/scan.h"

#include <stdlib.h>
#include <time.h>

enum { PARAMS_MAX = 64, WARNINGS_MAX = 32 };

static uint64_t now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

struct call *call_new(struct api_server *s, const struct call_transport *t, void *transport_data)
{
	struct call *c = xcalloc(1, sizeof *c);
	c->server = s;
	c->transport = t;
	c->transport_data = transport_data;
	c->refs = 1;
	c->started_ns = now_ns();
	return c;
}

struct call *call_ref(struct call *c)
{
	c->refs++;
	return c;
}

void call_unref(struct call *c)
{
	CHECK(c->refs > 0);
	if (--c->refs)
		return;
	arena_release(&c->arena);
	free(c);
}

void call_set_gone(struct call *c)
{
	c->gone = true;
	if (c->on_gone)
		c->on_gone(c);
	call_unref(c);
}

/* ---- query ---- */

void call_parse_query(struct call *c)
{
	struct slice rest = c->query, name, value;
	c->params = ARENA_ARRAY(&c->arena, struct param, rest.len ? PARAMS_MAX : 1);
	while (c->n_params < PARAMS_MAX && http_query_next(&c->arena, &rest, &name, &value))
		c->params[c->n_params++] = (struct param){name, value};
}

struct slice call_param(const struct call *c, const char *name)
{
	for (size_t i = 0; i < c->n_params; i++)
		if (slice_is(c->params[i].name, name))
			return c->params[i].value;
	return SLICE_NULL;
}

bool call_param_bool(const struct call *c, const char *name)
{
	struct slice v = call_param(c, name);
	return slice_is(v, "true") || slice_is(v, "1") || slice_is(v, "True") || slice_is(v, "t");
}

void call_warn(struct call *c, const char *text)
{
	if (!c->warnings)
		c->warnings = ARENA_ARRAY(&c->arena, const char *, WARNINGS_MAX);
	if (c->n_warnings < WARNINGS_MAX)
		c->warnings[c->n_warnings++] = text;
}

/* ---- negotiation ---- */

/* One media range: sets format and shape, false when we do not have it. */
static bool take_media_range(struct call *c, struct slice range)
{
	struct slice type = slice_trim(slice_cut(&range, ';'));
	struct slice as = SLICE_NULL;
	bool v1 = true;
	while (range.ptr) {
		struct slice value = slice_trim(slice_cut(&range, ';'));
		struct slice name = slice_cut(&value, '=');
		if (slice_is(name, "as"))
			as = value;
		else if (slice_is(name, "v"))
			v1 = slice_is(value, "v1") || slice_is(value, "v1beta1");
	}
	if (slice_is(type, "application/json") || slice_is(type, "*/*") || slice_is(type, "application/*"))
		c->format = FORMAT_JSON;
	else if (slice_is(type, "application/yaml"))
		c->format = FORMAT_YAML;
	else if (slice_is(type, TRANSCODE_CONTENT_TYPE) &&
	         !(c->route.resource && c->route.resource->is_custom && !as.len))
		c->format = FORMAT_PROTOBUF;
	else
		return false;
	if (!as.len)
		c->shape = SHAPE_OBJECT;
	else if (slice_is(as, "Table") && v1)
		c->shape = SHAPE_TABLE;
	else if ((slice_is(as, "PartialObjectMetadata") || slice_is(as, "PartialObjectMetadataList")) && v1)
		c->shape = SHAPE_PARTIAL;
	else
		return false;
	/* Tables have no protobuf form of use to anyone; a creation of a review has no table. */
	return c->shape == SHAPE_OBJECT ||
	       (c->route.resource && c->route.resource->storage_prefix && c->format != FORMAT_PROTOBUF) ||
	       (c->shape == SHAPE_PARTIAL && c->format == FORMAT_PROTOBUF);
}

int call_negotiate(struct call *c, struct err *err)
{
	struct slice rest = c->accept;
	c->table_include = call_param(c, "includeObject");
	if (!slice_trim(rest).len)
		return 0;
	while (rest.ptr)
		if (take_media_range(c, slice_trim(slice_cut(&rest, ','))))
			return 0;
	c->format = FORMAT_JSON;
	c->shape = SHAPE_OBJECT;
	return err_set(err, ERR_NOT_ACCEPTABLE,
	        "only the following media types are accepted: application/json, "
	        "application/yaml, " TRANSCODE_CONTENT_TYPE);
}

/* ---- answers ---- */

static void respond(struct call *c, int status, const char *content_type, struct http_buf *bufs, size_t count)
{
	CHECK(!c->answered);
	c->answered = true;
	if (c->gone) {
		for (size_t i = 0; i < count; i++)
			rcbuf_unref(bufs[i].ref);
		return;
	}
	c->transport->respond(c, status, content_type, bufs, count);
}

static void respond_one(struct call *c, int status, const char *content_type, struct rcbuf *b)
{
	struct http_buf *buf = ARENA_NEW(&c->arena, struct http_buf);
	*buf = (struct http_buf){{b->data, b->len}, b};
	respond(c, status, content_type, buf, 1);
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
	if (shape_encode(c, text, &out, &err) != 0) { /* no protobuf form: JSON is in every client's list too */
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
	json_write(&text, tree);
	respond_encoded(c, status, &text);
}

void call_respond_err(struct call *c, const struct err *err)
{
	c->shape = SHAPE_OBJECT;
	call_respond_tree(c, err_http_status(err->code), status_from_err(&c->arena, err, &c->route));
}

void call_stream_begin(struct call *c, int status, const char *content_type)
{
	CHECK(!c->answered);
	c->answered = true;
	if (!c->gone)
		c->transport->begin(c, status, content_type);
}

bool call_stream_write(struct call *c, struct http_buf piece)
{
	if (!c->gone)
		return c->transport->write(c, piece);
	rcbuf_unref(piece.ref);
	return false;
}

bool call_stream_copy(struct call *c, struct slice bytes)
{
	struct rcbuf *b = rcbuf_copy(bytes.ptr, bytes.len);
	return call_stream_write(c, (struct http_buf){{b->data, b->len}, b});
}

void call_stream_end(struct call *c)
{
	if (!c->gone)
		c->transport->end(c);
}
