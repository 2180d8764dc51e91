/* See filters.h. */
#include "net/ingress/route/filters.h"

#include "base/check.h"

#include <string.h>

enum { REDIRECT_DEFAULT = 302 };

static const char *keep(struct arena *a, struct slice s)
{
	return s.len ? arena_memdup(a, s.ptr, s.len) : NULL;
}

/* What frames a message, or belongs to one connection, is no rule's to change. */
static bool is_framing(struct slice name)
{
	static const char *const names[] = {"content-length", "transfer-encoding", "connection", "upgrade", "te",
	        "trailer", "keep-alive", "proxy-connection", "host"};
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (slice_caseis(name, names[i]))
			return true;
	return false;
}

static void add_edit(struct arena *a, struct header_edits *e, enum header_op op, struct slice name, struct slice value)
{
	e->items[e->count++] =
	        (struct header_edit){op, slice_lower(a, name).ptr, {arena_memdup(a, value.ptr, value.len), value.len}};
}

static size_t count_of(const struct json *list)
{
	return list ? list->count : 0;
}

static int refuse_framing(const struct header_edits *e, struct err *err)
{
	for (size_t i = 0; i < e->count; i++)
		if (is_framing(slice_of(e->items[i].name)))
			return err_set(err, ERR_INVAL, "a filter that changes the header %s is not served%s",
			        e->items[i].name,
			        strcmp(e->items[i].name, "host") == 0 ? ": URLRewrite has a hostname" : "");
	return 0;
}

static int read_edits(struct arena *a, const struct json *from, struct header_edits *e, struct err *err)
{
	const struct json *set = json_get(from, "set"), *add = json_get(from, "add"),
	                  *remove = json_get(from, "remove");
	size_t more = count_of(set) + count_of(add) + count_of(remove);
	struct header_edit *wider = ARENA_ARRAY(a, struct header_edit, e->count + more + 1);
	for (size_t i = 0; i < e->count; i++)
		wider[i] = e->items[i];
	e->items = wider;
	JSON_FOREACH (it, set)
		add_edit(a, e, HEADER_SET, json_get_str(it, "name"), json_get_str(it, "value"));
	JSON_FOREACH (it, add)
		add_edit(a, e, HEADER_ADD, json_get_str(it, "name"), json_get_str(it, "value"));
	JSON_FOREACH (it, remove)
		add_edit(a, e, HEADER_REMOVE, json_str(it), SLICE_NULL);
	return refuse_framing(e, err);
}

static int read_path(struct arena *a, const struct json *path, struct url_change *c, struct err *err)
{
	struct slice type = json_get_str(path, "type"), text;
	if (!path)
		return 0;
	if (slice_is(type, "ReplaceFullPath"))
		c->path_change = URL_PATH_WHOLE;
	else if (slice_is(type, "ReplacePrefixMatch"))
		c->path_change = URL_PATH_PREFIX;
	else
		return err_set(err, ERR_INVAL, "a path modifier of type %.*s is not served", SLICE_FMT(type));
	text = json_get_str(path, c->path_change == URL_PATH_WHOLE ? "replaceFullPath" : "replacePrefixMatch");
	while (c->path_change == URL_PATH_PREFIX && text.len && text.ptr[text.len - 1] == '/')
		text.len--;
	c->path = (struct slice){arena_memdup(a, text.ptr, text.len), text.len};
	return 0;
}

static int read_change(struct arena *a, const struct json *from, struct url_change **ret, struct err *err)
{
	struct url_change *c = ARENA_NEW(a, struct url_change);
	c->scheme = keep(a, json_get_str(from, "scheme"));
	c->host = keep(a, json_get_str(from, "hostname"));
	c->port = (unsigned)json_get_int(from, "port", 0);
	c->status = (unsigned)json_get_int(from, "statusCode", REDIRECT_DEFAULT);
	*ret = c;
	return read_path(a, json_get(from, "path"), c, err);
}

int route_filters_read(struct arena *a, const struct json *filters, struct route_filters *ret, struct err *err)
{
	int rc = 0;
	*ret = (struct route_filters){0};
	JSON_FOREACH (it, filters) {
		struct slice type = json_get_str(it, "type");
		if (slice_is(type, "RequestHeaderModifier"))
			rc = read_edits(a, json_get(it, "requestHeaderModifier"), &ret->request, err);
		else if (slice_is(type, "ResponseHeaderModifier"))
			rc = read_edits(a, json_get(it, "responseHeaderModifier"), &ret->response, err);
		else if (slice_is(type, "RequestRedirect"))
			rc = read_change(a, json_get(it, "requestRedirect"), &ret->redirect, err);
		else if (slice_is(type, "URLRewrite"))
			rc = read_change(a, json_get(it, "urlRewrite"), &ret->rewrite, err);
		else
			rc = err_set(err, ERR_INVAL, "a filter of type %.*s is not served", SLICE_FMT(type));
		if (rc != 0)
			return rc;
	}
	return 0;
}

struct slice url_change_path(
        struct arena *a, const struct url_change *c, const struct path_rule *rule, struct slice path)
{
	size_t matched = rule->match == PATH_PREFIX || rule->match == PATH_EXACT ? rule->path.len : 0;
	if (c->path_change == URL_PATH_KEPT)
		return path;
	if (c->path_change == URL_PATH_WHOLE)
		return c->path.len ? c->path : SLICE("/");
	if (matched > path.len)
		matched = 0;
	struct slice rest = {path.ptr + matched, path.len - matched};
	if (!c->path.len && !rest.len)
		return SLICE("/");
	return slice_of(arena_printf(
	        a, "%.*s%s%.*s", SLICE_FMT(c->path), rest.len && rest.ptr[0] != '/' ? "/" : "", SLICE_FMT(rest)));
}
