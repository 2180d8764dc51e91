/* WATCH: a stream of events from the watch cache (Kubernetes API concepts, "Efficient detection of changes").
 *
 * Life of a watch:
 *
 *     start -> (initial events) -> live -> ended
 *
 * start      parameters are checked, the cache is awaited at the revision asked for
 * initial    resourceVersion "" or "0", or sendInitialEvents: the present objects go out as ADDED, from references
 * taken at the start; with sendInitialEvents a bookmark marked k8s.io/initial-events-end follows live       events of
 * the resource's ring, filtered; an object that comes to match is ADDED, one that ceases to is DELETED ended      the
 * time is up, the client went away, or it was too slow and fell out of the ring: then an ERROR event with a 410 Status
 * is the last thing it reads
 *
 * Where a webhook knows the versions of a kind (converting/conversion.h) an event waits for the form of its object, and
 * all behind it wait, too. When there is none, an ERROR event with a 500 Status says why, and the stream ends.
 *
 * Output is pulled: pump() writes while the connection takes it and stops otherwise; the ring is the queue, so a
 * thousand watchers cost one copy of the events. A JSON frame is made once for all watchers that are sent the same
 * event; of large objects, and of the initial ones, it is a short head, the object's shared bytes, and a tail. */
#include "api/server/verbs/verbs.h"

#include "api/server/answer.h"
#include "api/server/cache/fresh.h"
#include "api/server/converting/conversion.h"
#include "api/server/state.h"
#include "api/server/status.h"

#include "api/machinery/codec/transcode.h"
#include "base/base64.h"
#include "base/check.h"
#include "base/json/scan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	TIME_LIMIT_MIN_S = 1800, /* upstream's --min-request-timeout: a watch lives this long to twice it */
	BOOKMARK_S = 60,
	SHARED_FRAME_BYTES_MAX = 64 * 1024,
	PUMP_EVENTS_MAX = 256, /* per turn, so that one watcher does not hold up the loop */
};

struct watch {
	struct call *call;
	struct list_link in_server;
	struct cache_watcher watcher;
	struct cache_resource *cr;
	struct object_filter filter;
	struct object **initial; /* references, from `initial_next` on */
	size_t initial_count;
	size_t initial_next;
	int64_t start;    /* revision asked for; 0: present state first */
	int64_t revision; /* everything up to here was written */
	bool bookmarks;
	bool mark_initial_end;
	bool columns_sent; /* Table: the first frame carries the columns */
	bool linked;
	bool is_waiting;     /* for a form of an object: of the next initial one, or of the held one */
	bool is_over;        /* whoever is asked for a form still holds the call */
	struct object *held; /* a reference; NULL: none */
	const char *held_type;
	struct err lost; /* an object has no form in the version that is watched, which may be gone */
	uint64_t end_at_ms;
	uint64_t bookmark_at_ms;
};

/* ---- frames ---- */

static bool write_slice(struct watch *w, struct slice bytes)
{
	return call_stream_copy(w->call, bytes);
}

static bool frame_json_by_reference(struct watch *w, const char *type, const struct object *o)
{
	char head[64];
	int n = snprintf(head, sizeof head, "{\"type\":\"%s\",\"object\":", type);
	struct rcbuf *managed = w->call->wants_managed ? object_managed_text(o) : NULL, *json = rcbuf_ref(o->json);
	size_t at = managed ? o->managed_at : 0;
	write_slice(w, (struct slice){head, (size_t)n});
	if (managed) {
		call_stream_write(w->call, (struct http_buf){.data = {json->data, at}, .ref = rcbuf_ref(json)});
		call_stream_write(w->call, (struct http_buf){.data = {managed->data, managed->len}, .ref = managed});
	}
	call_stream_write(w->call, (struct http_buf){.data = {json->data + at, json->len - at}, .ref = json});
	return call_stream_write(w->call, (struct http_buf){.data = SLICE("}\n"), .ref = NULL});
}

