/* GET and LIST, from the watch cache.
 *
 * A read is consistent unless the client says otherwise (Kubernetes API concepts, "Semantics for get and list"):
 *   resourceVersion ""    most recent: the store is asked for its revision, the cache awaited
 *   resourceVersion "0"   any: at once
 *   resourceVersion N     not older than N: the cache is awaited at N, 504 when that is beyond the store's newest
 *   Exact, continue       the state at one revision: from the store's history
 * The answer to a JSON list is a head and the objects' own bytes by reference, however many there are. */
#include "api/server/verbs/verbs.h"

#include "api/server/answer.h"
#include "api/server/cache/fresh.h"
#include "api/server/state.h"
#include "api/server/status.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/limits.h"

#include <inttypes.h>

/* ---- GET ---- */

static void get_now(struct call *c)
{
	struct object *o = fresh_route_object(c);
	struct err err = ERR_INIT;
	if (o) {
		call_respond_object(c, 200, rcbuf_ref(o->json), c->route.resource->storage);
		return;
	}
	status_not_found(&err, c->route.resource, c->route.name);
	call_respond_err(c, &err);
}

static int parse_version(struct slice text, int64_t *out, struct err *err)
{
	uint64_t v;
	if (!slice_to_u64(text, &v) || v > INT64_MAX)
		return err_set(err, ERR_INVAL, "resourceVersion: Invalid value: \"%.*s\": must be an unsigned integer",
		        SLICE_FMT(text));
	*out = (int64_t)v;
	return 0;
}

void api_get(struct call *c)
{
	struct slice version = call_param(c, "resourceVersion");
	struct err err = ERR_INIT;
	int64_t at = 0;
	if (!version.len) {
		fresh_wait(c, true, get_now);
	} else if (parse_version(version, &at, &err) != 0) {
		call_respond_err(c, &err);
	} else {
		fresh_wait_at(c, at, get_now);
	}
}

/* ---- LIST: what was asked for ---- */

/* The chosen objects: texts, each with a reference. */
struct selection {
	struct rcbuf **texts;
	size_t count;
	size_t cap;
	struct slice next; /* key the next page starts with; empty: all was taken */
	int64_t remaining; /* objects from `next` on; -1: not known (selectors, history) */
};

struct list {
	struct call *call;
	struct object_filter filter;
	int64_t limit;      /* 0: none */
	int64_t revision;   /* of the answer */
	struct slice start; /* key (namespace/name) to go on from */
	bool exact;         /* from the store's history */
	struct selection selection;
	struct store_request request;
};

static int parse_selectors(struct call *c, struct object_filter *f, struct err *err)
{
	f->ns = c->route.ns;
	f->name = c->route.name;
	if (label_selector_parse(&c->arena, call_param(c, "labelSelector"), &f->labels, err) != 0)
		return err->code;
	if (field_selector_parse(&c->arena, call_param(c, "fieldSelector"), &f->fields, err) != 0)
		return err->code;
	return object_filter_check(f, c->route.resource, err);
}

/* A continue token is {"rv":N,"start":"ns/name"} in base64url, as upstream's: opaque to clients. */
static int parse_continue(struct call *c, struct list *l, struct slice token, struct err *err)
{
	struct slice text;
	struct json *v = NULL;
	if (base64url_decode(&c->arena, token, &text))
		v = json_parse(&c->arena, text, NULL, NULL);
	l->revision = json_get_int(v, "rv", 0);
	l->start = json_get_str(v, "start");
	if (l->revision <= 0 || !l->start.len)
		return err_set(err, ERR_INVAL,
		        "continue key is not valid: use the token of the last answer as it is, or list anew without "
		        "one");
	l->exact = true;
	return 0;
}

static struct slice make_continue(struct call *c, int64_t revision, struct slice next)
{
	struct strbuf text = STRBUF_INIT;
	strbuf_addf(&text, "{\"rv\":%" PRId64 ",\"start\":", revision);
	json_write_str(&text, next);
	strbuf_addc(&text, '}');
	struct slice token = base64url_encode(&c->arena, strbuf_slice(&text));
	strbuf_release(&text);
	return token;
}

