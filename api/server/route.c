/* Paths to resources (Kubernetes API concepts, "Resource URIs"):
 *
 *     /api/v1/RESOURCE[/NAME[/SUB]]                        core group, cluster scope or all namespaces
 *     /api/v1/namespaces/NS/RESOURCE[/NAME[/SUB]]          core group, one namespace
 *     /apis/GROUP/VERSION/...                              the same for named groups
 *
 * "namespaces" is a resource itself, so /api/v1/namespaces/NS/status and .../finalize are its subresources. */
#include "api/server/call_int.h"

enum { SEGMENTS_MAX = 16 };

struct segments {
	struct slice at[SEGMENTS_MAX];
	size_t count;
	bool too_many;
};

static bool split(struct call *c, struct segments *out)
{
	struct slice rest = {c->path.ptr + 1, c->path.len - 1};
	*out = (struct segments){0};
	while (rest.ptr && rest.len) {
		struct slice s = slice_cut(&rest, '/'), decoded;
		if (!s.len)
			continue;
		if (out->count == SEGMENTS_MAX) {
			out->too_many = true;
			return true;
		}
		if (!http_decode(&c->arena, s, false, &decoded))
			return false;
		out->at[out->count++] = decoded;
	}
	return true;
}

static int not_served(struct call *c, struct err *err)
{
	(void)c;
	return err_set(err, ERR_NOT_FOUND, "the server could not find the requested resource");
}

static int find_sub(struct call *c, const struct segments *s, size_t at, struct err *err)
{
	struct route *r = &c->route;
	if (s->count <= at)
		return 0;
	r->sub = resource_sub_find(r->resource, s->at[at]);
	if (!r->sub)
		return not_served(c, err);
	if (s->count > at + 1) {
		if (!slice_is(slice_of(r->sub->name), "proxy"))
			return not_served(c, err);
		const char *start = s->at[at].ptr + s->at[at].len; /* only proxies look at it, raw */
		r->tail = (struct slice){start, 0};
	}
	return 0;
}

/* at: index of the first segment behind the version. */
static int parse_resource(
        struct call *c, struct slice group, struct slice version, const struct segments *s, size_t at, struct err *err)
{
	struct route *r = &c->route;
	size_t left = s->count - at;
	bool in_namespace = left >= 3 && slice_is(s->at[at], "namespaces") &&
	                    !(left == 3 && (slice_is(s->at[at + 2], "status") || slice_is(s->at[at + 2], "finalize")));
	if (in_namespace) {
		r->ns = s->at[at + 1];
		at += 2;
	}
	r->resource = resource_find(group, version, s->at[at]);
	if (!r->resource)
		return not_served(c, err);
	if (in_namespace && !r->resource->namespaced)
		return not_served(c, err);
	if (s->count > at + 1)
		r->name = s->at[at + 1];
	if (r->name.len && r->resource->namespaced && !r->ns.len)
		return not_served(c, err);
	r->is_resource = true;
	return find_sub(c, s, at + 2, err);
}

static int method_to_verb(struct call *c, struct err *err)
{
	struct route *r = &c->route;
	bool one = r->name.len > 0;
	if (slice_is(c->method, "GET") || slice_is(c->method, "HEAD"))
		r->verb = call_param_bool(c, "watch") && !r->sub ? RESOURCE_WATCH : one ? RESOURCE_GET : RESOURCE_LIST;
	else if (slice_is(c->method, "POST"))
		r->verb = RESOURCE_CREATE;
	else if (slice_is(c->method, "PUT"))
		r->verb = RESOURCE_UPDATE;
	else if (slice_is(c->method, "PATCH"))
		r->verb = RESOURCE_PATCH;
	else if (slice_is(c->method, "DELETE"))
		r->verb = one ? RESOURCE_DELETE : RESOURCE_DELETECOLLECTION;
	else
		r->verb = 0;
	unsigned allowed = r->sub ? r->sub->verbs : r->resource->verbs;
	bool connects = r->sub && r->sub->is_connect;
	bool shape_fits = r->sub ? one
	                         : one == (r->verb != RESOURCE_LIST && r->verb != RESOURCE_CREATE &&
	                                          r->verb != RESOURCE_DELETECOLLECTION) ||
	                                   r->verb == RESOURCE_WATCH;
	if (connects || ((allowed & r->verb) && shape_fits))
		return 0;
	return err_set(err, ERR_METHOD, "the server does not allow this method on the requested resource");
}

int route_parse(struct call *c, struct err *err)
{
	struct segments s;
	if (!split(c, &s))
		return err_set(err, ERR_INVAL, "path %.*s: broken percent escape", SLICE_FMT(c->path));
	if (s.too_many)
		return not_served(c, err);
	size_t at;
	if (s.count >= 3 && slice_is(s.at[0], "api"))
		at = 2;
	else if (s.count >= 4 && slice_is(s.at[0], "apis"))
		at = 3;
	else
		return 0;
	struct slice group = at == 3 ? s.at[1] : SLICE("");
	int rc = parse_resource(c, group, s.at[at - 1], &s, at, err);
	return rc == 0 ? method_to_verb(c, err) : rc;
}
