/* LIST, from the watch cache.
 *
 * A read is consistent unless the client says otherwise (Kubernetes API concepts, "Semantics for get and list"):
 *   resourceVersion ""    most recent: the store is asked for its revision, the cache awaited
 *   resourceVersion "0"   any: at once
 *   resourceVersion N     not older than N: the cache is awaited at N, 504 when that is beyond the store's newest
 *   Exact, continue       the state at one revision: from the store's history (list_history.c)
 * The answer to a JSON list is a head and the objects' own bytes by reference, however many there are. */
#include "api/server/verbs/lists/list.h"
#include "api/server/verbs/verbs.h"

#include "api/server/answer.h"
#include "api/server/cache/fresh.h"
#include "api/server/state.h"
#include "base/base64.h"
#include "base/check.h"

#include <inttypes.h>

enum { REVISION_NEWEST = -1 };

/* ---- what was asked for ---- */

int list_parse_version(struct slice text, int64_t *out, struct err *err)
{
	uint64_t v;
	if (!slice_to_u64(text, &v) || v > INT64_MAX)
		return err_set(err, ERR_INVAL, "resourceVersion: Invalid value: \"%.*s\": must be an unsigned integer",
		        SLICE_FMT(text));
	*out = (int64_t)v;
	return 0;
}

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

/* A continue token is {"rv":N,"start":"ns/name"} in base64url, as upstream's: opaque to clients. N is -1 in the one
 * that comes with a 410: the rest of the list, as it is then. */
static int parse_continue(struct call *c, struct list *l, struct slice token, struct err *err)
{
	struct slice text;
	struct json *v = NULL;
	if (base64url_decode(&c->arena, token, &text))
		v = json_parse(&c->arena, text, NULL, NULL);
	l->revision = json_get_int(v, "rv", 0);
	l->start = l->resumed = json_get_str(v, "start");
	if (l->revision == 0 || l->revision < REVISION_NEWEST || !l->start.len)
		return err_set(err, ERR_INVAL,
		        "continue key is not valid: use the token of the last answer as it is, or list anew without "
		        "one");
	l->exact = l->revision != REVISION_NEWEST;
	return 0;
}

struct slice list_make_continue(struct call *c, int64_t revision, struct slice next)
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
	if (version.len && list_parse_version(version, at, err) != 0)
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

/* ---- what is chosen ---- */

bool list_has_selectors(const struct list *l)
{
	return l->filter.labels.count || l->filter.fields.count || l->filter.name.len;
}

void list_select(struct list *l, struct object *o)
{
	struct selection *s = &l->selection;
	if (s->count == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 64;
		struct object **bigger = ARENA_ARRAY(&l->call->arena, struct object *, cap);
		if (s->count)
			memcpy(bigger, s->objects, s->count * sizeof *bigger);
		s->objects = bigger;
		s->cap = cap;
	}
	s->objects[s->count++] = o;
}

void list_drop_selection(struct list *l)
{
	CHECK(l->selection.count <= l->selection.cap);
	while (l->selection.count)
		object_unref(l->selection.objects[--l->selection.count]);
}

static int64_t count_rest(struct omap_node *n, struct slice prefix)
{
	int64_t count = 0;
	for (; n && n->key.len >= prefix.len && memcmp(n->key.ptr, prefix.ptr, prefix.len) == 0; n = omap_next(n))
		count++;
	return count;
}

static void from_cache(struct call *c)
{
	struct list *l = c->handler_data;
	struct cache_resource *cr = cache_resource(c->server->cache, c->route.resource);
	const char *prefix_text = l->filter.ns.len ? arena_printf(&c->arena, "%.*s/", SLICE_FMT(l->filter.ns)) : "";
	struct slice prefix = slice_of(prefix_text);
	/* A token may name a key of elsewhere; nothing before the namespace is shown for it. */
	struct omap_node *n = omap_seek(&cr->objects, slice_cmp(l->start, prefix) > 0 ? l->start : prefix);
	l->revision = cache_revision(c->server->cache);
	for (; n && n->key.len >= prefix.len && memcmp(n->key.ptr, prefix.ptr, prefix.len) == 0; n = omap_next(n)) {
		struct object *o = n->value;
		if (!object_matches(o, &l->filter, cr->resource))
			continue;
		if (l->limit && (int64_t)l->selection.count == l->limit) {
			l->selection.next = o->key;
			l->selection.remaining = list_has_selectors(l) ? -1 : count_rest(n, prefix);
			break;
		}
		list_select(l, object_ref(o));
	}
	l->chosen(l);
}

static void from_history(struct call *c)
{
	list_from_history(c->handler_data);
}

void list_choose(struct call *c, struct list *l, void (*chosen)(struct list *l))
{
	struct err err = ERR_INIT;
	int64_t at;
	LOOP_CHECK_OWNER(c->loop);
	CHECK(!l->chosen && chosen);
	l->call = c;
	l->chosen = chosen;
	l->selection.remaining = -1;
	c->handler_data = l;
	if (parse_selectors(c, &l->filter, &err) != 0 || parse_list(c, l, &at, &err) != 0)
		call_respond_err(c, &err);
	else if (l->exact)
		fresh_wait_at(c, l->revision, from_history);
	else if (call_param(c, "resourceVersion").len)
		fresh_wait_at(c, at, from_cache);
	else
		fresh_wait(c, true, from_cache);
}

void api_list(struct call *c)
{
	list_choose(c, ARENA_NEW(&c->arena, struct list), list_respond);
}