static int parse_list(struct call *c, struct list *l, int64_t *at, struct err *err)
{
	struct slice version = call_param(c, "resourceVersion"), match = call_param(c, "resourceVersionMatch");
	struct slice token = call_param(c, "continue"), limit = call_param(c, "limit");
	*at = 0;
	if (limit.len && (!slice_to_i64(limit, &l->limit) || l->limit < 0))
		return err_set(err, ERR_INVAL, "limit: Invalid value: \"%.*s\": must be a non-negative integer",
		        SLICE_FMT(limit));
	if (call_param(c, "sendInitialEvents").len)
		return err_set(err, ERR_INVAL, "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list");
	if (match.len && !version.len)
		return err_set(err, ERR_INVAL,
		        "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is "
		        "provided");
	if (match.len && token.len)
		return err_set(err, ERR_INVAL,
		        "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided");
	if (match.len && !slice_is(match, "Exact") && !slice_is(match, "NotOlderThan"))
		return err_set(err, ERR_INVAL,
		        "resourceVersionMatch: Unsupported value: \"%.*s\": supported values: \"Exact\", "
		        "\"NotOlderThan\"",
		        SLICE_FMT(match));
	if (version.len && parse_version(version, at, err) != 0)
		return err->code;
	if (slice_is(match, "Exact") && *at == 0)
		return err_set(err, ERR_INVAL,
		        "resourceVersionMatch: Forbidden: resourceVersionMatch \"Exact\" is forbidden for "
		        "resourceVersion \"0\"");
	if (token.len)
		return version.len && *at != 0
		               ? err_set(err, ERR_INVAL,
		                         "specifying resource version is not allowed when using continue")
		               : parse_continue(c, l, token, err);
	if (slice_is(match, "Exact") || (version.len && *at > 0 && l->limit > 0 && !match.len)) {
		l->exact = true;
		l->revision = *at;
	}
	return 0;
}

/* ---- LIST: the answer ---- */

static void select_add(struct call *c, struct selection *s, struct rcbuf *text)
{
	if (s->count == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 64;
		struct rcbuf **bigger = arena_alloc(&c->arena, cap * sizeof *bigger);
		if (s->count)
			memcpy(bigger, s->texts, s->count * sizeof *bigger);
		s->texts = bigger;
		s->cap = cap;
	}
	s->texts[s->count++] = text;
}

static void drop_selection(struct selection *s)
{
	while (s->count)
		rcbuf_unref(s->texts[--s->count]);
}

static void write_list_metadata(struct call *c, struct strbuf *out, const struct list *l, const struct selection *s)
{
	strbuf_addf(out, "{\"resourceVersion\":\"%" PRId64 "\"", l->revision);
	if (s->next.len) {
		struct slice token = make_continue(c, l->revision, s->next);
		strbuf_addf(out, ",\"continue\":\"%.*s\"", SLICE_FMT(token));
		if (s->remaining >= 0)
			strbuf_addf(out, ",\"remainingItemCount\":%" PRId64, s->remaining);
	}
	strbuf_addc(out, '}');
}