/* `type` is one of our literals: compared by address. */
static bool frame_json_shared(struct watch *w, const char *type, const struct object *o)
{
	struct api_server *s = w->call->server;
	if (s->frame.object != o->json || s->frame.type != type || s->frame.is_managed != w->call->wants_managed) {
		struct strbuf b = STRBUF_INIT;
		struct rcbuf *text = call_object_text(w->call, o);
		strbuf_reserve(&b, text->len + 64);
		strbuf_addf(&b, "{\"type\":\"%s\",\"object\":", type);
		strbuf_add(&b, text->data, text->len);
		strbuf_adds(&b, "}\n");
		rcbuf_unref(text);
		rcbuf_unref(s->frame.object);
		rcbuf_unref(s->frame.text);
		s->frame.object = rcbuf_ref(o->json);
		s->frame.type = type;
		s->frame.is_managed = w->call->wants_managed;
		s->frame.text = rcbuf_copy(b.data, b.len);
		strbuf_release(&b);
	}
	struct rcbuf *frame = rcbuf_ref(s->frame.text);
	return call_stream_write(w->call, (struct http_buf){.data = {frame->data, frame->len}, .ref = frame});
}

static void shape_object(struct watch *w, struct strbuf *out, struct slice text)
{
	struct call *c = w->call;
	if (c->shape == SHAPE_TABLE) {
		struct strbuf meta = STRBUF_INIT;
		struct slice version = json_find(text, "metadata", "resourceVersion", NULL);
		strbuf_addf(&meta, "{\"resourceVersion\":\"%.*s\"}", SLICE_FMT(version));
		shape_table_head(out, c->route.resource, strbuf_slice(&meta), !w->columns_sent);
		shape_table_row(out, c->route.resource, text, c->table_include);
		strbuf_adds(out, "]}");
		strbuf_release(&meta);
		w->columns_sent = true;
	} else if (c->shape == SHAPE_PARTIAL) {
		shape_partial(out, text);
	} else {
		strbuf_add_slice(out, text);
	}
}

/* Encodes an object text that already has its final shape. */
static bool frame_text(struct watch *w, const char *type, struct slice text)
{
	struct strbuf out = STRBUF_INIT;
	if (w->call->transport->event)
		return w->call->transport->event(w->call, type, rcbuf_copy(text.ptr, text.len));
	if (w->call->format != FORMAT_PROTOBUF || transcode_watch_frame(&out, type, text, NULL) != 0) {
		strbuf_addf(&out, "{\"type\":\"%s\",\"object\":", type);
		strbuf_add_slice(&out, text);
		strbuf_adds(&out, "}\n");
	}
	bool more = write_slice(w, strbuf_slice(&out));
	strbuf_release(&out);
	return more;
}

static bool frame_object(struct watch *w, const char *type, const struct object *o)
{
	struct call *c = w->call;
	c->server->counters.events_sent++;
	if (c->shape == SHAPE_OBJECT && c->format != FORMAT_PROTOBUF && !c->transport->event &&
	        w->cr->resource == c->route.resource && !o->is_of_other_version)
		return w->initial || o->json->len > SHARED_FRAME_BYTES_MAX ? frame_json_by_reference(w, type, o)
		                                                           : frame_json_shared(w, type, o);
	struct rcbuf *stored = call_object_text(c, o),
	             *text = shape_convert(stored, w->cr->resource, c->route.resource, NULL);
	rcbuf_unref(stored);
	if (!text)
		return true; /* has no form in this version: left out, as it is left out of lists */
	if (c->transport->event)
		return c->transport->event(c, type, text);
	struct strbuf shaped = STRBUF_INIT;
	shape_object(w, &shaped, (struct slice){text->data, text->len});
	rcbuf_unref(text);
	bool more = frame_text(w, type, strbuf_slice(&shaped));
	strbuf_release(&shaped);
	return more;
}

/* The end of what was there carries a list without items, encoded as the answer to a LIST would be: with it clients
 * make the list that they would have got (upstream's kubernetes.io/initial-events-list-blueprint). */
static void add_initial_end(struct watch *w, struct strbuf *out)
{
	struct call *c = w->call;
	bool is_partial = c->shape == SHAPE_PARTIAL;
	struct slice list = slice_of(
	        arena_printf(&c->arena, "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{},\"items\":[]}\n",
	                is_partial ? "PartialObjectMetadataList" : c->route.resource->list_kind,
	                is_partial ? "meta.k8s.io/v1" : c->route.resource->api_version));
	struct strbuf binary = STRBUF_INIT;
	if (c->format == FORMAT_PROTOBUF && transcode_to_protobuf(&binary, list, NULL) == 0)
		list = strbuf_slice(&binary);
	list = base64_encode(&c->arena, list);
	strbuf_addf(out,
	        ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\","
	        "\"kubernetes.io/initial-events-list-blueprint\":\"%.*s\"}",
	        SLICE_FMT(list));
	strbuf_release(&binary);
}

