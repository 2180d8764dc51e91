/* See call.h. */
#include "api/server/call.h"

#include "api/machinery/codec/transcode.h"
#include "api/server/state.h"
#include "base/check.h"
#include "base/clock.h"

#include <stdlib.h>

enum { PARAMS_MAX = 64, WARNINGS_MAX = 32 };

struct call *call_new(struct api_server *s, const struct call_transport *t, void *transport_data)
{
	struct call *c = xcalloc(1, sizeof *c);
	c->server = s;
	c->loop = s->loop;
	c->transport = t;
	c->transport_data = transport_data;
	c->refs = 1;
	c->started_ns = clock_mono_ns();
	return c;
}

struct call *call_ref(struct call *c)
{
	CHECK(c->refs > 0);
	c->refs++;
	return c;
}

void call_unref(struct call *c)
{
	CHECK(c->refs > 0);
	if (c->refs == 1 && c->on_over)
		c->on_over(c);
	if (--c->refs)
		return;
	user_unref(c->user);
	resource_unref(c->route.resource);
	arena_release(&c->arena);
	free(c);
}

void call_submit(struct call *c, struct store_request *req)
{
	struct api_server *s = c->server;
	LOOP_CHECK_OWNER(c->loop);
	s->asked++;
	req->next = NULL;
	*s->to_store.end = req;
	s->to_store.end = &req->next;
	loop_defer(s->loop, &s->to_store.defer);
}

void call_submit_all(struct loop_defer *d)
{
	struct api_server *s = CONTAINER_OF(d, struct api_server, to_store.defer);
	struct store_request *next, *req = s->to_store.first;
	s->to_store.first = NULL;
	s->to_store.end = &s->to_store.first;
	for (; req; req = next) {
		next = req->next;
		store_submit(s->store, req);
	}
}

void call_was_answered(struct call *c)
{
	struct api_server *s = c->server;
	LOOP_CHECK_OWNER(c->loop);
	CHECK(s->asked > 0);
	if (--s->asked == 0 && s->awaits_answers)
		loop_post(s->loop, &s->answered);
}

void call_set_gone(struct call *c)
{
	LOOP_CHECK_OWNER(c->loop);
	CHECK(!c->gone);
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
	CHECK(!c->answered && text);
	if (!c->warnings)
		c->warnings = ARENA_ARRAY(&c->arena, const char *, WARNINGS_MAX);
	if (c->n_warnings < WARNINGS_MAX)
		c->warnings[c->n_warnings++] = text;
}

void call_drop_warnings(struct call *c)
{
	c->n_warnings = c->n_kept_warnings;
}

/* ---- negotiation ---- */

/* One media range: sets format and shape, false when we do not have it. */
static bool take_media_range(struct call *c, struct slice range)
{
	struct slice type = slice_trim(slice_cut(&range, ';'));
	struct slice as = SLICE_NULL;
	bool v1 = true, omits = false;
	while (range.ptr) {
		struct slice value = slice_trim(slice_cut(&range, ';'));
		struct slice name = slice_cut(&value, '=');
		if (slice_is(name, "as"))
			as = value;
		else if (slice_is(name, "managedFields")) /* ours: nodes have no use for them */
			omits = slice_is(value, "omit");
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
	c->wants_managed = c->wants_managed && !omits;
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