static void write_list_head(struct call *c, struct strbuf *out, const struct list *l, const struct selection *s)
{
	const struct resource *r = c->route.resource;
	if (c->shape == SHAPE_PARTIAL)
		strbuf_adds(
		        out, "{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":");
	else
		strbuf_addf(out, "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":", r->list_kind, r->api_version);
	write_list_metadata(c, out, l, s);
	strbuf_adds(out, ",\"items\":[");
}

static void respond_by_reference(struct call *c, const struct list *l, struct selection *s)
{
	struct http_buf *bufs = arena_alloc(&c->arena, (2 * s->count + 2) * sizeof *bufs);
	struct strbuf head = STRBUF_INIT;
	size_t n = 0;
	write_list_head(c, &head, l, s);
	struct rcbuf *first = rcbuf_copy(head.data, head.len);
	strbuf_release(&head);
	bufs[n++] = (struct http_buf){{first->data, first->len}, first};
	for (size_t i = 0; i < s->count; i++) {
		if (i)
			bufs[n++] = (struct http_buf){SLICE(","), NULL};
		bufs[n++] = (struct http_buf){{s->texts[i]->data, s->texts[i]->len}, s->texts[i]};
	}
	bufs[n++] = (struct http_buf){SLICE("]}\n"), NULL};
	call_respond_bufs(c, 200, "application/json", bufs, n);
}

static void write_items(struct call *c, struct strbuf *out, struct selection *s)
{
	for (size_t i = 0; i < s->count; i++) {
		struct slice text = {s->texts[i]->data, s->texts[i]->len};
		if (i)
			strbuf_addc(out, ',');
		if (c->shape == SHAPE_TABLE)
			shape_table_row(out, c->route.resource, text, c->table_include);
		else if (c->shape == SHAPE_PARTIAL)
			shape_partial(out, text);
		else
			strbuf_add_slice(out, text);
		rcbuf_unref(s->texts[i]);
	}
	strbuf_adds(out, "]}");
}

static void respond_as_text(struct call *c, const struct list *l, struct selection *s)
{
	struct strbuf text = STRBUF_INIT, out = STRBUF_INIT;
	struct err err = ERR_INIT;
	if (c->shape == SHAPE_TABLE) {
		struct strbuf meta = STRBUF_INIT;
		write_list_metadata(c, &meta, l, s);
		shape_table_head(&text, c->route.resource, strbuf_slice(&meta), true);
		strbuf_release(&meta);
	} else {
		write_list_head(c, &text, l, s);
	}
	write_items(c, &text, s);
	if (shape_encode(c->format, &text, &out, &err) == 0)
		call_respond_strbuf(c, 200, shape_content_type(c->format), &out);
	else
		call_respond_strbuf(c, 200, "application/json", &text);
	strbuf_release(&text);
	strbuf_release(&out);
}

/* Rows that share a storage are told apart here: every text is turned into the route's form. */
static bool convert_selection(struct call *c, struct selection *s)
{
	const struct resource *r = c->route.resource;
	struct err err = ERR_INIT;
	for (size_t i = 0; r->storage != r && i < s->count; i++) {
		struct rcbuf *converted = shape_convert(s->texts[i], r->storage, r, &err);
		if (!converted) {
			drop_selection(s);
			call_respond_err(c, &err);
			return false;
		}
		rcbuf_unref(s->texts[i]);
		s->texts[i] = converted;
	}
	return true;
}

static void respond_list(struct call *c, const struct list *l, struct selection *s)
{
	if (!convert_selection(c, s))
		return;
	if (c->shape == SHAPE_OBJECT && c->format == FORMAT_JSON)
		respond_by_reference(c, l, s);
	else
		respond_as_text(c, l, s);
}

/* ---- LIST: from the cache ---- */

static bool has_selectors(const struct object_filter *f)
{
	return f->labels.count || f->fields.count || f->name.len;
}

static int64_t count_rest(struct omap_node *n, struct slice prefix)
{
	int64_t count = 0;
	for (; n && n->key.len >= prefix.len && memcmp(n->key.ptr, prefix.ptr, prefix.len) == 0; n = omap_next(n))
		count++;
	return count;
}

static void list_from_cache(struct call *c)
{
	struct list *l = c->handler_data;
	struct cache_resource *cr = cache_resource(c->server->cache, c->route.resource);
	struct selection s = l->selection;
	const char *prefix_text = l->filter.ns.len ? arena_printf(&c->arena, "%.*s/", SLICE_FMT(l->filter.ns)) : "";
	struct slice prefix = slice_of(prefix_text);
	struct omap_node *n = omap_seek(&cr->objects, prefix);
	l->revision = cache_revision(c->server->cache);
	for (; n && n->key.len >= prefix.len && memcmp(n->key.ptr, prefix.ptr, prefix.len) == 0; n = omap_next(n)) {
		struct object *o = n->value;
		if (!object_matches(o, &l->filter, cr->resource))
			continue;
		if (l->limit && (int64_t)s.count == l->limit) {
			s.next = o->key;
			s.remaining = has_selectors(&l->filter) ? -1 : count_rest(n, prefix);
			break;
		}
		select_add(c, &s, rcbuf_ref(o->json));
	}
	respond_list(c, l, &s);
}

/* ---- LIST: from the store's history ---- */

enum { HISTORY_PAGE_KEYS = 1000 };

static void history_page_done(struct store_request *req);

static void history_submit(struct call *c, struct list *l)
{
	struct slice prefix = slice_of(c->route.resource->storage_prefix), ns = l->filter.ns;
	struct strbuf from = STRBUF_INIT, all = STRBUF_INIT;
	strbuf_addf(&all, "%.*s%.*s%s", SLICE_FMT(prefix), SLICE_FMT(ns), ns.len ? "/" : "");
	strbuf_addf(&from, "%.*s%.*s", SLICE_FMT(prefix), SLICE_FMT(l->start));
	struct slice start = l->start.len ? strbuf_slice(&from) : strbuf_slice(&all);
	struct store_key_range keys =
	        store_prefix_range(&c->arena, (struct slice){arena_memdup(&c->arena, all.data, all.len), all.len});
	keys.key = (struct slice){arena_memdup(&c->arena, start.ptr, start.len), start.len};
	l->request =
	        (struct store_request){.type = STORE_REQUEST_OP, .loop = c->server->loop, .done = history_page_done};
	l->request.op.type = STORE_OP_RANGE;
	l->request.op.range = (struct store_range){.keys = keys,
	        .revision = l->revision,
	        .limit = l->limit && !has_selectors(&l->filter) ? l->limit + 1 : HISTORY_PAGE_KEYS};
	strbuf_release(&from);
	strbuf_release(&all);
	call_ref(c);
	store_submit(c->server->store, &l->request);
}

static void fail_history(struct call *c, const struct err *from)
{
	struct err err = *from;
	if (err.code == ERR_COMPACTED)
		err_set(&err, ERR_COMPACTED,
		        "The provided continue parameter is too old to display a consistent list result. You must "
		        "start a new "
		        "list without the continue parameter.");
	call_respond_err(c, &err);
}

/* Takes what matches from one page; sets l->start to where the next one begins, empty when nothing is left. */
static void take_history(struct list *l, const struct store_request *req)
{
	struct call *c = l->call;
	const struct resource *storage = c->route.resource->storage;
	size_t prefix = strlen(storage->storage_prefix);
	for (size_t i = 0; i < req->result.n_kvs; i++) {
		struct store_kv *kv = &req->result.kvs[i];
		struct slice key = {kv->key.ptr + prefix, kv->key.len - prefix};
		struct object *o = object_new(storage, key, kv->value, kv->mod_revision);
		bool taken = o && object_matches(o, &l->filter, storage);
		if (taken && l->limit && (int64_t)l->selection.count == l->limit)
			l->selection.next = (struct slice){arena_memdup(&c->arena, key.ptr, key.len), key.len};
		else if (taken)
			select_add(c, &l->selection, rcbuf_ref(o->json));
		object_unref(o);
		if (l->selection.next.len)
			return;
	}
	l->start = SLICE_NULL;
	if (req->result.more) { /* the zero byte behind the last key makes it the smallest one after it */
		struct slice last = req->result.kvs[req->result.n_kvs - 1].key;
		l->start = (struct slice){
		        arena_memdup(&c->arena, last.ptr + prefix, last.len - prefix), last.len - prefix + 1};
	}
}

static void history_page_done(struct store_request *req)
{
	struct list *l = CONTAINER_OF(req, struct list, request);
	struct call *c = l->call;
	if (!req->err.code)
		take_history(l, req);
	struct err err = req->err;
	store_request_release(req);
	if (c->gone || err.code)
		drop_selection(&l->selection);
	if (c->gone)
		; /* nobody waits */
	else if (err.code)
		fail_history(c, &err);
	else if (l->start.len && !l->selection.next.len)
		history_submit(c, l);
	else
		respond_list(c, l, &l->selection);
	call_unref(c);
}

static void list_from_history(struct call *c)
{
	struct list *l = c->handler_data;
	history_submit(c, l);
}

/* ---- LIST ---- */

void api_list(struct call *c)
{
	struct list *l = ARENA_NEW(&c->arena, struct list);
	struct err err = ERR_INIT;
	int64_t at;
	l->call = c;
	l->selection.remaining = -1;
	c->handler_data = l;
	if (parse_selectors(c, &l->filter, &err) != 0 || parse_list(c, l, &at, &err) != 0) {
		call_respond_err(c, &err);
		return;
	}
	if (l->exact)
		fresh_wait_at(c, l->revision, list_from_history);
	else if (call_param(c, "resourceVersion").len)
		fresh_wait_at(c, at, list_from_cache);
	else
		fresh_wait(c, true, list_from_cache);
}