static void frame_bookmark(struct watch *w, bool initial_end)
{
	const struct resource *r = w->call->route.resource;
	struct strbuf text = STRBUF_INIT;
	if (w->call->shape == SHAPE_TABLE)
		strbuf_addf(&text, "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/"
		                   "v1\",\"columnDefinitions\":null,\"rows\":[],\"metadata\":{");
	else if (w->call->shape == SHAPE_PARTIAL)
		strbuf_addf(
		        &text, "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{");
	else
		strbuf_addf(&text, "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{", r->kind, r->api_version);
	strbuf_addf(&text, "\"resourceVersion\":\"%" PRId64 "\"", w->revision);
	if (initial_end)
		add_initial_end(w, &text);
	strbuf_adds(&text, "}}");
	frame_text(w, "BOOKMARK", strbuf_slice(&text));
	strbuf_release(&text);
}

static void frame_error(struct watch *w, const struct err *err)
{
	struct strbuf text = STRBUF_INIT;
	json_write(&text, status_from_err(&w->call->arena, err, &w->call->route));
	frame_text(w, "ERROR", strbuf_slice(&text));
	strbuf_release(&text);
}

/* ---- the end ---- */

static void release(struct watch *w)
{
	struct call *c = w->call;
	if (w->linked) {
		cache_watch_stop(&w->watcher);
		list_del(&w->in_server);
		c->server->counters.watches_open--;
	}
	for (; w->initial_next < w->initial_count; w->initial_next++)
		object_unref(w->initial[w->initial_next]);
	free(w->initial);
	object_unref(TAKE(w->held));
	w->initial = NULL;
	w->initial_count = w->initial_next = 0;
	w->linked = false;
	w->is_over = true;
	c->on_writable = NULL;
	c->on_gone = NULL;
	call_unref(c);
}

static void gone(struct call *c)
{
	release(c->handler_data);
}

static void end(struct watch *w)
{
	struct call *c = w->call;
	c->on_gone = NULL;
	call_stream_end(c);
	release(w);
}

static void end_too_slow(struct watch *w)
{
	struct err err = ERR_INIT;
	err_set(&err, ERR_COMPACTED, "too old resource version: %" PRId64 " (%" PRId64 ")", w->revision,
	        w->cr->horizon);
	frame_error(w, &err);
	end(w);
}

/* ---- forms that a webhook knows ---- */

static void pump(struct watch *w);

/* w is gone. */
static void end_unconverted(struct watch *w, const struct err *err)
{
	struct strbuf text = STRBUF_INIT;
	json_write(&text, status_new(&w->call->arena, 500, "", err->msg));
	frame_text(w, "ERROR", strbuf_slice(&text));
	strbuf_release(&text);
	end(w);
}

static void form_is_there(void *arg, const struct err *err)
{
	struct watch *w = arg;
	struct call *c = w->call;
	w->is_waiting = false;
	if (!w->is_over && err->code)
		end_unconverted(w, err);
	else if (!w->is_over)
		pump(w);
	call_unref(c);
}

static bool is_known(struct watch *w, const struct object *o)
{
	const struct resource *r = w->cr->resource;
	struct err err = ERR_INIT;
	if (!r->conversion)
		return true;
	rcbuf_unref(shape_convert(o->json, r, w->call->route.resource, &err));
	if (conversion_is_wanted(r))
		return false;
	if (err.code)
		w->lost = err;
	return true;
}

/* For what is wanted. */
static void wait_for_forms(struct watch *w)
{
	w->is_waiting = true;
	w->watcher.told = true; /* no wake until then */
	call_ref(w->call);
	conversion_ask(w->cr->resource, form_is_there, w);
}

/* Of the next initial object, and of those behind it. */
static void want_initial(struct watch *w)
{
	for (size_t i = w->initial_next; i < w->initial_count && !conversion_is_full(w->cr->resource); i++)
		is_known(w, w->initial[i]);
	wait_for_forms(w);
}

/* ---- events ---- */

/* True: go on. */
static bool send_event(struct watch *w, const char *type, struct object *o)
{
	if (is_known(w, o))
		return frame_object(w, type, o);
	w->held = object_ref(o);
	w->held_type = type;
	wait_for_forms(w);
	return false;
}

/* What an event was held for is there, or must be asked for anew. */
static bool send_held(struct watch *w)
{
	struct object *o = TAKE(w->held);
	bool more = send_event(w, w->held_type, o);
	object_unref(o);
	return more;
}

static bool emit(struct watch *w, const struct cache_event *e)
{
	const struct resource *r = w->cr->resource;
	static const char added[] = "ADDED", modified[] = "MODIFIED", deleted[] = "DELETED";
	bool was = e->before && object_matches(e->before, &w->filter, r);
	bool is = !e->is_delete && object_matches(e->object, &w->filter, r);
	bool more = true;
	int64_t revision = e->revision;
	struct object *o = object_ref(e->object);
	if (is)
		more = send_event(w, was ? modified : added, o);
	else if (was)
		more = send_event(w, deleted, o);
	w->revision = revision;
	object_unref(o);
	return more;
}

static bool pump_initial(struct watch *w)
{
	bool more = true;
	while (more && w->initial_next < w->initial_count) {
		struct object *o = w->initial[w->initial_next];
		if (!is_known(w, o)) {
			want_initial(w);
			return false;
		}
		w->initial_next++;
		more = frame_object(w, "ADDED", o);
		object_unref(o);
	}
	if (w->initial_next < w->initial_count)
		return false;
	if (w->mark_initial_end)
		frame_bookmark(w, true);
	w->mark_initial_end = false;
	free(w->initial);
	w->initial = NULL;
	w->initial_count = w->initial_next = 0;
	return more;
}

static void pump(struct watch *w)
{
	bool lost = false;
	if (w->is_waiting || w->is_over || (w->held && !send_held(w)))
		return;
	if (w->initial || w->mark_initial_end) {
		bool more = pump_initial(w);
		if (w->lost.code) {
			end_unconverted(w, &w->lost);
			return;
		}
		if (!more)
			return;
	}
	for (int i = 0; i < PUMP_EVENTS_MAX; i++) {
		const struct cache_event *e = cache_watch_next(w->cr, &w->watcher, &lost);
		if (lost) {
			end_too_slow(w);
			return;
		}
		if (!e) {
			int64_t seen = cache_revision(w->call->server->cache);
			if (seen > w->revision)
				w->revision = seen;
			return;
		}
		bool more = emit(w, e);
		if (w->lost.code) {
			end_unconverted(w, &w->lost);
			return;
		}
		if (!more) {
			w->watcher.told = true; /* no wake until the connection takes more: on_writable goes on */
			return;
		}
	}
	if (w->call->exchange)
		http_want_writable(w->call->exchange);
	else
		pump(w);
}

static void writable(struct call *c)
{
	pump(c->handler_data);
}

static void wake(struct cache_watcher *cw)
{
	struct watch *w = CONTAINER_OF(cw, struct watch, watcher);
	if (!w->initial) /* else on_writable comes by itself */
		pump(w);
}

void watches_tick(struct api_server *s)
{
	uint64_t now = loop_now_ms(s->loop);
	LIST_FOREACH (it, &s->watches) {
		struct watch *w = CONTAINER_OF(it, struct watch, in_server);
		if (now >= w->end_at_ms) {
			end(w);
		} else if (w->bookmarks && now >= w->bookmark_at_ms && !w->initial && !w->is_waiting && !w->held &&
		           !w->mark_initial_end && !w->watcher.told) {
			w->revision = cache_revision(s->cache);
			frame_bookmark(w, false);
			w->bookmark_at_ms = now + BOOKMARK_S * 1000;
		}
	}
}

/* ---- the start ---- */

static void take_present(struct watch *w)
{
	size_t cap = 0;
	const char *text = w->filter.ns.len ? arena_printf(&w->call->arena, "%.*s/", SLICE_FMT(w->filter.ns)) : "";
	struct slice prefix = slice_of(text);
	for (struct omap_node *n = omap_seek(&w->cr->objects, prefix);
	        n && n->key.len >= prefix.len && memcmp(n->key.ptr, prefix.ptr, prefix.len) == 0; n = omap_next(n)) {
		struct object *o = n->value;
		if (!object_matches(o, &w->filter, w->cr->resource))
			continue;
		if (w->initial_count == cap) {
			cap = cap ? cap * 2 : 64;
			w->initial = xrealloc(w->initial, cap * sizeof(struct object *));
		}
		w->initial[w->initial_count++] = object_ref(o);
	}
}

static const char *stream_type(const struct call *c)
{
	return c->format == FORMAT_PROTOBUF ? TRANSCODE_CONTENT_TYPE ";stream=watch" : "application/json";
}

static void start_now(struct call *c)
{
	struct watch *w = c->handler_data;
	struct api_server *s = c->server;
	int64_t from = w->start ? w->start : cache_revision(s->cache);
	w->cr = cache_resource(s->cache, c->route.resource);
	w->watcher.wake = wake;
	w->revision = from;
	if (!cache_watch_from(w->cr, &w->watcher, from)) {
		struct err err = ERR_INIT;
		err_set(&err, ERR_COMPACTED, "too old resource version: %" PRId64 " (%" PRId64 ")", from,
		        w->cr->horizon);
		call_stream_begin(c, 200, stream_type(c));
		frame_error(w, &err);
		call_stream_end(c);
		call_unref(c);
		return;
	}
	list_push_back(&s->watches, &w->in_server);
	w->linked = true;
	s->counters.watches_open++;
	if (!w->start)
		take_present(w);
	c->on_writable = writable;
	c->on_gone = gone;
	call_stream_begin(c, 200, stream_type(c));
	pump(w);
}

static int parse_start(struct call *c, struct watch *w, struct err *err)
{
	struct slice version = call_param(c, "resourceVersion"), match = call_param(c, "resourceVersionMatch");
	struct slice initial = call_param(c, "sendInitialEvents"), timeout = call_param(c, "timeoutSeconds");
	uint64_t number = 0, limit_s = 0;
	w->bookmarks = call_param_bool(c, "allowWatchBookmarks");
	if (version.len && (!slice_to_u64(version, &number) || number > INT64_MAX))
		return err_set(err, ERR_INVAL, "resourceVersion: Invalid value: \"%.*s\": must be an unsigned integer",
		        SLICE_FMT(version));
	if (initial.len && !slice_is(match, "NotOlderThan"))
		return err_set(err, ERR_INVAL,
		        "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to "
		        "NotOlderThan");
	if (match.len && !initial.len)
		return err_set(err, ERR_INVAL,
		        "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless "
		        "sendInitialEvents is provided");
	if (call_param_bool(c, "sendInitialEvents")) {
		w->mark_initial_end = w->bookmarks;
		w->start = 0;
	} else if (initial.len && !number) {
		w->start = -1; /* from now on */
	} else {
		w->start = (int64_t)number;
	}
	if (timeout.len && !slice_to_u64(timeout, &limit_s))
		return err_set(err, ERR_INVAL,
		        "timeoutSeconds: Invalid value: \"%.*s\": must be a non-negative integer", SLICE_FMT(timeout));
	if (!limit_s)
		limit_s = TIME_LIMIT_MIN_S + (uint64_t)random() % TIME_LIMIT_MIN_S;
	w->end_at_ms = loop_now_ms(c->server->loop) + limit_s * 1000;
	w->bookmark_at_ms = loop_now_ms(c->server->loop) + (limit_s < BOOKMARK_S ? limit_s / 2 : BOOKMARK_S) * 1000;
	return 0;
}

static void begin(struct call *c)
{
	struct watch *w = c->handler_data;
	if (w->start == -1)
		w->start = cache_revision(c->server->cache);
	start_now(call_ref(c));
}

void api_watch(struct call *c)
{
	struct watch *w = ARENA_NEW(&c->arena, struct watch);
	struct err err = ERR_INIT;
	LOOP_CHECK_OWNER(c->loop);
	w->call = c;
	w->filter.ns = c->route.ns;
	w->filter.name = c->route.name;
	c->handler_data = w;
	if (label_selector_parse(&c->arena, call_param(c, "labelSelector"), &w->filter.labels, &err) != 0 ||
	        field_selector_parse(&c->arena, call_param(c, "fieldSelector"), &w->filter.fields, &err) != 0 ||
	        object_filter_check(&w->filter, c->route.resource, &err) != 0 || parse_start(c, w, &err) != 0) {
		call_respond_err(c, &err);
		return;
	}
	if (w->start > store_revision(c->server->store)) {
		err_set(&err, ERR_FUTURE_REVISION, "Too large resource version: %" PRId64 ", current: %" PRId64,
		        w->start, store_revision(c->server->store));
		call_respond_err(c, &err);
		return;
	}
	bool any = slice_is(call_param(c, "resourceVersion"), "0");
	fresh_wait(c, w->start <= 0 && !any, begin);
}
